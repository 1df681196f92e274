"""What every handler of the simulated Google can reach, its knobs, and the switchboard that turns them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiohttp import web

from simulators import apps, clock, faults, people, window, youtube_channels, youtube_state

DAY: Final = 86_400
PACIFIC: Final = ZoneInfo("America/Los_Angeles")
DAILY_UNITS: Final = 10_000


@dataclass(slots=True)
class Knobs:
    """What a test may turn while the simulator runs; lives in seconds.

    `testing`: the app's publishing status is "Testing", so its refresh tokens die after seven days.
    `hidden`: ids that videos.list drops. `deleted`: ids that are gone from the uploads list too. `quota`: units a day and project. `rate_limit`: requests a minute.
    """

    access: int = 3_600
    code: int = 600
    unused: int = 183 * DAY
    testing: bool = False
    quota: int = DAILY_UNITS
    rate_limit: int = 6_000
    hidden: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)

    @property
    def unseen(self) -> frozenset[str]:
        """What videos.list does not know (any more)."""
        return frozenset(self.hidden | self.deleted)

    @property
    def life(self) -> youtube_state.Life:
        return youtube_state.Life(self.unused, 7 * DAY if self.testing else None)


@dataclass(frozen=True, slots=True)
class Google:
    apps: Mapping[str, apps.App]
    state: youtube_state.State
    clock: clock.Clock
    knobs: Knobs
    faults: faults.Faults
    window: window.Window

    def day(self) -> str:
        """The day the quota counts by: California's."""
        return datetime.fromtimestamp(self.clock.now(), PACIFIC).date().isoformat()


YOUTUBE: Final = web.AppKey("YOUTUBE", Google)
_VIDEOS: Final = {"hide_video": "hidden", "delete_video": "deleted"}


def build(
    registered: Sequence[apps.App], state: youtube_state.State, ticking: clock.Clock, ordered: faults.Faults
) -> Google:
    known = {app.client_key: app for app in registered}
    return Google(known, state, ticking, Knobs(), ordered, window.Window())


async def turn(request: web.Request) -> web.Response:
    """Turn every knob the JSON object names; for tests.

    {"testing": bool}, {"quota" | "rate_limit" | "access" | "code" | "unused": whole number},
    {"remove": username} as if the person removed every app, {"hide_video": id}, {"show_video": id},
    {"delete_video": id} for good.
    Faults and the clock are turned at the simulators' own POST /_control.
    """
    google = request.app[YOUTUBE]
    try:
        orders = json.loads(await request.read())
        for name, value in orders.items():
            _obey(google, name, value)
    except (ValueError, TypeError, AttributeError) as error:
        return web.json_response({"ok": False, "error": str(error)}, status=400)
    return web.json_response({"ok": True})


def _obey(google: Google, name: str, value: Any) -> None:
    if name == "testing" and isinstance(value, bool):
        google.knobs.testing = value
    elif name in {"quota", "rate_limit", "access", "code", "unused"} and type(value) is int and value >= 0:
        setattr(google.knobs, name, value)
    elif name == "remove" and value in people.BY_USERNAME:
        google.state.remove_everywhere(value)
    elif name in _VIDEOS and youtube_channels.find(str(value), google.clock.now()) is not None:
        getattr(google.knobs, _VIDEOS[name]).add(value)
    elif name == "show_video":
        google.knobs.hidden.discard(value)
    else:
        raise ValueError(f"no such order: {name}")
