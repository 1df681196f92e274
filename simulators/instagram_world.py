"""What every handler of the simulated Instagram can reach, and what a test may turn or break in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from simulators import clock, faults, instagram_outbox, instagram_state, instagram_usage
from simulators.apps import Redirects

HOUR, DAY = 3_600, 86_400

ENDPOINTS: Final = (
    "oauth/authorize", "oauth/access_token", "access_token", "refresh_access_token", "me", "me/media",
    "insights", "medium", "me/permissions", "oembed",
)  # fmt: skip

KINDS: Final = (
    *faults.KINDS,
    "foreign_next",  # me/media: paging.next leads to another host
    "missing_data",  # an answer without its `data`
)


@dataclass(frozen=True, slots=True)
class App:
    """One app registered at the simulated Instagram; `redirect_allowed` is the exact match of its redirects.

    `deauthorize_url` and `deletion_url` receive the signed requests, if given.
    """

    client_id: str
    client_secret: str
    name: str
    redirect_allowed: Redirects
    deauthorize_url: str | None = None
    deletion_url: str | None = None


@dataclass(frozen=True, slots=True)
class Fault(faults.Fault):
    """An order as TikTok's, for Instagram's endpoints and with its kinds beside the common ones."""

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS or self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.endpoint} {self.kind}")
        faults.Fault("oauth/token", "slow", self.times, self.delay, self.size)  # checks the numbers


@dataclass(slots=True)
class Knobs:
    """Lifetimes in seconds, and which of the shapes seen in the wild answers take.

    `lives_on`: whether a refreshed token works until its own end; nobody documents it.
    `unsupported`: metrics that a media type refuses, such as ("IMAGE", "shares"); `refusing`, `stumbling`: such as
    (media id, "shares"), which that medium alone refuses, or always answers with an internal error.
    """

    code: int = HOUR
    short: int = HOUR
    long: int = 5_180_000
    youngest: int = DAY
    exchange_shape: str = "data"
    me_shape: str = "flat"
    numeric_ids: bool = False
    fragment: bool = True
    lives_on: bool = True
    app_calls: int = 200_000
    account_calls: int = 100_000
    unsupported: set[tuple[str, str]] = field(default_factory=set)
    refusing: set[tuple[str, str]] = field(default_factory=set)
    stumbling: set[tuple[str, str]] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class World:
    apps: Mapping[str, App]
    ledger: instagram_state.Ledger
    clock: clock.Clock
    knobs: Knobs
    faults: faults.Faults
    meter: instagram_usage.Meter
    outbox: instagram_outbox.Outbox


WORLD = web.AppKey("INSTAGRAM", World)

# Their names outside this family of modules, where TikTok has an App, a Fault and a WORLD as well.
INSTAGRAM = WORLD
InstagramApp = App
InstagramFault = Fault
