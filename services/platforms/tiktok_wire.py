"""TikTok's words and ours: its fields, scopes and error codes as tables, its answers as our records.

Nothing here does input or output. The rows are those of TikTok's reference of 2026.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeAlias

from services.platforms import base, client, values

Reader: TypeAlias = Callable[[Any], Any]

TITLE_LIMIT = 150

# scope -> TikTok's field -> (Profile's field, reader). A field without its scope is an error at TikTok.
PROFILE: Mapping[str, Mapping[str, tuple[str, Reader]]] = {
    "user.info.basic": {
        "open_id": ("external_id", values.text),
        "display_name": ("display_name", values.text),
        "avatar_url": ("avatar_url", values.url),
    },
    "user.info.profile": {
        "username": ("username", values.text),
        "bio_description": ("bio", values.text),
        "profile_deep_link": ("profile_url", values.url),
        "is_verified": ("verified", values.flag),
    },
    "user.info.stats": {
        "follower_count": ("followers", values.count),
        "following_count": ("following", values.count),
        "likes_count": ("likes", values.count),
        "video_count": ("video_count", values.count),
    },
}

# A profile cannot be without the first; the others may end one by one, and TikTok does not say which did.
TAKEN_BACK = ((), ("user.info.stats",), ("user.info.profile",), ("user.info.stats", "user.info.profile"))
FEWER_FIELDS = "scope_permission_missed"

# TikTok's field -> (VideoRecord's field, reader). A counter that is missing stays None: it is not 0.
VIDEO: Mapping[str, tuple[str, Reader]] = {
    "id": ("external_id", values.text),
    "create_time": ("published_at", values.moment),  # seconds, where the cursor is milliseconds
    "title": ("title", lambda value: values.text(value, TITLE_LIMIT)),
    "video_description": ("description", values.text),
    "share_url": ("url", values.url),
    "cover_image_url": ("cover_url", values.url),  # dies after 6 hours
    "duration": ("duration", values.count),
    "view_count": ("views", values.count),
    "like_count": ("likes", values.count),
    "comment_count": ("comments", values.count),
    "share_count": ("shares", values.count),
}

# Only invalid_grant is the grant's own death. What is wrong with our app (invalid_client) is wrong for
# every creator at once and must not make them all reconnect.
ERRORS: Mapping[str, type[base.Failure]] = {
    # the token endpoint
    "access_denied": base.Denied,
    "invalid_grant": base.ReconnectRequired,
    "invalid_client": base.Misconfigured,
    "invalid_request": base.ProviderBug,
    "invalid_scope": base.ProviderBug,
    "unauthorized_client": base.Misconfigured,
    "unsupported_grant_type": base.ProviderBug,
    "unsupported_response_type": base.ProviderBug,
    "server_error": base.Transient,
    "temporarily_unavailable": base.Transient,
    # resources
    "access_token_invalid": base.AuthExpired,
    "scope_not_authorized": base.ScopeMissing,
    "scope_permission_missed": base.ScopeMissing,
    "invalid_params": base.ProviderBug,
    "invalid_file_upload": base.ProviderBug,
    "rate_limit_exceeded": base.RateLimited,
    "internal_error": base.Transient,
}


def verdict(answer: client.Answer) -> tuple[str, str, str | None]:
    """(code, message, log id) of both shapes, flat from the token endpoint and nested from resources.

    "ok" only with a status that agrees.
    """
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    flat = {"code": error, "message": body.get("error_description"), "log_id": body.get("log_id")}
    told = error if isinstance(error, dict) else flat
    code = "ok" if error is None else values.code(told.get("code")) or "unrecognized"
    if code == "ok" and answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        code = f"http_{answer.status}"
    return code, values.message(told.get("message")), values.code(told.get("log_id"))


def tokens_of(body: Mapping[str, Any], start: datetime, old: base.Tokens | None) -> base.Tokens:
    """The token answer; what a refresh leaves out stays as it was, above all the refresh token."""
    access = values.token(body.get("access_token"))
    if access is None:
        raise base.ProviderBug("no_access_token", "The token answer has no usable access token.")
    refresh = values.token(body.get("refresh_token"))
    refresh_end = values.end(start, body.get("refresh_expires_in"))
    if old is not None and refresh is None:
        refresh, refresh_end = old.refresh_token, refresh_end or old.refresh_expires_at
    return base.Tokens(
        access_token=access,
        refresh_token=refresh,
        expires_at=values.end(start, body.get("expires_in")),
        refresh_expires_at=refresh_end,
        scopes=_scopes(body.get("scope"), old),
        external_id=values.text(body.get("open_id")) or (old.external_id if old else None),
    )


def _scopes(granted: Any, old: base.Tokens | None) -> tuple[str, ...]:
    """What was granted, which may be less than was asked; comma-separated, spaces tolerated."""
    scopes = tuple(dict.fromkeys(re.findall(r"[^,\s]+", values.text(granted) or "")))
    if scopes:
        return scopes
    if old is None:
        raise base.ProviderBug("no_scope", "The token answer does not say what was granted.")
    return old.scopes


def narrower(scopes: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The scopes as they are, and what may be left of them: each with which a profile can be asked for."""
    left = (tuple(scope for scope in scopes if scope not in gone) for gone in TAKEN_BACK)
    return list(dict.fromkeys(some for some in left if any(scope in PROFILE for scope in some)))


def as_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise base.ProviderBug("bad_shape", f"{what} is not an object.")
    return value


def same_creator(told: str | None, known: str | None) -> str:
    """The creator's open_id. Another creator's data behind this one's token must not be stored."""
    if told is not None and known is not None and told != known:
        raise base.ProviderBug("open_id_changed", "The profile is another creator's.")
    open_id = told or known
    if open_id is None:
        raise base.ProviderBug("no_open_id", "The profile names no open_id.")
    return open_id


def video(entry: Any) -> base.VideoRecord | None:
    """One video; None when it lacks what a video cannot be without: an id and a time."""
    if not isinstance(entry, dict):
        return None
    told = {ours: read(entry.get(name)) for name, (ours, read) in VIDEO.items()}
    if told["external_id"] is None or told["published_at"] is None:
        return None
    return base.VideoRecord(kind="VIDEO", **told)


def videos(data: Mapping[str, Any]) -> tuple[tuple[base.VideoRecord, ...], int]:
    """The videos of an answer, and how many of its entries are unreadable."""
    entries = data.get("videos") or []
    if not isinstance(entries, list):
        raise base.ProviderBug("bad_shape", "data.videos is not a list.")
    records = tuple(record for record in map(video, entries) if record is not None)
    return records, len(entries) - len(records)


def next_cursor(data: Mapping[str, Any], before: int | None) -> dict[str, Any] | None:
    """The next cursor; None only when TikTok says so. One that does not fall would walk in a circle."""
    more = data.get("has_more")
    if more is False:
        return None
    cursor = values.count(data.get("cursor"))
    if more is not True or cursor is None:
        raise base.ProviderBug("bad_shape", "data.has_more or data.cursor is missing.")
    if before is not None and cursor >= before:
        raise base.ProviderBug("cursor_not_falling", "data.cursor did not fall.")
    return {"before": cursor}
