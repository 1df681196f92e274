"""TikTok's wire format: scopes, fields, errors and envelopes, as developers.tiktok.com gives them."""

import hashlib
import html
import json
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from simulators import people, videos

SITE: Final = "https://www.tiktok-simulator.example"
MEDIA: Final = "https://media.tiktok-simulator.example"
COVER_LIFE: Final = 6 * 3600

SCOPES: Final[Mapping[str, str]] = {
    "user.info.basic": "Access your profile info (avatar, display name)",
    "user.info.profile": "Read your additional profile information (bio, profile link, verification)",
    "user.info.stats": "Read your profile engagement statistics (likes, followers, videos)",
    "video.list": "Read your public videos on TikTok",
}
ALWAYS_GRANTED: Final = "user.info.basic"

USER_SCOPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("open_id", "union_id", "avatar_url", "avatar_url_100", "avatar_large_url", "display_name"),
        "user.info.basic",
    ),
    **dict.fromkeys(("bio_description", "profile_deep_link", "username", "is_verified"), "user.info.profile"),
    **dict.fromkeys(("follower_count", "following_count", "likes_count", "video_count"), "user.info.stats"),
}

_STATUS: Final[Mapping[str, int]] = {
    "ok": 200, "access_token_invalid": 401, "scope_not_authorized": 401, "scope_permission_missed": 400,
    "invalid_params": 400, "rate_limit_exceeded": 429, "internal_error": 500,
}  # fmt: skip

_MESSAGES: Final[Mapping[str, str]] = {
    "access_token_invalid": "The access token is invalid or not found in the request.",
    "scope_not_authorized": "The user did not authorize the scope required for completing this request.",
    "scope_permission_missed": "Some fields need additional scopes that the user did not grant.",
    "rate_limit_exceeded": "The API rate limit was exceeded. Please try again later.",
    "internal_error": "Something went wrong. Please try again later.",
}


class ResourceError(Exception):
    """A resource request is refused, with TikTok's code."""

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = _MESSAGES.get(code, "") if message is None else message


class TokenError(Exception):
    """A token or revoke request is refused, with OAuth's error word."""

    def __init__(self, error: str, description: str, status: int | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


def log_id(now: float) -> str:
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S")
    return stamp + secrets.token_hex(10).upper()


def dump(message: object, status: int = 200) -> web.Response:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return web.Response(body=text.encode(), status=status, content_type="application/json", charset="utf-8")


def answer(data: object, now: float) -> web.Response:
    """A resource's success: it carries an error object too, whose code is ok."""
    return dump({"data": data, "error": {"code": "ok", "message": "", "log_id": log_id(now)}})


def resource_refusal(error: ResourceError, now: float) -> web.Response:
    inner = {"code": error.code, "message": error.message, "log_id": log_id(now)}
    return dump({"data": {}, "error": inner}, _STATUS[error.code])


def token_refusal(error: TokenError, status: int, now: float) -> web.Response:
    flat = {"error": error.error, "error_description": error.description, "log_id": log_id(now)}
    return dump(flat, error.status or status)


def user(creator: people.Creator, client_key: str, fields: tuple[str, ...], now: float) -> dict[str, object]:
    """The asked-for fields of a creator; open_id is the app's own name for them, union_id the developer's."""
    avatar = f"{MEDIA}/avatar/{creator.username}"
    make: dict[str, Callable[[], object]] = {
        "open_id": lambda: people.identity(client_key, creator.username),
        "union_id": lambda: people.identity("union", creator.username),
        "avatar_url": lambda: f"{avatar}/168.jpeg",
        "avatar_url_100": lambda: f"{avatar}/100.jpeg",
        "avatar_large_url": lambda: f"{avatar}/720.jpeg",
        "display_name": lambda: creator.display_name,
        "bio_description": lambda: creator.bio,
        "profile_deep_link": lambda: f"{SITE}/@{creator.username}",
        "username": lambda: creator.username,
        "is_verified": lambda: creator.verified,
        "follower_count": lambda: people.followers(creator, now),
        "following_count": lambda: creator.following,
        "likes_count": lambda: videos.total_likes(creator, now),
        "video_count": lambda: videos.count(creator, now),
    }
    return {name: make[name]() for name in fields}


def cover(video: videos.Video) -> str:
    """A cover's address; it says when it stops working, six hours after it was asked for."""
    expires = video.now + COVER_LIFE
    mark = hashlib.sha256(f"{video.id}.{expires}".encode()).hexdigest()[:24]
    return f"{MEDIA}/cover/{video.id}.jpeg?x-expires={expires}&x-signature={mark}"


def share_url(video: videos.Video) -> str:
    return f"{SITE}/@{video.creator.username}/video/{video.id}"


def _description(video: videos.Video) -> str:
    title = video.title()
    return f"{title} #simulated"[:150] if title else ""


def embed_html(video: videos.Video) -> str:
    name, title = html.escape(video.creator.username), html.escape(video.title())
    return (
        f'<blockquote class="tiktok-embed" cite="{share_url(video)}" data-video-id="{video.id}">'
        f'<section><a target="_blank" title="@{name}" href="{SITE}/@{name}">@{name}</a> <p>{title}</p></section>'
        "</blockquote>"
    )


_VIDEO: Final[Mapping[str, Callable[[videos.Video], object]]] = {
    "id": lambda video: video.id,
    "create_time": lambda video: video.create_time,
    "cover_image_url": cover,
    "share_url": share_url,
    "video_description": _description,
    "duration": lambda video: 8 + video.roll[4] % 172,
    "height": lambda video: 576 if video.roll[5] % 10 == 0 else 1024,
    "width": lambda video: 1024 if video.roll[5] % 10 == 0 else 576,
    "title": lambda video: video.title(),
    "embed_html": embed_html,
    "embed_link": lambda video: f"{SITE}/player/v1/{video.id}",
    "like_count": lambda video: video.likes(),
    "comment_count": lambda video: video.comments(),
    "share_count": lambda video: video.shares(),
    "view_count": lambda video: video.views(),
    "is_aigc": lambda video: video.roll[6] % 32 == 0,
}
VIDEO_FIELDS: Final = frozenset(_VIDEO)
_COUNTERS: Final = {"like_count": 0, "comment_count": 1, "share_count": 2, "view_count": 3}


def video(shown: videos.Video, fields: tuple[str, ...]) -> dict[str, object]:
    """The asked-for fields of a video; sparse videos have counters that are null or not there."""
    wire: dict[str, object] = {}
    for name in fields:
        hole = shown.hole(_COUNTERS[name]) if name in _COUNTERS else ""
        if hole != "missing":
            wire[name] = None if hole else _VIDEO[name](shown)
    return wire
