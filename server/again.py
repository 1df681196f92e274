"""Requests whose head came before, byte for byte: answered without reading it again.

Clients send the same head with each operation. aiohttp's parser reads it the first times, and its rules decide
what is a request; what it made of those bytes is kept (`Heads`). Where the same bytes come again from the same
peer, with the whole body behind them and nothing else, they mean the same: only the body is new. Whatever
is not exactly so goes aiohttp's way, in the order in which it came.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import HttpVersion11, hdrs, web

from server import received
from server.heard import LONGEST_KEPT, MOST_KEPT, Heard
from server.parts import MAY_CANCEL
from server.whole import Whole

log = structlog.get_logger()
END = b"\r\n\r\n"
# They change how a body is read, or how a request is answered.
UNUSUAL = (
    hdrs.TRANSFER_ENCODING,
    hdrs.CONTENT_ENCODING,
    hdrs.EXPECT,
    hdrs.UPGRADE,
    hdrs.ORIGIN,
)


@dataclass(slots=True)
class Head:
    """What it said, and how long the body behind it is."""

    heard: Heard
    length: int


class Repeated(dict[Any, Any]):
    """Stands in for aiohttp's request on the way of a POST: its body is here, its head was heard before."""

    method, path, content_type, charset = "POST", "/graphql", "application/json", "utf-8"
    headers: dict[str, str] = {}  # noqa: RUF012 -- none are left to read, and nobody writes

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    @property
    def content(self) -> "Repeated":
        return self

    def is_eof(self) -> bool:
        return True

    def read_nowait(self) -> bytes:
        return self._body


Answer = Callable[[Repeated, Heard], Awaitable[Whole]]


@dataclass
class Heads:
    """Of one process, by peer and bytes. `answer`: makes the answer to what came again."""

    answer: Answer
    known: dict[tuple[str, bytes], Head] = field(default_factory=dict, repr=False)

    def learn(self, request: web.Request, heard: Heard) -> None:
        """After a request was answered: whether it came alone and whole; what came twice is kept."""
        protocol = request.protocol
        if not isinstance(protocol, Protocol) or protocol.came is None or not _is_usual(request, heard):
            return
        head, _, body = protocol.came.partition(END)
        if request.headers.get(hdrs.CONTENT_LENGTH) != str(len(body)):
            return
        if head.count(b"\r\n") != len(request.raw_headers):  # it began in what came before
            return
        protocol.between = True
        if heard.again and len(head) <= LONGEST_KEPT:
            if len(self.known) >= MOST_KEPT:
                self.known.clear()
            self.known[request.remote or "", head + END] = Head(heard, len(body))


def _is_usual(request: web.Request, heard: Heard) -> bool:
    return (
        request.version == HttpVersion11
        and request.keep_alive
        and received.is_json(request)
        and received.answer_type(heard.said.get("Accept", "")) != received.EVENTS
        and not any(name in request.headers for name in UNUSUAL)
    )


class Protocol(web.RequestHandler):
    """A connection. `between`: all that came was whole requests, so that what comes next begins one.

    `came`: the bytes of the request that aiohttp has, where they came at once and nothing came since.
    """

    def __init__(self, manager: web.Server, heads: Heads | None, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._heads = heads
        self.between = heads is not None
        self.came: bytes | None = None
        self._finished = 0  # requests that aiohttp read and answered
        self._held: list[bytes] = []
        self._repeated: Repeated | None = None
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp's own way of going on with what it has
            super().data_received(data)
        elif self._answering is not None:  # it waits for its turn
            self._held.append(data)
            self._pause_transport_reading()
        elif not self._is_idle():
            self._pass_on(data, came=None)
        elif self.between:
            self._begin(data)
        else:
            self._pass_on(data, came=data)

    def _begin(self, data: bytes) -> None:
        head = self._known(data)
        if head is None:
            self._pass_on(data, came=data)
        else:
            body = data[-head.length :] if head.length else b""
            self._answering = self._loop.create_task(self._answer(head.heard, Repeated(body)))

    def _pass_on(self, data: bytes, came: bytes | None) -> None:
        """To aiohttp. Until `learn` says so, nobody knows where in a request it ends."""
        self.came, self.between = came, False
        super().data_received(data)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        done = await super().finish_response(request, resp, start_time)
        self._finished += 1
        if not done[0].keep_alive:
            self.between = False  # aiohttp is about to close
        return done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._peer = str(self.peername[0]) if isinstance(self.peername, tuple) else ""

    def connection_lost(self, exc: BaseException | None) -> None:
        task, self._held = self._answering, []
        super().connection_lost(exc)
        if task is not None and self._repeated is not None and may_cancel(self._repeated):
            task.cancel()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 -- aiohttp's own
        await super().shutdown(timeout)
        if self._answering is not None:
            self._answering.cancel()

    def _is_idle(self) -> bool:
        """Aiohttp has answered all that it read, and nobody wants the connection to end."""
        return self._finished == self._request_count and not (self._close or self._force_close)

    def _known(self, data: bytes) -> Head | None:
        end = data.find(END) + len(END)
        assert self._heads is not None
        head = self._heads.known.get((self._peer, data[:end]))
        return head if head is not None and len(data) - end == head.length else None

    async def _answer(self, heard: Heard, repeated: Repeated) -> None:
        """One request, from its body to the bytes of its answer; then whatever came meanwhile."""
        assert self._heads is not None
        self._repeated, self._request_in_progress = repeated, True
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        try:
            await self._send(await self._heads.answer(repeated, heard))
        except ConnectionError:
            self.force_close()
        except Exception as error:
            log.exception("internal error", kind=type(error).__name__)
            self.force_close()
        finally:
            self._answering = self._repeated = None
            self._request_in_progress = False
            if self._handler_waiter is not None:
                self._handler_waiter.set_result(None)
        if self._held:
            self._go_on()

    async def _send(self, answer: Whole) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("The client is gone.")
        last = answer.keep_alive is False or self._close or self._force_close
        answer.put_on(transport, old=False, keep_alive=not last)
        if self._paused:  # the client is slow to read
            await self._drain_helper()
        if last:
            self.close()
            transport.close()

    def _go_on(self) -> None:
        held, self._held = b"".join(self._held), []
        self.data_received(held)
        if not self._held and not self._buffer_paused and not self._reading_paused:
            self._resume_transport_reading()


def may_cancel(request: Any) -> bool:
    """Whether what makes an answer may be cancelled now that its client left."""
    may = request.get(MAY_CANCEL)
    return may is not None and may()
