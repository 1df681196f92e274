"""Instagram's words and ours: its fields, metrics and error codes as tables, its answers as our records.

Nothing here does input or output. The rows are those of Meta's reference of 2026, and what its production
answers look like where the two differ: both shapes are read.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib import parse

from services.platforms import base, client, values

Reader: TypeAlias = Callable[[Any], Any]

BASIC = "instagram_business_basic"
INSIGHTS = "instagram_business_manage_insights"
SITE = "https://www.instagram.com"
TITLE_LIMIT = 150

STOP_AT, SLOW_AT = 100, 80  # percent of a limit
SLOW_WAIT = timedelta(minutes=1)
STOP_WAIT = timedelta(minutes=15)  # where Meta does not say; the app's hour is a rolling one
BLOCKED_WAIT = timedelta(hours=24)
LONGEST_WAIT = timedelta(hours=24)
BLOCKED = 368


def identifier(value: Any) -> str | None:
    """An id, which arrives as a string or as a number."""
    return str(value) if type(value) is int and value > 0 else values.text(value)


def moment(value: Any) -> datetime | None:
    """An ISO time, whose offset Instagram writes without a colon; without any offset it is no moment."""
    try:
        told = datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None
        return told if told is not None and datetime.fromisoformat(value).tzinfo else None
    except (ValueError, OverflowError):
        return None


def account_type(value: Any) -> str | None:
    """The documents say Business and Media_Creator, production shouts."""
    told = values.text(value)
    return ACCOUNT_TYPES.get(told.casefold()) if told else None


ACCOUNT_TYPES: Mapping[str, str] = {
    "business": "BUSINESS", "media_creator": "CREATOR", "creator": "CREATOR", "personal": "PERSONAL",
}  # fmt: skip

# Instagram's field -> (Profile's field, reader). user_id is the account; id is our app's own name for it.
PROFILE: Mapping[str, tuple[str, Reader]] = {
    "user_id": ("external_id", identifier),
    "id": ("app_scoped_id", identifier),
    "username": ("username", values.text),
    "name": ("display_name", values.text),
    "biography": ("bio", values.text),
    "account_type": ("account_type", account_type),
    "profile_picture_url": ("avatar_url", values.url),
    "followers_count": ("followers", values.count),
    "follows_count": ("following", values.count),
    "media_count": ("video_count", values.count),
}

# Instagram's field -> (VideoRecord's field, reader). Any may be missing: like_count is when it is hidden.
MEDIA: Mapping[str, tuple[str, Reader]] = {
    "id": ("external_id", identifier),
    "timestamp": ("published_at", moment),
    "caption": ("description", values.text),
    "permalink": ("url", values.url),
    "media_url": ("media_url", values.url),
    "thumbnail_url": ("cover_url", values.url),  # of videos only
    "like_count": ("likes", values.count),
    "comments_count": ("comments", values.count),
}
MEDIA_FIELDS = (*MEDIA, "media_type", "media_product_type")

KINDS: Mapping[str, str] = {"IMAGE": "IMAGE", "VIDEO": "VIDEO", "CAROUSEL_ALBUM": "CAROUSEL"}
REELS = "REELS"
PICTURES = frozenset({"IMAGE", "CAROUSEL"})

# Instagram's metric -> VideoRecord's field. Under Instagram Login these are no fields of a medium.
METRICS: Mapping[str, str] = {"views": "views", "shares": "shares"}

# Graph error codes. Only 102 and 190 are the grant's own death.
ERRORS: Mapping[int, type[base.Failure]] = {
    1: base.Transient,
    2: base.Transient,
    3: base.ScopeMissing,
    4: base.RateLimited,
    10: base.ScopeMissing,
    17: base.RateLimited,
    32: base.RateLimited,
    100: base.ProviderBug,
    102: base.ReconnectRequired,
    190: base.ReconnectRequired,
    341: base.RateLimited,
    BLOCKED: base.RateLimited,
    613: base.RateLimited,
    **dict.fromkeys(range(200, 300), base.ScopeMissing),
    **dict.fromkeys(range(80_000, 80_015), base.RateLimited),  # business use cases; 80002 is Instagram's
}

OF_THE_APP = frozenset({"4", f"http_{HTTPStatus.TOO_MANY_REQUESTS.value}"})
"""Limits that all creators' calls count against; the others are an account's own."""

# The code exchange has an error shape of its own, and one word for a spent code and for a wrong app.
FLAT_ERRORS: Mapping[str, type[base.Failure]] = {
    "OAuthException": base.ReconnectRequired,
    "OAuthAccessTokenException": base.ReconnectRequired,
    "OAuthForbiddenException": base.ProviderBug,
    "OAuthRateLimitException": base.RateLimited,
}
OUR_FAULT = re.compile(r"platform app|client|redirect_uri|grant.type|secret", re.IGNORECASE)

STATUSES: Mapping[int, type[base.Failure]] = {
    HTTPStatus.REQUEST_TIMEOUT: base.Transient,
    HTTPStatus.TOO_MANY_REQUESTS: base.RateLimited,
}


@dataclass(frozen=True)
class Refusal:
    """What an error answer says. `word` is its code as we tell it, such as 190/463."""

    kind: type[base.Failure]
    word: str
    message: str
    trace: str | None = None
    blocked: bool = False


def refusal(answer: client.Answer, *, exchange: bool = False) -> Refusal | None:
    """What went wrong by the answer's code, whatever its status; by status where it has none; None if nothing.

    The flat shape is the code exchange's: anywhere else it says nothing definitive about a grant.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    if isinstance(error, dict):
        return _graph(error, answer.status)
    if "error_type" in body or "error_message" in body:
        return _flat(body, answer.status, FLAT_ERRORS if exchange else {})
    if error is None and answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    return Refusal(_by_status(answer.status), values.code(error) or f"http_{answer.status}", "")


def _graph(error: Mapping[str, Any], status: int) -> Refusal:
    code, subcode = values.count(error.get("code")), values.count(error.get("error_subcode"))
    word = "unrecognized" if code is None else str(code)
    kind = _by_status(status) if code is None else ERRORS.get(code, _by_status(status))
    if error.get("is_transient") is True and kind is not base.RateLimited:
        kind = base.Transient
    return Refusal(
        kind,
        f"{word}/{subcode}" if subcode else word,
        values.message(error.get("message")),
        values.code(error.get("fbtrace_id")),
        blocked=code == BLOCKED,
    )


def _flat(body: Mapping[str, Any], status: int, table: Mapping[str, type[base.Failure]]) -> Refusal:
    word = values.code(body.get("error_type")) or "unrecognized"
    text = values.message(body.get("error_message"))
    kind = table.get(word, _by_status(status))
    if kind is base.ReconnectRequired and OUR_FAULT.search(text):
        kind = base.Misconfigured
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = base.Transient
    return Refusal(kind, word, text)


def _by_status(status: int) -> type[base.Failure]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return base.Transient
    return STATUSES.get(status, base.ProviderBug)


@dataclass(frozen=True)
class Usage:
    """How near a limit the platform says we are: the highest percentage, and the longest wait it names."""

    percent: int = 0
    wait: timedelta | None = None

    def retry_at(self, now: datetime) -> datetime:
        return now + min(self.wait or STOP_WAIT, LONGEST_WAIT)

    def slow_down(self, now: datetime) -> datetime | None:
        if self.percent >= STOP_AT:
            return self.retry_at(now)
        return now + SLOW_WAIT if self.percent >= SLOW_AT else None


def usage(headers: Mapping[str, str]) -> Usage:
    """Both usage headers together. They hold JSON, and come only once enough calls were made."""
    percent = minutes = 0
    for row in _rows(headers):
        shares = (row.get(name) for name in ("call_count", "total_time", "total_cputime"))
        percent = max(percent, *map(_whole, shares))
        minutes = max(minutes, _whole(row.get("estimated_time_to_regain_access")))
    longest = int(LONGEST_WAIT.total_seconds()) // 60
    return Usage(percent, timedelta(minutes=min(minutes, longest)) if minutes else None)


def app_usage(headers: Mapping[str, str]) -> Usage:
    """What all creators' calls have used up together."""
    name = "X-App-Usage"
    return usage({name: headers[name]} if name in headers else {})


def _rows(headers: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    app = _json(headers.get("X-App-Usage"))
    if isinstance(app, dict):
        yield app
    business = _json(headers.get("X-Business-Use-Case-Usage"))
    for rows in business.values() if isinstance(business, dict) else ():
        yield from (row for row in (rows if isinstance(rows, list) else ()) if isinstance(row, dict))


def _json(header: str | None) -> Any:
    try:
        return json.loads(header) if header else None
    except (ValueError, RecursionError):
        return None


def _whole(value: Any) -> int:
    """A number of a header, whole; 0 where it is none."""
    number = type(value) is int or (type(value) is float and abs(value) < values.INT8_MAX)
    return int(value) if number else 0


def only(body: Any, what: str) -> dict[str, Any]:
    """The object of an answer that comes bare or wrapped as `{"data": [object]}`."""
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        body = body["data"][0] if body["data"] else None
    if not isinstance(body, dict):
        raise base.ProviderBug("bad_shape", f"{what} is not an object.")
    return body


def access_token(body: Mapping[str, Any]) -> str:
    token = values.token(body.get("access_token"))
    if token is None:
        raise base.ProviderBug("no_access_token", "The token answer has no usable access token.")
    return token


def permissions(told: Any) -> tuple[str, ...]:
    """What was granted: a comma list, or a JSON list. Where nothing is told: the one no login is without."""
    text = ",".join(filter(None, map(values.text, told))) if isinstance(told, list) else values.text(told)
    return tuple(dict.fromkeys(re.findall(r"[^,\s]+", text or ""))) or (BASIC,)


def profile(body: Any, known: str | None) -> base.Profile:
    """The creator. Another creator's data behind this one's token must not be stored."""
    user = only(body, "the profile")
    told = {ours: read(user.get(name)) for name, (ours, read) in PROFILE.items()}
    if told["external_id"] is None:
        raise base.ProviderBug("no_user_id", "The profile names no user_id.")
    if known is not None and told["external_id"] != known:
        raise base.ProviderBug("user_id_changed", "The profile is another creator's.")
    if told["username"]:
        told["profile_url"] = f"{SITE}/{parse.quote(told['username'], safe='')}/"
    told["username"] = told["username"] or told["display_name"] or told["external_id"]
    return base.Profile(**told)


def medium(entry: Any) -> base.VideoRecord | None:
    """One medium; None when it lacks what it cannot be without: an id, a time and a known type."""
    if not isinstance(entry, dict):
        return None
    told = {ours: read(entry.get(name)) for name, (ours, read) in MEDIA.items()}
    kind = KINDS.get(str(entry.get("media_type")))
    if told["external_id"] is None or told["published_at"] is None or kind is None:
        return None
    if kind == "VIDEO" and entry.get("media_product_type") == REELS:
        kind = "REEL"
    if kind in PICTURES:
        told["cover_url"] = told["cover_url"] or told["media_url"]
    lines = (told["description"] or "").strip().splitlines()
    title = lines[0].strip()[:TITLE_LIMIT] if lines else None
    return base.VideoRecord(kind=kind, title=title or None, **told)


def after(body: Mapping[str, Any], api_url: str) -> str | None:
    """The next page's cursor; None where there is no `next`, which alone says so.

    `next` is never followed, for it bears the token; but one that leads elsewhere is no page of Instagram's.
    """
    paging = body.get("paging")
    following = paging.get("next") if isinstance(paging, dict) else None
    if following is None:
        return None
    try:
        there, here = parse.urlsplit(str(following)), parse.urlsplit(api_url)
        same = (there.hostname, there.port) == (here.hostname, here.port)
    except ValueError:
        same = False
    if not same:
        raise base.ProviderBug("foreign_next", "paging.next leads to another host.")
    cursors = paging.get("cursors") if isinstance(paging, dict) else None
    told = values.text(cursors.get("after")) if isinstance(cursors, dict) else None
    told = told or dict(parse.parse_qsl(there.query)).get("after")
    if not told:
        raise base.ProviderBug("no_after", "paging.next names no cursor.")
    return told


def metrics(body: Any) -> dict[str, int | None]:
    """VideoRecord's fields of an insights answer. A metric that is not there is unknown, not 0."""
    rows = body.get("data") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise base.ProviderBug("bad_shape", "The insights are no list.")
    told = {row.get("name"): _value(row) for row in rows if isinstance(row, dict)}
    return {ours: told.get(name) for name, ours in METRICS.items()}


def _value(row: Mapping[str, Any]) -> int | None:
    total, rows = row.get("total_value"), row.get("values")
    told = values.count(total.get("value")) if isinstance(total, dict) else None
    if told is None and isinstance(rows, list) and rows and isinstance(rows[-1], dict):
        told = values.count(rows[-1].get("value"))
    return told
