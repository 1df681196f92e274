"""What every handler of the simulated platform can reach, put together once by `simulators.app.create`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from simulators import apps, clock, faults, outbox, state, window


@dataclass(slots=True)
class Knobs:
    """What a test may turn while the simulator runs."""

    lifetimes: apps.Lifetimes
    token_error_status: int = 200
    rate_limit: int = 600
    spent_lives: float = 0.0
    """Seconds that a spent refresh token still buys. TikTok's documents promise none (oauth-refresh-a-user-access-token)."""
    hidden_videos: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class World:
    apps: Mapping[str, apps.App]
    state: state.State
    clock: clock.Clock
    knobs: Knobs
    faults: faults.Faults
    window: window.Window
    outbox: outbox.Outbox


WORLD = web.AppKey("WORLD", World)
