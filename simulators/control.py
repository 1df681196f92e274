"""The test bench's switchboard: POST /_control turns the knobs of a running simulator, in this process only."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from simulators import apps, faults, outbox, people, tiktok_wire, videos, world

_TOKEN_STATUSES = (200, 400)


async def turn(request: web.Request) -> web.Response:
    """Turn every knob the JSON object names, in its order; answer with the clock and the waiting faults.

    {"endpoint", "kind", "times"?, "delay"?, "size"?, "retry_after"?} or {"fault": {...}} adds a fault; {"clear": true} drops all;
    {"advance": seconds}; {"profile": name}; {"lifetimes": {"access"?, "refresh"?, "code"?}} in seconds;
    {"token_error_status": 200|400}; {"rate_limit": requests a minute};
    {"spent_lives": seconds that a spent refresh token still buys};
    {"disconnect": username, "reason"?: 0-5} as if the creator removed every app; {"hide_video": id};
    {"show_video": id}.
    """
    shared = request.app[world.WORLD]
    try:
        orders = json.loads(await request.read())
        _obey(shared, orders)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return tiktok_wire.dump({"ok": False, "error": str(error)}, 400)
    return tiktok_wire.dump({"ok": True, "now": shared.clock.now(), "faults": shared.faults.waiting()})


def _obey(shared: world.World, orders: Mapping[str, object]) -> None:
    names = ("endpoint", "kind", "times", "delay", "size", "retry_after")
    fault = {name: orders[name] for name in names if name in orders}
    rest = {name: value for name, value in orders.items() if name not in fault and name != "reason"}
    unknown = set(rest) - set(_KNOBS)
    if unknown or not orders:
        raise ValueError(f"unknown order: {', '.join(sorted(unknown)) or 'none given'}")
    if fault:
        _fault(shared, fault)
    for name, value in rest.items():
        _KNOBS[name](shared, value if name != "disconnect" else (value, orders.get("reason", 1)))


def _fault(shared: world.World, value: object) -> None:
    shared.faults.add(faults.Fault(**_object(value)))


def _clear(shared: world.World, value: object) -> None:
    if value is True:
        shared.faults.clear()


def _advance(shared: world.World, value: object) -> None:
    shared.clock.advance(_number(value))


def _profile(shared: world.World, value: object) -> None:
    shared.knobs.lifetimes = apps.PROFILES[str(value)]


def _lifetimes(shared: world.World, value: object) -> None:
    whole = {name: int(_number(seconds)) for name, seconds in _object(value).items()}
    shared.knobs.lifetimes = replace(shared.knobs.lifetimes, **whole)


def _token_error_status(shared: world.World, value: object) -> None:
    if value not in _TOKEN_STATUSES:
        raise ValueError("token_error_status is 200 or 400")
    shared.knobs.token_error_status = int(_number(value))


def _spent_lives(shared: world.World, value: object) -> None:
    shared.knobs.spent_lives = _number(value)


def _rate_limit(shared: world.World, value: object) -> None:
    shared.knobs.rate_limit = int(_number(value))


def _disconnect(shared: world.World, value: object) -> None:
    assert isinstance(value, tuple)
    username, reason = str(value[0]), outbox.Reason(value[1])
    if username not in people.BY_USERNAME:
        raise ValueError(f"no such creator: {username}")
    for app in shared.apps.values():
        if shared.state.revoke(app.client_key, username):
            shared.outbox.authorization_removed(app, username, reason, shared.clock.now())


def _hide(shared: world.World, value: object) -> None:
    if videos.find(str(value), shared.clock.now()) is None:
        raise ValueError(f"no such video: {value}")
    shared.knobs.hidden_videos.add(str(value))


def _show(shared: world.World, value: object) -> None:
    shared.knobs.hidden_videos.discard(str(value))


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"not an object: {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"not a number: {value!r}")
    return value


_KNOBS: Mapping[str, Callable[[world.World, object], None]] = {
    "fault": _fault,
    "clear": _clear,
    "advance": _advance,
    "profile": _profile,
    "lifetimes": _lifetimes,
    "token_error_status": _token_error_status,
    "rate_limit": _rate_limit,
    "spent_lives": _spent_lives,
    "disconnect": _disconnect,
    "hide_video": _hide,
    "show_video": _show,
}
