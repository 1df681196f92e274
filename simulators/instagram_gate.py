"""The gate every Instagram endpoint stands behind: faults, limits and refusals become answers here."""

import asyncio
import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulators import faults, instagram_media, instagram_state, instagram_usage, instagram_wire, people
from simulators import instagram_world as worlds

Handler = Callable[[web.Request], Awaitable[web.Response]]
Guarded = Callable[[web.Request], Awaitable[web.StreamResponse]]

FAULT = web.RequestKey("INSTAGRAM_FAULT", faults.Fault)
USAGE = web.RequestKey("INSTAGRAM_USAGE", dict[str, str])
FLAT = "oauth/access_token"


def guarded(endpoint: str, handler: Handler) -> Guarded:
    """A handler with the endpoint's faults before and after it, and its refusals on the wire."""

    @functools.wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        fault = request.app[worlds.WORLD].faults.take(endpoint)
        try:
            if fault is not None:
                request[FAULT] = fault
                await _break(request, fault)
            response = await handler(request)
        except instagram_wire.GraphError as error:
            response = instagram_wire.graph_refusal(error)
        except instagram_wire.ExchangeError as error:
            response = instagram_wire.exchange_refusal(error)
        if fault is not None and fault.kind == "missing_data":
            response.body = b"{}"
        response.headers.update(request.get(USAGE, {}))
        if response.content_type == "application/json":
            response.headers["Cache-Control"] = "private, no-store"
        return await faults.spoiled(request, response, fault)

    return answer


def kind(request: web.Request) -> str:
    """The fault this request meets, for handlers that shape their page by it."""
    fault = request.get(FAULT)
    return "" if fault is None else fault.kind


def token(request: web.Request, *, query_only: bool = False) -> tuple[str, instagram_state.Token]:
    """The request's token, secret and terms, once it is found alive and within the limits.

    The token endpoints document the query alone; resources take the header as well.
    """
    world = request.app[worlds.WORLD]
    word, _, secret = request.headers.get("Authorization", "").partition(" ")
    if query_only or word != "Bearer":
        secret = request.query.get("access_token", "")
    now = world.clock.now()
    held = world.ledger.token(secret) if secret else None
    if held is None or held.client_id not in world.apps or held.creator not in people.BY_USERNAME:
        raise instagram_wire.GraphError(190)
    if held.expires_at <= now:
        raise instagram_wire.GraphError(190, 463)
    _meter(request, held, now)
    return secret, held


def _meter(request: web.Request, held: instagram_state.Token, now: float) -> None:
    """Count the call, tell how much is used, and refuse what is beyond."""
    world = request.app[worlds.WORLD]
    keys = (("app", held.client_id), ("account", held.client_id, held.creator))
    limits = (world.knobs.app_calls, world.knobs.account_calls)
    windows = (instagram_usage.HOUR, instagram_usage.DAY)
    counts = [world.meter.count(key, now, window) for key, window in zip(keys, windows, strict=True)]
    shares = [100 * made // limit for made, limit in zip(counts, limits, strict=True)]
    regain = world.meter.regain(keys[1], now, windows[1], limits[1]) if counts[1] >= limits[1] else 0
    account = instagram_media.account_id(people.BY_USERNAME[held.creator])
    request[USAGE] = instagram_usage.headers(shares[0], shares[1], account, regain)
    if counts[0] > limits[0]:
        raise instagram_wire.GraphError(4)
    if counts[1] > limits[1]:
        raise instagram_wire.GraphError(80002)


async def _break(request: web.Request, fault: faults.Fault) -> None:
    if fault.kind in {"late", "drip"}:
        return
    await asyncio.sleep(fault.delay)
    if fault.kind == "drop" and request.transport is not None:
        request.transport.abort()
    flat = fault.endpoint == FLAT
    if fault.kind == "status_429":
        if flat:
            raise instagram_wire.ExchangeError("Rate limited", "OAuthRateLimitException", 429)
        raise instagram_wire.GraphError(4, headers=instagram_usage.headers(100, 100, "0", 7))
    if fault.kind == "status_500":
        if flat:
            raise instagram_wire.ExchangeError("Something went wrong", "OAuthException", 500)
        raise instagram_wire.GraphError(2)
    if fault.kind == "bad_token":
        if flat:
            raise instagram_wire.ExchangeError("Invalid authorization code")
        raise instagram_wire.GraphError(190, 458)
