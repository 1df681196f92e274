"""Bytes that are no HTTP request: refused in our shape, quoted neither to the client nor to the log.

aiohttp answers them before any of our code runs, and repeats in both places what came: a piece of a key.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from server import again
from server.parts import REQUEST_ID

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Protocol(again.Protocol):
    def connection_lost(self, exc: BaseException | None) -> None:
        request, task = self._current_request, self._task_handler
        super().connection_lost(exc)
        if task is not None and request is not None and again.may_cancel(request):
            task.cancel()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        request_id = request.get(REQUEST_ID) or f"req_{uuid.uuid4().hex}"
        if status < 500:  # noqa: PLR2004 -- HTTP
            log.info("no request", request_id=request_id, status=status, kind=type(exc).__name__)
            code, text = "BAD_REQUEST", "This is no HTTP request that can be read."
        else:
            log.error("internal error", request_id=request_id, exc_info=exc)
            code, text = "INTERNAL", f"Something went wrong on our side. Request id: {request_id}"
        if request.writer.output_size > 0:
            raise ConnectionError("Part of an answer was sent: it cannot be taken back.")
        response = _told(status, code, text, request_id)
        response.force_close()
        return response


def _told(status: int, code: str, text: str, request_id: str) -> web.Response:
    body = {"errors": [{"message": text, "extensions": {"code": code, "requestId": request_id}}]}
    headers = {
        "X-Request-Id": request_id,
        "Server": "creator-graph",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return web.json_response(body, status=status, headers=headers)


async def _unmet(_request: Any) -> web.StreamResponse:
    """To an expectation that nobody knows: aiohttp's own refusal repeats it, and says what we run on."""
    text = "The only expectation that can be met is 100-continue."
    return _told(417, "BAD_REQUEST", text, f"req_{uuid.uuid4().hex}")


class _Server(web.Server):
    heads: again.Heads | None = None

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, self.heads, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner, whose connections refuse in our shape.

    `ahead`: handlers of POST by exact path, which need neither router nor middlewares: both cost
    as much as reading one row. `heads`: what needs not even be read, because it came before.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        ahead: Mapping[str, Handler] | None = None,
        heads: again.Heads | None = None,
        **kwargs: Any,
    ):
        super().__init__(app, **kwargs)
        self._ahead, self._heads = ahead or {}, heads

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        kwargs: dict[str, Any] = made._kwargs  # noqa: SLF001 -- aiohttp offers no other way to its protocol
        routed, ahead = made.request_handler, self._ahead

        def handle(request: Any) -> Awaitable[web.StreamResponse]:
            if "Expect" in request.headers:
                return (routed if request.headers["Expect"].lower() == "100-continue" else _unmet)(request)
            quick = ahead.get(request.raw_path) if request.method == "POST" else None
            return (quick or routed)(request)

        server = _Server(handle, request_factory=made.request_factory, **kwargs)
        server.heads = self._heads
        return server


def strangers(runner: web.AppRunner, ours: aiohttp.ClientSession) -> int:
    """Open connections, but for those we hold to ourselves: to our own simulators."""
    connections = runner.server.connections if runner.server else []
    pools: Any = getattr(ours.connector, "_conns", {}).values()
    own = {_end(held.transport, "sockname") for pool in pools for held, _since in pool}
    return sum(_end(connection.transport, "peername") not in own for connection in connections)


def _end(transport: Any, which: str) -> Any:
    return transport.get_extra_info(which) if transport is not None else None
