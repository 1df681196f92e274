"""YouTube's words and ours: its parts, fields and error reasons as tables, its answers as our records.

Nothing here does input or output. The rows are those of Google's reference of 2026.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib import parse
from zoneinfo import ZoneInfo

import isodate

from services.platforms import base, client, values

Reader: TypeAlias = Callable[[Any], Any]

SITE = "https://www.youtube.com"
PACIFIC = ZoneInfo("America/Los_Angeles")

TITLE_LIMIT = 150
DURATION_LIMIT = 64
PAGE_TOKEN_LIMIT = 1024
SHORT_SECONDS, SHORT_SECONDS_BEFORE = 180, 60
SHORTS_GREW = datetime(2024, 10, 15, tzinfo=UTC)
"""Since then a Short may last three minutes; one published before, a minute."""

CHANNEL_PARTS = "snippet,statistics,contentDetails"
ITEM_PARTS = "snippet,contentDetails,status"
VIDEO_PARTS = "snippet,statistics,contentDetails,status,liveStreamingDetails,player"
PLAYER_HEIGHT = "720"  # asked for so that `player` tells the picture's shape

# Best first; none of them is promised. fhd, qhd and uhd are larger than a cover needs to be.
COVERS = ("maxres", "standard", "high", "medium", "default")


def number(value: Any) -> int | None:
    """A counter: YouTube sends uint64 as text, so that JavaScript does not round it."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    return values.count(value)


def moment(value: Any) -> datetime | None:
    """An RFC 3339 time, with or without a fraction of a second, in UTC."""
    try:
        told = datetime.fromisoformat(value)
        return told.astimezone(UTC) if told.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def seconds(value: Any) -> int | None:
    """An ISO 8601 duration. None for P0D too: what is live, still to come or being processed has no length yet."""
    if not isinstance(value, str) or len(value) > DURATION_LIMIT:
        return None
    try:
        told = isodate.parse_duration(value)
    except (ValueError, ArithmeticError):
        return None
    whole = int(told.total_seconds()) if isinstance(told, timedelta) else 0
    return values.count(whole) or None


def midnight(now: datetime) -> datetime:
    """When the day's quota is filled up again: the next midnight in California."""
    day = now.astimezone(PACIFIC).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)


def inside(entry: Any, *path: str) -> Any:
    """What stands at the path, None where it leads nowhere."""
    for name in path:
        entry = entry.get(name) if isinstance(entry, dict) else None
    return entry


def cover(thumbnails: Any) -> str | None:
    """The address of the best thumbnail that is there."""
    found = (values.url(inside(thumbnails, size, "url")) for size in COVERS)
    return next((url for url in found if url), None)


# Where it stands -> (Profile's field, reader). A counter that is missing stays None: it is not 0.
PROFILE: Mapping[tuple[str, ...], tuple[str, Reader]] = {
    ("id",): ("external_id", values.text),
    ("snippet", "title"): ("display_name", values.text),
    ("snippet", "description"): ("bio", values.text),
    ("snippet", "thumbnails"): ("avatar_url", cover),
    ("statistics", "subscriberCount"): ("followers", number),
    ("statistics", "viewCount"): ("views", number),
    ("statistics", "videoCount"): ("video_count", number),
}

VIDEO: Mapping[tuple[str, ...], tuple[str, Reader]] = {
    ("id",): ("external_id", values.text),
    ("snippet", "publishedAt"): ("published_at", moment),
    ("snippet", "title"): ("title", lambda told: values.text(told, TITLE_LIMIT)),
    ("snippet", "description"): ("description", values.text),
    ("snippet", "thumbnails"): ("cover_url", cover),
    ("statistics", "viewCount"): ("views", number),
    ("statistics", "likeCount"): ("likes", number),
    ("statistics", "commentCount"): ("comments", number),
    ("contentDetails", "duration"): ("duration", seconds),
}

# The token endpoint and revocation. Only invalid_grant is the grant's own death: what is wrong with our app
# is wrong for every creator at once and must not make them all reconnect.
TOKEN_ERRORS: Mapping[str, type[base.Failure]] = {
    "invalid_grant": base.ReconnectRequired,
    "invalid_client": base.Misconfigured,
    "unauthorized_client": base.Misconfigured,
    "invalid_request": base.ProviderBug,
    "invalid_scope": base.ProviderBug,
    "redirect_uri_mismatch": base.Misconfigured,
    "unsupported_grant_type": base.ProviderBug,
    "rate_limit_exceeded": base.RateLimited,
    "internal_failure": base.Transient,
    "server_error": base.Transient,
    "temporarily_unavailable": base.Transient,
}

# The day's units are spent: nothing but the next midnight helps.
SPENT = frozenset({"quotaExceeded", "dailyLimitExceeded"})

# A limit of one creator's: the app may go on.
OF_THE_CREATOR = frozenset({"userRateLimitExceeded"})

REASONS: Mapping[str, type[base.Failure]] = {
    **dict.fromkeys(SPENT, base.RateLimited),
    **dict.fromkeys(("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"), base.RateLimited),
    **dict.fromkeys(("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), base.ScopeMissing),
    **dict.fromkeys(("authError", "ACCESS_TOKEN_EXPIRED"), base.AuthExpired),
    **dict.fromkeys(
        ("accessNotConfigured", "SERVICE_DISABLED", "keyInvalid", "API_KEY_INVALID"), base.Misconfigured
    ),
    **dict.fromkeys(
        (
            "forbidden",
            "youtubeSignupRequired",
            "accountDelegationForbidden",
            "authenticatedUserAccountClosed",
            "authenticatedUserAccountSuspended",
        ),
        base.NoAccount,
    ),
    **dict.fromkeys(("backendError", "internalError"), base.Transient),
}

# For reasons nobody documented, and answers without one.
STATUSES: Mapping[int, type[base.Failure]] = {
    HTTPStatus.UNAUTHORIZED: base.AuthExpired,
    HTTPStatus.REQUEST_TIMEOUT: base.Transient,
    HTTPStatus.TOO_MANY_REQUESTS: base.RateLimited,
}


def token_verdict(answer: client.Answer) -> tuple[str, str] | None:
    """(error, description) of the token endpoint's flat shape; None when all is well."""
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    body = answer.body if isinstance(answer.body, dict) else {}
    word = values.code(body.get("error")) or f"http_{answer.status}"
    return word, values.message(body.get("error_description"))


def verdict(answer: client.Answer) -> tuple[str, str] | None:
    """(reason, message) of a resource's refusal; None when all is well.

    A refusal names reasons in two places, the newer one (`details`) more exactly; that the day's units are
    spent goes before everything else that is said.
    """
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    error = error if isinstance(error, dict) else {}
    told = [reason for key in ("details", "errors") for reason in _reasons(error.get(key))]
    known = [reason for reason in told if reason in REASONS]
    spent = [reason for reason in told if reason in SPENT]
    reason = next(iter(spent or known or told), f"http_{answer.status}")
    return reason, values.message(error.get("message"))


def _reasons(entries: Any) -> list[str]:
    entries = entries if isinstance(entries, list) else []
    found = [values.code(entry.get("reason")) for entry in entries if isinstance(entry, dict)]
    return [reason for reason in found if reason]


def as_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise base.ProviderBug("bad_shape", f"{what} is not an object.")
    return value


def items(body: Any, what: str) -> list[Any]:
    """`items` of a collection; an empty one may leave them out."""
    told = as_object(body, what).get("items")
    if told is None:
        return []
    if not isinstance(told, list):
        raise base.ProviderBug("bad_shape", f"{what}'s items are not a list.")
    return told


def tokens_of(body: Mapping[str, Any], start: datetime, old: base.Tokens | None) -> base.Tokens:
    """The token answer. A refresh brings no refresh token: the old one lives on."""
    access = values.token(body.get("access_token"))
    if access is None:
        raise base.ProviderBug("no_access_token", "The token answer has no usable access token.")
    refresh = values.token(body.get("refresh_token"))
    refresh_end = values.end(start, body.get("refresh_token_expires_in"))
    if old is not None and refresh is None:
        refresh, refresh_end = old.refresh_token, refresh_end or old.refresh_expires_at
    return base.Tokens(
        access_token=access,
        refresh_token=refresh,
        expires_at=values.end(start, body.get("expires_in")),
        refresh_expires_at=refresh_end,
        scopes=_scopes(body.get("scope"), old),
        external_id=old.external_id if old else None,
    )


def _scopes(granted: Any, old: base.Tokens | None) -> tuple[str, ...]:
    """What was granted, which may be less than was asked; separated by spaces."""
    scopes = tuple(dict.fromkeys((values.text(granted) or "").split()))
    if scopes:
        return scopes
    if old is None:
        raise base.ProviderBug("no_scope", "The token answer does not say what was granted.")
    return old.scopes


def channel(body: Any, known: str | None) -> dict[str, Any]:
    """The one channel behind a token. Raises NoAccount where the Google account has none."""
    told = items(body, "channels")
    if not told:
        raise base.NoAccount("no_channel", "The Google account has no YouTube channel.")
    found = as_object(told[0], "the channel")
    channel_id = values.text(found.get("id"))
    if channel_id is None:
        raise base.ProviderBug("no_channel_id", "The channel names no id.")
    if known is not None and channel_id != known:
        raise base.ProviderBug("channel_changed", "The channel is another creator's.")
    return found


def profile(found: Mapping[str, Any]) -> base.Profile:
    """The creator. Who hides the subscriber count has none, whatever number stands beside it."""
    told = {ours: read(inside(found, *path)) for path, (ours, read) in PROFILE.items()}
    if inside(found, "statistics", "hiddenSubscriberCount") is True:
        told["followers"] = None
    handle = (values.text(inside(found, "snippet", "customUrl")) or "").removeprefix("@")
    told["username"] = handle or told["display_name"] or told["external_id"]
    told["profile_url"] = f"{SITE}/channel/{parse.quote(told['external_id'], safe='')}"
    return base.Profile(**told)


def listing(body: Any) -> dict[str, Any]:
    """What a page of an uploads list says, as plain JSON data: `ids`, how many are `unreadable`, the `next` token."""
    ids, unreadable = listed(items(body, "playlistItems"))
    return {"ids": ids, "unreadable": unreadable, "next": body.get("nextPageToken")}


def listed(entries: Sequence[Any]) -> tuple[dict[str, Any], int]:
    """The page's video ids, in order, with when they were published; and how many entries are unreadable.

    Private videos are left out: a creator's own token sees them, we do not.
    """
    found: dict[str, Any] = {}
    unreadable = 0
    for entry in entries:
        details = inside(entry, "contentDetails", "videoId") or inside(
            entry, "snippet", "resourceId", "videoId"
        )
        video_id = values.text(details)
        if is_private(entry):
            continue
        if video_id is None or "," in video_id:
            unreadable += 1
            continue
        found[video_id] = inside(entry, "contentDetails", "videoPublishedAt")
    return found, unreadable


def is_private(entry: Any) -> bool:
    return bool(inside(entry, "status", "privacyStatus") == "private")


def video(entry: Any, published: Any) -> base.VideoRecord | None:
    """One video; None when it lacks what a video cannot be without: an id and a time."""
    told = {ours: read(inside(entry, *path)) for path, (ours, read) in VIDEO.items()}
    told["published_at"] = told["published_at"] or moment(published)
    if told["external_id"] is None or told["published_at"] is None:
        return None
    kind = kind_of(entry, told["duration"], told["published_at"])
    place = "shorts/" if kind == "SHORT" else "watch?v="
    return base.VideoRecord(
        kind=kind, url=f"{SITE}/{place}{parse.quote(told['external_id'], safe='')}", **told
    )


def kind_of(entry: Any, duration: int | None, published_at: datetime) -> str:
    """LIVE: what is, was or will be broadcast; YouTube's data does not tell a premiere from it.

    SHORT: what has a Short's thumbnail, or is as short as a Short was when it came out and not wider than
    high. No field says so; this is YouTube's own rule. Where neither can be told, it is a VIDEO.
    """
    live = inside(entry, "snippet", "liveBroadcastContent") in {"live", "upcoming", "completed"}
    if live or isinstance(inside(entry, "liveStreamingDetails"), dict):
        return "LIVE"
    if inside(entry, "snippet", "thumbnails", "shortsAspectRatio"):
        return "SHORT"
    longest = SHORT_SECONDS if published_at >= SHORTS_GREW else SHORT_SECONDS_BEFORE
    width, height = (number(inside(entry, "player", name)) for name in ("embedWidth", "embedHeight"))
    upright = bool(width and height and height >= width)
    return "SHORT" if upright and duration is not None and duration <= longest else "VIDEO"
