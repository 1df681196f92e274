"""The simulated YouTube: Google's OAuth and Data API v3 over real HTTP (developers.google.com/youtube/v3)."""

import base64
import binascii
import re
from typing import Final

from aiohttp import web

from simulators import (
    people,
    state,
    youtube_channels,
    youtube_consent,
    youtube_gate,
    youtube_tokens,
    youtube_wire,
    youtube_world,
)

_MOST_A_PAGE: Final = 50
_DEFAULT_A_PAGE: Final = 5
_HEIGHTS: Final = range(72, 8_193)
_SHARED: Final = re.compile(
    r"(?:[?&]v=|youtu\.be/|/shorts/|/embed/|/live/)([\w-]{11})(?:[?&#/].*)?$", re.ASCII
)


def application(google: youtube_world.Google, *, control: bool = False) -> web.Application:
    """Google's accounts, its OAuth host and YouTube under one roof; mount it anywhere."""
    app = web.Application(client_max_size=64 * 1024)
    app[youtube_world.YOUTUBE] = google
    for method, path, endpoint, handler in (
        ("GET", "/o/oauth2/v2/auth", "youtube/auth", youtube_consent.ask),
        ("POST", "/o/oauth2/v2/auth", "youtube/auth", youtube_consent.decide),
        ("POST", "/token", "youtube/token", youtube_tokens.token),
        ("POST", "/revoke", "youtube/revoke", youtube_tokens.revoke),
        ("GET", "/youtube/v3/channels", "youtube/channels", channels),
        ("GET", "/youtube/v3/playlistItems", "youtube/playlistItems", playlist_items),
        ("GET", "/youtube/v3/videos", "youtube/videos", videos_list),
        ("GET", "/oembed", "youtube/oembed", oembed),
    ):
        app.router.add_route(method, path, youtube_gate.guarded(endpoint, handler))
    if control:
        app.router.add_post("/_control", youtube_world.turn)
    return app


async def channels(request: web.Request) -> web.Response:
    """The person's own channel, or by ids; an account without a channel gets an answer without items."""
    google = request.app[youtube_world.YOUTUBE]
    consent = _opened(request)
    parts = _parts(request, youtube_wire.CHANNEL_PARTS)
    if request.query.get("mine") != "true":
        raise youtube_wire.Refusal("missingRequiredParameter", "mine")
    size = _whole(request, "maxResults", range(_MOST_A_PAGE + 1), _DEFAULT_A_PAGE)
    if consent.creator == youtube_channels.WITHOUT_CHANNEL:
        return youtube_wire.collection(
            request, "channelListResponse", {"pageInfo": {"totalResults": 0, "resultsPerPage": size}}
        )
    creator = people.BY_USERNAME[consent.creator]
    shown = youtube_wire.channel(creator, parts, google.clock.now(), google.knobs.unseen)
    body = {"pageInfo": {"totalResults": 1, "resultsPerPage": size}, "items": [shown]}
    return youtube_wire.collection(request, "channelListResponse", body)


async def playlist_items(request: web.Request) -> web.Response:
    """A page of an uploads list, newest first. Its owner sees the private ones too."""
    google = request.app[youtube_world.YOUTUBE]
    now = google.clock.now()
    consent = _opened(request)
    parts = _parts(request, youtube_wire.ITEM_PARTS)
    if "playlistId" not in request.query:
        raise youtube_wire.Refusal("missingRequiredParameter", "playlistId")
    size = _whole(request, "maxResults", range(_MOST_A_PAGE + 1), _DEFAULT_A_PAGE)
    creator = youtube_channels.of_uploads_id(request.query["playlistId"])
    if creator is None or not youtube_channels.listed(creator, now):
        raise youtube_wire.Refusal("playlistNotFound")
    token = request.query.get("pageToken")
    start = 0 if token is None else _start(token, creator)
    fault = request.get(youtube_gate.FAULT)
    kind = fault.kind if fault is not None else ""
    deleted = frozenset(google.knobs.deleted)
    uploads = youtube_channels.page(creator, start, 1 if kind == "short_page" else size, now, deleted)
    own = consent.creator == creator.username
    shown = [
        youtube_wire.playlist_item(upload, start + at, parts)
        for at, upload in enumerate(uploads)
        if own or upload.privacy != "private"
        for _ in range(2 if kind == "duplicates" else 1)
    ]
    total = youtube_channels.count(creator, now, deleted)
    body: dict[str, object] = {"items": shown, "pageInfo": {"totalResults": total, "resultsPerPage": size}}
    if kind == "page_loop":
        body["nextPageToken"] = token or _token(creator, 0)
    elif start + len(uploads) < total:
        body["nextPageToken"] = _token(creator, start + len(uploads))
    if start:
        body["prevPageToken"] = _token(creator, max(0, start - size))
    return youtube_wire.collection(request, "playlistItemListResponse", body)


async def videos_list(request: web.Request) -> web.Response:
    """The videos with these ids; those that are gone, or private and another's, are left out without a word."""
    google = request.app[youtube_world.YOUTUBE]
    consent = _opened(request)
    parts = _parts(request, youtube_wire.VIDEO_PARTS)
    ids = list(dict.fromkeys(request.query.get("id", "").split(",")))
    if not ids[0]:
        raise youtube_wire.Refusal("missingRequiredParameter", "id")
    if len(ids) > _MOST_A_PAGE:
        raise youtube_wire.Refusal("invalidFilters")
    height = _whole(request, "maxHeight", _HEIGHTS, 0) or None
    found = [upload for upload in (_there(google, upload_id) for upload_id in ids) if upload is not None]
    shown = [
        youtube_wire.video(upload, parts, height)
        for upload in found
        if upload.privacy != "private" or upload.video.creator.username == consent.creator
    ]
    body = {"items": shown, "pageInfo": {"totalResults": len(shown), "resultsPerPage": len(shown)}}
    return youtube_wire.collection(request, "videoListResponse", body)


async def oembed(request: web.Request) -> web.Response:
    """Public embed data of one video (oembed.com)."""
    google = request.app[youtube_world.YOUTUBE]
    match = _SHARED.search(request.query.get("url", ""))
    if match is None:
        return web.Response(text="Bad Request", status=400)
    upload = _there(google, match[1])
    if upload is None:
        return web.Response(text="Not Found", status=404)
    if upload.privacy == "private":
        return web.Response(text="Unauthorized", status=401)
    creator = upload.video.creator
    return youtube_wire.dump({
        "title": upload.video.title(), "author_name": creator.display_name,
        "author_url": f"{youtube_wire.SITE}/@{creator.username}", "type": "video", "height": 270, "width": 480,
        "version": "1.0", "provider_name": "YouTube", "provider_url": f"{youtube_wire.SITE}/",
        "thumbnail_height": 360, "thumbnail_width": 480,
        "thumbnail_url": f"{youtube_wire.MEDIA}/vi/{upload.id}/high.jpg",
        "html": youtube_wire.embed_html(upload),
    })  # fmt: skip


def _opened(request: web.Request) -> state.Consent:
    """Whose data the token opens. Every call costs its project a unit, whatever becomes of it."""
    google = request.app[youtube_world.YOUTUBE]
    kind, _, access = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer":
        raise youtube_wire.Refusal("required")
    now = google.clock.now()
    consent = google.state.opened_by(access, now)
    if consent is None or consent.client_key not in google.apps or consent.creator not in people.BY_USERNAME:
        raise youtube_wire.Refusal("authError")
    if google.state.spend(consent.client_key, google.day(), 1) > google.knobs.quota:
        raise youtube_wire.Refusal("quotaExceeded")
    if not google.window.admits(consent.client_key, "youtube", now, google.knobs.rate_limit):
        raise youtube_wire.Refusal("rateLimitExceeded")
    if youtube_wire.READONLY not in consent.scopes:
        raise youtube_wire.Refusal("insufficientPermissions")
    return consent


def _parts(request: web.Request, known: frozenset[str]) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(filter(None, request.query.get("part", "").split(","))))
    if not parts:
        raise youtube_wire.Refusal("missingRequiredParameter", "part")
    unknown = [part for part in parts if part not in known]
    if unknown:
        raise youtube_wire.Refusal("unknownPart", unknown[0][:40])
    return parts


def _whole(request: web.Request, name: str, allowed: range, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) in allowed):  # noqa: PLR2004
        raise youtube_wire.Refusal("invalidParameter", name)
    return int(text)


def _there(google: youtube_world.Google, upload_id: str) -> youtube_channels.Upload | None:
    upload = youtube_channels.find(upload_id, google.clock.now())
    gone = upload is None or upload.dropped or upload_id in google.knobs.unseen
    return None if gone else upload


def _token(creator: people.Creator, start: int) -> str:
    return base64.urlsafe_b64encode(f"{creator.index}:{start}".encode()).decode()


def _start(token: str, creator: people.Creator) -> int:
    """Where a page token leads; it serves for its own list only."""
    try:
        index, _, start = (
            base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii").partition(":")
        )
        if int(index) == creator.index and _token(creator, int(start)) == token:
            return int(start)
    except (binascii.Error, ValueError):
        pass
    raise youtube_wire.Refusal("invalidPageToken")
