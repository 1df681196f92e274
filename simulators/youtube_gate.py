"""The gate every simulated Google endpoint stands behind: ordered faults happen here, refusals become answers."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulators import faults, youtube_wire, youtube_world

Handler = Callable[[web.Request], Awaitable[web.Response]]
Guarded = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULT = web.RequestKey("YOUTUBE_FAULT", faults.Fault)
"""The fault this request meets, for handlers that shape their page by it."""

_FLAT = frozenset({"youtube/auth", "youtube/token", "youtube/revoke"})


def guarded(endpoint: str, handler: Handler) -> Guarded:
    """A handler with the endpoint's faults before and after it, and its refusals on the wire."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        fault = request.app[youtube_world.YOUTUBE].faults.take(endpoint)
        try:
            if fault is not None:
                request[FAULT] = fault
                await _break(request, fault)
            response = youtube_wire.mistagged(await handler(request), "" if fault is None else fault.kind)
        except youtube_wire.Refusal as error:
            response = youtube_wire.refusal(error)
        except youtube_wire.TokenRefusal as error:
            response = youtube_wire.token_refusal(error)
        return await faults.spoiled(request, response, fault)

    return answer


async def _break(request: web.Request, fault: faults.Fault) -> None:
    if fault.kind in {"late", "drip"}:
        return
    await asyncio.sleep(fault.delay)
    if fault.kind == "drop" and request.transport is not None:
        request.transport.abort()
    flat = fault.endpoint in _FLAT
    if fault.kind == "status_429":
        if flat:
            raise youtube_wire.TokenRefusal("rate_limit_exceeded", "Rate limit exceeded.", 429)
        raise youtube_wire.Refusal("rateLimitExceeded")  # a 403: YouTube sends no 429
    if fault.kind == "status_500":
        if flat:
            raise youtube_wire.TokenRefusal("internal_failure", "Internal error.", 500)
        raise youtube_wire.Refusal("backendError")
    if fault.kind == "bad_token":
        raise _dead_token(fault.endpoint) if flat else youtube_wire.Refusal("authError")


def _dead_token(endpoint: str) -> youtube_wire.TokenRefusal:
    if endpoint == "youtube/revoke":
        return youtube_wire.TokenRefusal("invalid_token", "Token expired or revoked")
    return youtube_wire.TokenRefusal("invalid_grant", "Token has been expired or revoked.")
