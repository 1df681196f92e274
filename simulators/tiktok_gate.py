"""The gate every TikTok endpoint stands behind: ordered faults happen here, refusals become answers here."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulators import faults, tiktok_wire, world

Handler = Callable[[web.Request], Awaitable[web.Response]]
Guarded = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULT = web.RequestKey("FAULT", faults.Fault)
"""The fault this request meets, for handlers that shape their page by it."""


def guarded(endpoint: str, handler: Handler) -> Guarded:
    """A handler with the endpoint's faults before and after it, and its refusals on the wire."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        shared = request.app[world.WORLD]
        fault = shared.faults.take(endpoint)
        try:
            if fault is not None:
                request[FAULT] = fault
                await _break(request, fault)
            response = await handler(request)
        except tiktok_wire.ResourceError as error:
            response = tiktok_wire.resource_refusal(error, shared.clock.now())
        except tiktok_wire.TokenError as error:
            status = shared.knobs.token_error_status
            response = tiktok_wire.token_refusal(error, status, shared.clock.now())
        return await faults.spoiled(request, response, fault)

    return answer


async def _break(request: web.Request, fault: faults.Fault) -> None:
    if fault.kind in {"late", "drip"}:
        return
    await asyncio.sleep(fault.delay)
    if fault.kind == "drop" and request.transport is not None:
        request.transport.abort()
    flat = fault.endpoint.startswith("oauth/")
    if fault.kind == "status_429":
        raise _too_many(flat=flat)
    if fault.kind == "status_500":
        raise _broken(flat=flat)
    if fault.kind == "bad_token":
        raise _dead_token(flat=flat)


def _too_many(*, flat: bool) -> Exception:
    if flat:
        return tiktok_wire.TokenError("rate_limit_exceeded", "Too many requests.", 429)
    return tiktok_wire.ResourceError("rate_limit_exceeded")


def _broken(*, flat: bool) -> Exception:
    if flat:
        return tiktok_wire.TokenError("server_error", "Something went wrong.", 500)
    return tiktok_wire.ResourceError("internal_error")


def _dead_token(*, flat: bool) -> Exception:
    if flat:
        return tiktok_wire.TokenError("invalid_grant", "Refresh token is invalid or expired.")
    return tiktok_wire.ResourceError("access_token_invalid")
