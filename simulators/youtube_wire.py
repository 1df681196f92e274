"""YouTube's wire format: scopes, errors, collections and resources, as developers.google.com/youtube/v3 gives them."""

import hashlib
import html
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from simulators import people, themes, youtube_channels

SITE: Final = "https://www.youtube.com"
MEDIA: Final = "https://media.youtube-simulator.example"

_API: Final = "https://www.googleapis.com/auth/"
SCOPES: Final[Mapping[str, str]] = {
    f"{_API}youtube.readonly": "View your YouTube account",
    f"{_API}yt-analytics.readonly": "View YouTube Analytics reports for your YouTube content",
}
READONLY: Final = f"{_API}youtube.readonly"

# reason -> HTTP status, domain, Google's status word, message
_REFUSALS: Final[Mapping[str, tuple[int, str, str, str]]] = {
    "required": (401, "global", "UNAUTHENTICATED", "Request is missing required authentication credential."),
    "authError": (401, "global", "UNAUTHENTICATED", "Invalid Credentials"),
    "insufficientPermissions": (403, "global", "PERMISSION_DENIED",
                                "Request had insufficient authentication scopes."),
    "rateLimitExceeded": (403, "usageLimits", "PERMISSION_DENIED", "Rate Limit Exceeded"),
    "quotaExceeded": (403, "youtube.quota", "",
                      "The request cannot be completed because you have exceeded your quota."),
    "unknownPart": (400, "youtube.part", "", "'{0}' is not a part."),
    "missingRequiredParameter": (400, "youtube.parameter", "", "No filter selected. Expected one of: {0}"),
    "invalidParameter": (400, "youtube.parameter", "", "Invalid value for {0}."),
    "invalidFilters": (400, "youtube.parameter", "", "The request specifies an invalid filter parameter."),
    "invalidPageToken": (400, "youtube.parameter", "", "The request specifies an invalid page token."),
    "playlistNotFound": (404, "youtube.playlistItem", "",
                         "The playlist identified with the request's playlistId parameter cannot be found."),
    "backendError": (500, "youtube.coreErrorDomain", "INTERNAL", "Internal error encountered."),
}  # fmt: skip

# The same said again in the newer place, where Google does.
_DETAILS: Final[Mapping[str, str]] = {
    "required": "CREDENTIALS_MISSING",
    "insufficientPermissions": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "rateLimitExceeded": "RATE_LIMIT_EXCEEDED",
}


class Refusal(Exception):
    """A resource request is refused, with YouTube's reason."""

    def __init__(self, reason: str, what: str = "") -> None:
        super().__init__(reason)
        self.reason, self.what = reason, what


class TokenRefusal(Exception):
    """A token or revoke request is refused, with OAuth's error word."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.description, self.status = error, description, status


def dump(message: object, status: int = 200) -> web.Response:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return web.Response(body=text.encode(), status=status, content_type="application/json", charset="utf-8")


def refusal(error: Refusal) -> web.Response:
    status, domain, word, message = _REFUSALS[error.reason]
    message = message.format(error.what)
    entry = {"message": message, "domain": domain, "reason": error.reason}
    body: dict[str, Any] = {"code": status, "message": message, "errors": [entry]}
    if word:
        body["status"] = word
    if error.reason in _DETAILS:
        detail = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": _DETAILS[error.reason],
            "domain": "googleapis.com",
        }
        body["details"] = [detail]
    return dump({"error": body}, status)


def token_refusal(error: TokenRefusal) -> web.Response:
    return dump({"error": error.error, "error_description": error.description}, error.status)


def collection(request: web.Request, kind: str, body: Mapping[str, Any]) -> web.Response:
    """A list answer with its etag; 304 without a body where the caller has it already, quoted or bare."""
    tag = etag(body)
    if request.headers.get("If-None-Match", "").removeprefix("W/").strip('"') == tag:
        return web.Response(status=304, headers={"ETag": f'"{tag}"'})
    response = dump({"kind": f"youtube#{kind}", "etag": tag, **body})
    response.headers["ETag"] = f'"{tag}"'
    return response


def mistagged(response: web.Response, fault: str) -> web.Response:
    """The answer as the faults about etags leave it."""
    if fault == "not_modified":
        return web.Response(status=304, headers={"ETag": response.headers.get("ETag", "")})
    if fault == "wrong_etag":
        response.headers["ETag"] = f'"{etag(fault)}"'
    return response


def etag(body: object) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:27]


def resource(
    kind: str, resource_id: str, parts: Mapping[str, Callable[[], object]], asked: tuple[str, ...]
) -> Any:
    made = {name: parts[name]() for name in parts if name in asked}
    return {"kind": f"youtube#{kind}", "etag": etag([resource_id, made]), "id": resource_id, **made}


CHANNEL_PARTS: Final = frozenset({"id", "snippet", "statistics", "contentDetails", "status"})
ITEM_PARTS: Final = frozenset({"id", "snippet", "contentDetails", "status"})
VIDEO_PARTS: Final = frozenset(
    {"id", "snippet", "statistics", "contentDetails", "status", "liveStreamingDetails", "player"}
)


def channel(
    creator: people.Creator, asked: tuple[str, ...], now: float, hidden: frozenset[str]
) -> dict[str, Any]:
    hides = creator.username in youtube_channels.HIDES_SUBSCRIBERS
    statistics = {
        "viewCount": str(youtube_channels.total_views(creator, now)),
        "subscriberCount": "0" if hides else str(youtube_channels.subscribers(creator, now)),
        "hiddenSubscriberCount": hides,
        "videoCount": str(youtube_channels.public_count(creator, now, hidden)),
    }
    parts: dict[str, Callable[[], object]] = {
        "snippet": lambda: {
            "title": creator.display_name,
            "description": creator.bio,
            "customUrl": f"@{creator.username}",
            "publishedAt": "2019-03-04T05:06:07Z" if creator.index % 2 else "2019-03-04T05:06:07.891234Z",
            "thumbnails": _thumbnails(f"avatar/{creator.username}", ("default", "medium", "high")),
            "localized": {"title": creator.display_name, "description": creator.bio},
        },
        "contentDetails": lambda: {
            "relatedPlaylists": {"likes": "", "uploads": youtube_channels.uploads_id(creator)}
        },
        "statistics": lambda: statistics,
        "status": lambda: {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "allowed"},
    }
    told: dict[str, Any] = resource("channel", youtube_channels.channel_id(creator), parts, asked)
    return told


def playlist_item(upload: youtube_channels.Upload, position: int, asked: tuple[str, ...]) -> dict[str, Any]:
    """An entry of an uploads list; what was deleted since keeps its place under another title."""
    creator = upload.video.creator
    title = "Deleted video" if upload.dropped else upload.video.title()
    details = {"videoId": upload.id}
    if not upload.dropped and upload.privacy != "private":
        details["videoPublishedAt"] = published_at(upload)
    parts: dict[str, Callable[[], object]] = {
        "snippet": lambda: {
            "publishedAt": published_at(upload),
            "channelId": youtube_channels.channel_id(creator),
            "title": "Private video" if upload.privacy == "private" else title,
            "description": "",
            "thumbnails": {} if upload.dropped else _thumbnails(f"vi/{upload.id}", ("default", "high")),
            "channelTitle": creator.display_name,
            "playlistId": youtube_channels.uploads_id(creator),
            "position": position,
            "resourceId": {"kind": "youtube#video", "videoId": upload.id},
        },
        "contentDetails": lambda: details,
        "status": lambda: {"privacyStatus": "privacyStatusUnspecified" if upload.dropped else upload.privacy},
    }
    item_id = hashlib.sha256(f"item {upload.id}".encode()).hexdigest()[:48]
    told: dict[str, Any] = resource("playlistItem", item_id, parts, asked)
    return told


def video(upload: youtube_channels.Upload, asked: tuple[str, ...], height: int | None) -> dict[str, Any]:
    parts: dict[str, Callable[[], object]] = {
        "snippet": lambda: _video_snippet(upload),
        "contentDetails": lambda: {
            "duration": duration(upload.seconds),
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": True,
        },
        "statistics": lambda: _statistics(upload),
        "status": lambda: {
            "uploadStatus": "processed",
            "privacyStatus": upload.privacy,
            "embeddable": True,
            "madeForKids": False,
        },
        "player": lambda: _player(upload, height),
    }
    if upload.kind == "LIVE":
        parts["liveStreamingDetails"] = lambda: _streaming(upload)
    told: dict[str, Any] = resource("video", upload.id, parts, asked)
    return told


def _video_snippet(upload: youtube_channels.Upload) -> dict[str, object]:
    creator, title = upload.video.creator, upload.video.title()
    sizes = ("default", "medium", "high") + (("standard", "maxres") if upload.video.n % 5 else ())
    if upload.kind == "SHORT" and upload.video.n % 2:
        sizes = (*sizes, "shortsAspectRatio")
    return {
        "publishedAt": published_at(upload),
        "channelId": youtube_channels.channel_id(creator),
        "title": title,
        "description": f"{title} #simulated" if title else "",
        "thumbnails": _thumbnails(f"vi/{upload.id}", sizes),
        "channelTitle": creator.display_name,
        "tags": [themes.SUBJECTS[upload.video.n % len(themes.SUBJECTS)]],
        "categoryId": "22",
        "liveBroadcastContent": upload.broadcast,
        "localized": {"title": title, "description": ""},
    }


def _statistics(upload: youtube_channels.Upload) -> dict[str, str]:
    told = {"viewCount": str(upload.views()), "favoriteCount": "0"}
    if upload.has("likes"):
        told["likeCount"] = str(upload.likes())
    if upload.has("comments"):
        told["commentCount"] = str(upload.comments())
    return told


def _player(upload: youtube_channels.Upload, height: int | None) -> dict[str, str]:
    """The player's code; the picture's shape only where the caller limits its size."""
    told = {"embedHtml": embed_html(upload)}
    if height is not None:
        width = height * 9 // 16 if upload.upright else height * 16 // 9
        told |= {"embedHeight": str(height), "embedWidth": str(width)}
    return told


def _streaming(upload: youtube_channels.Upload) -> dict[str, str]:
    start = upload.video.create_time
    if upload.broadcast == "upcoming":
        return {"scheduledStartTime": _rfc3339(start + 86_400)}
    told = {"actualStartTime": _rfc3339(start)}
    return told if upload.broadcast == "live" else told | {"actualEndTime": _rfc3339(start + upload.seconds)}


def duration(seconds: int) -> str:
    """ISO 8601 as YouTube writes it: P0D for what has no length yet, days from 24 hours on."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if n)
    day = f"{days}D" if days else ""
    return f"P{day}T{time}" if time else f"P{days}D"


def published_at(upload: youtube_channels.Upload) -> str:
    """RFC 3339; every third one with a fraction of a second."""
    text = _rfc3339(upload.video.create_time)
    if upload.video.n % 3:
        return text
    return f"{text[:-1]}.{upload.video.posted_ms % 1000:03d}Z"


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _thumbnails(path: str, sizes: tuple[str, ...]) -> dict[str, object]:
    return {size: {"url": f"{MEDIA}/{path}/{size}.jpg", "width": 480, "height": 360} for size in sizes}


def watch_url(upload: youtube_channels.Upload) -> str:
    return f"{SITE}/shorts/{upload.id}" if upload.kind == "SHORT" else f"{SITE}/watch?v={upload.id}"


def embed_html(upload: youtube_channels.Upload) -> str:
    title = html.escape(upload.video.title())
    return (
        f'<iframe width="480" height="270" src="{SITE}/embed/{upload.id}?feature=oembed" '
        f'title="{title}" allowfullscreen></iframe>'
    )
