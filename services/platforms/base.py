"""What every platform connector promises, and the records that pass through it.

One connector a platform; none knows of the database, of GraphQL or of another platform. A connector
is made for one world (live or test): the same code, other hosts and credentials.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from services.platforms import values

MENDED_AFTER = timedelta(hours=1)
"""How long after a call that our app may not make the next one is tried."""


@dataclass(frozen=True)
class App:
    """Our registration at a platform, and the platform's hosts (no trailing slash)."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_url: str
    api_url: str
    token_url: str = ""  # where a platform exchanges codes at a host of its own


@dataclass(frozen=True)
class Authorization:
    """A consent about to be asked for: where to send the browser, and what to keep until it is back."""

    url: str
    code_verifier: str | None


@dataclass(frozen=True)
class Tokens:
    """What a platform handed out. Secrets: never logged, stored only encrypted.

    `external_id` is the platform's stable key of the creator where the token answer tells it.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime | None
    refresh_expires_at: datetime | None
    scopes: tuple[str, ...]
    external_id: str | None
    app_scoped_id: str | None = None  # the id a platform's callbacks use, where it is not external_id
    issued_at: datetime | None = None  # of a token that refreshes itself, but not before a certain age


@dataclass(frozen=True)
class Profile:
    """A creator as the platform tells it; None where it does not tell.

    `scopes`: what is granted still, where the platform told that it is less than the tokens say.
    """

    external_id: str
    username: str
    display_name: str | None = None
    bio: str | None = None
    avatar_url: str | None = None
    profile_url: str | None = None
    verified: bool | None = None
    followers: int | None = None
    following: int | None = None
    likes: int | None = None
    views: int | None = None
    video_count: int | None = None
    app_scoped_id: str | None = None
    account_type: str | None = None  # BUSINESS or CREATOR, where a platform tells them apart
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class VideoRecord:
    """A video as the platform tells it; counters None where it does not tell. duration in seconds.

    `partial`: some counters could not be read this time, so None says nothing against what is stored.
    """

    external_id: str
    kind: str  # the schema's VideoKind
    published_at: datetime
    title: str | None = None
    description: str | None = None
    url: str | None = None
    cover_url: str | None = None
    media_url: str | None = None
    views: int | None = None
    likes: int | None = None
    comments: int | None = None
    shares: int | None = None
    duration: int | None = None
    partial: bool = False


@dataclass(frozen=True)
class Page:
    """One page of videos, newest first. `cursor` is plain JSON data, None when there is no next page.

    `skipped` counts entries that could not be read: a walk that skipped any has not seen every video,
    so it may not mark the missing ones as gone. `slow_down`: the platform is near its limit; the next
    page should not be asked for before. `withheld` counts videos of which the platform does not give some counter,
    though it gives the others': to ask again helps nobody.
    """

    videos: tuple[VideoRecord, ...]
    cursor: Mapping[str, Any] | None
    skipped: int = 0
    slow_down: datetime | None = None
    withheld: int = 0


class Failure(Exception):
    """A platform call went wrong. `code` is the platform's own; `log_id` is for its support.

    `retry_at`: when the platform lets us come back; None: it did not say.
    """

    def __init__(
        self, code: str, message: str, *, retry_at: datetime | None = None, log_id: str | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.retry_at, self.log_id = code, message, retry_at, log_id


class AuthExpired(Failure):
    """The access token is refused: refresh once, then ReconnectRequired."""


class ReconnectRequired(Failure):
    """Definitive: the grant is dead. Only this may lead to NEEDS_REAUTH."""


class ScopeMissing(Failure):
    """The creator did not grant what the call needs; refreshing does not help."""


class RateLimited(Failure):
    """Too many calls: come back at `retry_at`."""


class BudgetSpent(RateLimited):
    """Our own meter kept the call from being sent: the platform was not asked, and nothing went wrong."""


class Misconfigured(RateLimited):
    """Our own app is set up wrongly there (its secret, what it may call): only the operator can mend it.

    The same for every creator, so it touches nobody's grant, and what waits for it waits long.
    """

    def __init__(
        self, code: str, message: str, *, retry_at: datetime | None = None, log_id: str | None = None
    ) -> None:
        again = retry_at or datetime.now(UTC) + MENDED_AFTER
        super().__init__(code, message, retry_at=again, log_id=log_id)


class Transient(Failure):
    """The platform is away or stumbled: try again, at `retry_at` where it says so."""


class ProviderBug(Failure):
    """The platform answered what its documentation excludes, or our request was wrong: no retry helps."""


class NoAccount(Failure):
    """The person has nothing to read there: no channel, no account of the needed kind, a closed one."""


class Denied(Failure):
    """The person said no on the consent page."""


def singly(query: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A query string's pairs, each key once: a repeated one lets two readers believe different values."""
    told: dict[str, str] = {}
    for key, value in query:
        if key in told:
            raise ProviderBug("duplicate_parameter", "A parameter came twice.")
        told[key] = value
    return told


# What a browser may bring back; anything else is a mistake of ours, or somebody's invention.
CALLBACK_ERRORS: Mapping[str, type[Failure]] = {
    "access_denied": Denied,
    "server_error": Transient,
    "temporarily_unavailable": Transient,
}
CODE_LIMIT = 2048


def code_of(query: Iterable[tuple[str, str]], tail: str = "") -> str:
    """The code that a callback brought, without the platform's `tail`. Raises Denied, Transient, ProviderBug.

    Nothing else in it counts, the scopes neither: the token answer is the truth.
    """
    told = singly(query)
    if "error" in told:
        word = values.code(told["error"].removesuffix(tail)) or "unrecognized"
        raise CALLBACK_ERRORS.get(word, ProviderBug)(word, values.message(told.get("error_description")))
    code = told.get("code", "").removesuffix(tail)
    if not 0 < len(code) <= CODE_LIMIT:
        raise ProviderBug("no_code", "The callback brought no usable code.")
    return code


class Connector(Protocol):
    """One platform in one world."""

    @property
    def platform(self) -> str:
        """The schema's word for it, such as TIKTOK."""
        ...

    @property
    def scopes(self) -> tuple[str, ...]:
        """What `begin` asks the creator for."""
        ...

    @property
    def refresh_before(self) -> timedelta | None:
        """How long before its end a token is refreshed that has no refresh token; None where all have one."""
        ...

    @property
    def rotates(self) -> bool:
        """Whether a refresh token works once: whoever does not hear the answer has lost the grant."""
        ...

    @property
    def shows_newest(self) -> int | None:
        """How many videos are shown at most, the newest; None: all of them."""
        ...

    @property
    def most_ids(self) -> int:
        """How many ids `still_there` takes."""
        ...

    def begin(self, state: str, redirect_uri: str) -> Authorization: ...

    def parse_callback(self, query: Iterable[tuple[str, str]]) -> str:
        """The code the browser brought back. Raises Denied when the person said no, else a Failure.

        The caller has matched `state` before (`singly(query).get("state")`): only then is this believed.
        """
        ...

    async def complete(self, code: str, redirect_uri: str, code_verifier: str | None) -> Tokens:
        """Exchange a code. Raises ReconnectRequired when the code is spent or wrong."""
        ...

    async def refresh(self, tokens: Tokens) -> Tokens:
        """New tokens from the refresh token. Raises ReconnectRequired only on a definitive refusal."""
        ...

    async def revoke(self, tokens: Tokens) -> bool:
        """End the grant at the platform. True: revoked now; False: it was already dead.

        Raises AuthExpired when only the access token is known to be dead and the grant may live on:
        refresh, then revoke with what came back.
        """
        ...

    async def profile(self, tokens: Tokens) -> Profile: ...

    async def videos(self, tokens: Tokens, cursor: Mapping[str, Any] | None) -> Page: ...

    async def still_there(self, tokens: Tokens, ids: Sequence[str]) -> Page:
        """Of videos that `videos` did not show, those that are there nevertheless; without a next page.

        Lists move under who walks them. An id that comes back neither as a video nor as `skipped` is gone.
        """
        ...
