"""Instagram's wire format: scopes, fields, metrics and both error shapes (Meta's Instagram Platform reference)."""

import html
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web

from simulators import instagram_media, people

SITE: Final = "https://www.instagram-simulator.example"
MEDIA: Final = "https://media.instagram-simulator.example"

BASIC: Final = "instagram_business_basic"
INSIGHTS: Final = "instagram_business_manage_insights"
SCOPES: Final[Mapping[str, str]] = {
    BASIC: "Read your profile and your media",
    INSIGHTS: "Read the insights of your account and your media",
}

_TEXTS: Final[Mapping[tuple[int, int], str]] = {
    (1, 0): "An unknown error occurred",
    (2, 0): "An unexpected error has occurred. Please retry your request later.",
    (4, 0): "Application request limit reached",
    (10, 0): "(#10) Application does not have permission for this action",
    (80002, 0): "There have been too many calls to this Instagram account. Wait a bit and try again.",
    (
        100,
        33,
    ): "Unsupported get request. Object does not exist or cannot be loaded due to missing permissions",
    (100, 2108006): "Media posted before business account conversion",
    (190, 0): "Invalid OAuth access token - Cannot parse access token",
    (190, 458): "Error validating access token: The user has not authorized application",
    (190, 463): "Error validating access token: Session has expired",
}
_STATUS: Final[Mapping[int, int]] = {2: 500, 4: 403}


class GraphError(Exception):
    """A Graph request is refused, with Meta's code."""

    def __init__(
        self,
        code: int,
        subcode: int = 0,
        message: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code, subcode)
        self.code, self.subcode = code, subcode
        self.message = _TEXTS.get((code, subcode), "") if message is None else message
        self.headers = headers or {}


class ExchangeError(Exception):
    """The code exchange is refused, in its own flat shape."""

    def __init__(self, message: str, kind: str = "OAuthException", code: int = 400) -> None:
        super().__init__(message)
        self.message, self.kind, self.code = message, kind, code


def dump(message: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return web.Response(
        body=text.encode(), status=status, content_type="application/json", charset="utf-8", headers=headers
    )


def graph_refusal(error: GraphError) -> web.Response:
    """Mostly 400, whatever it is about; optional parts only where they say something."""
    told: dict[str, object] = {"message": error.message, "type": "OAuthException", "code": error.code}
    if error.subcode:
        told["error_subcode"] = error.subcode
    if error.code in {1, 2}:
        told["is_transient"] = True
    told["fbtrace_id"] = "A" + secrets.token_urlsafe(16)
    return dump({"error": told}, _STATUS.get(error.code, 400), error.headers)


def exchange_refusal(error: ExchangeError) -> web.Response:
    told = {"error_type": error.kind, "code": error.code, "error_message": error.message}
    return dump(told, error.code)


def user(creator: people.Creator, client_id: str, fields: tuple[str, ...], now: float) -> dict[str, object]:
    """The asked-for fields; `id` always comes. Empty ones are left out."""
    make: dict[str, Callable[[], object]] = {
        "id": lambda: instagram_media.app_scoped_id(client_id, creator),
        "user_id": lambda: instagram_media.account_id(creator),
        "username": lambda: creator.username,
        "name": lambda: creator.display_name,
        "account_type": lambda: instagram_media.account_type(creator),
        "profile_picture_url": lambda: f"{MEDIA}/avatar/{creator.username}.jpg",
        "followers_count": lambda: instagram_media.followers(creator, now),
        "follows_count": lambda: instagram_media.following(creator),
        "media_count": lambda: instagram_media.count(creator, now),
        "biography": lambda: creator.bio,
        "website": lambda: "",
    }
    unknown = [name for name in fields if name not in make]
    if unknown:
        raise GraphError(100, message=f"(#100) Tried accessing nonexisting field ({unknown[0][:40]})")
    told = {name: make[name]() for name in ("id", *fields)}
    return {name: value for name, value in told.items() if value != ""}


def permalink(media: instagram_media.Media) -> str:
    word = "reel" if media.kind == "REEL" else "p"
    return f"{SITE}/{word}/{instagram_media.shortcode(media.id)}/"


_FIELDS: Final[Mapping[str, Callable[[instagram_media.Media], object]]] = {
    "id": lambda media: media.id,
    "ig_id": lambda media: media.id,
    "caption": lambda media: media.caption() or None,
    "comments_count": lambda media: media.comments(),
    "like_count": lambda media: None if media.hides_likes() else media.likes(),
    "is_comment_enabled": lambda _media: True,
    "media_type": lambda media: instagram_media.TYPES[media.kind][0],
    "media_product_type": lambda media: instagram_media.TYPES[media.kind][1],
    "media_url": lambda media: None if media.has_no_address() else f"{MEDIA}/{media.id}.{_ending(media)}",
    "thumbnail_url": lambda media: f"{MEDIA}/{media.id}.thumb.jpg" if _ending(media) == "mp4" else None,
    "permalink": permalink,
    "shortcode": lambda media: instagram_media.shortcode(media.id),
    "timestamp": lambda media: media.timestamp(),
    "username": lambda media: media.creator.username,
}


def _ending(media: instagram_media.Media) -> str:
    return "mp4" if media.kind in {"REEL", "VIDEO"} else "jpg"


def check_media_fields(fields: tuple[str, ...]) -> None:
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise GraphError(100, message=f"(#100) Tried accessing nonexisting field ({unknown[0][:40]})")


def media(shown: instagram_media.Media, fields: tuple[str, ...]) -> dict[str, object]:
    """The asked-for fields; what there is not is not there, not null."""
    told = {name: _FIELDS[name](shown) for name in ("id", *fields)}
    return {name: value for name, value in told.items() if value is not None}


_METRICS: Final[Mapping[str, Callable[[instagram_media.Media], int]]] = {
    "views": lambda media: media.views(),
    "reach": lambda media: media.views() * 4 // 5,
    "likes": lambda media: media.likes(),
    "comments": lambda media: media.comments(),
    "shares": lambda media: media.shares(),
    "saved": lambda media: media.shares() // 3,
    "total_interactions": lambda media: media.likes() + media.comments() + media.shares(),
}
METRICS: Final = frozenset(_METRICS)


def insight(media: instagram_media.Media, name: str) -> dict[str, object]:
    """One metric's row, in either of its two shapes."""
    value = {"value": _METRICS[name](media)}
    shape = {"total_value": value} if media.totals() else {"values": [value]}
    return {
        "name": name,
        "period": "lifetime",
        **shape,
        "title": name.replace("_", " ").title(),
        "description": f"The number of {name} of this post.",
        "id": f"{media.id}/insights/{name}/lifetime",
    }


def embed(media: instagram_media.Media) -> dict[str, object]:
    address = permalink(media)
    return {
        "version": "1.0",
        "provider_name": "Instagram",
        "provider_url": f"{SITE}/",
        "type": "rich",
        "width": 658,
        "height": None,
        "html": f'<blockquote class="instagram-media" data-instgrm-permalink="{html.escape(address)}"></blockquote>',
    }
