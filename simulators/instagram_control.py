"""The test bench's switchboard of the simulated Instagram: POST _control, in this process only."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from aiohttp import web

from simulators import instagram_media, instagram_wire, people
from simulators import instagram_world as worlds


async def turn(request: web.Request) -> web.Response:
    """Turn every knob the JSON object names, in its order; answer with the clock and the waiting faults.

    {"fault": {"endpoint", "kind", "times"?, "delay"?, "size"?, "retry_after"?}} adds one; {"clear": true} drops all;
    {"advance": seconds}; {"knobs": {name: value}} of `instagram_world.Knobs`; {"disconnect": username} and
    {"erase": username} as if the creator removed every app, or asked for deletion: the callbacks are sent;
    {"hide": media id}; {"show": media id}.
    """
    world = request.app[worlds.WORLD]
    try:
        orders = json.loads(await request.read())
        if not orders or not set(orders) <= set(_KNOBS):
            raise ValueError("unknown order")
        for name, value in orders.items():
            _KNOBS[name](world, value)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return instagram_wire.dump({"ok": False, "error": str(error)}, 400)
    waiting = world.faults.waiting()
    return instagram_wire.dump({"ok": True, "now": world.clock.now(), "faults": waiting})


def disconnect(world: worlds.World, username: str) -> None:
    """The creator removes every app: tokens die, and the deauthorize callbacks are told."""
    _remove(world, username, told=lambda app: app.deauthorize_url)


def erase(world: worlds.World, username: str) -> None:
    """The creator asks every app to delete their data, having removed it or not."""
    _remove(world, username, told=lambda app: app.deletion_url, always=True)


def _remove(
    world: worlds.World, username: str, *, told: Callable[[worlds.App], str | None], always: bool = False
) -> None:
    creator = people.BY_USERNAME[username]
    for app in world.apps.values():
        if world.ledger.disconnect(app.client_id, username) or always:
            whom = instagram_media.app_scoped_id(app.client_id, creator)
            world.outbox.post(told(app), whom, app.client_secret, world.clock.now())


def _fault(world: worlds.World, value: Any) -> None:
    world.faults.add(worlds.Fault(**value))


def _clear(world: worlds.World, value: Any) -> None:
    if value is True:
        world.faults.clear()


def _advance(world: worlds.World, value: Any) -> None:
    world.clock.advance(value)


def _knobs(world: worlds.World, value: Any) -> None:
    known = {one.name: type(getattr(world.knobs, one.name)) for one in fields(world.knobs)}
    for name, turned in value.items():
        if known[name] is set:
            setattr(world.knobs, name, {tuple(one) if isinstance(one, list) else one for one in turned})
        elif type(turned) is known[name]:
            setattr(world.knobs, name, turned)
        else:
            raise TypeError(f"{name} is a {known[name].__name__}")


def _hide(world: worlds.World, value: Any) -> None:
    if instagram_media.find(str(value), world.clock.now()) is None:
        raise ValueError(f"no such media: {value}")
    world.knobs.hidden.add(str(value))


def _show(world: worlds.World, value: Any) -> None:
    world.knobs.hidden.discard(str(value))


_KNOBS: Mapping[str, Callable[[worlds.World, Any], None]] = {
    "fault": _fault,
    "clear": _clear,
    "advance": _advance,
    "knobs": _knobs,
    "disconnect": disconnect,
    "erase": erase,
    "hide": _hide,
    "show": _show,
}
