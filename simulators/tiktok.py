"""The simulated TikTok: Login Kit and Display API v2 over real HTTP (developers.tiktok.com)."""

import json
import re
from collections.abc import Mapping

from aiohttp import web

from simulators import people, state, tiktok_consent, tiktok_gate, tiktok_tokens, tiktok_wire, videos, world

_MOST_A_PAGE = 20
_DEFAULT_A_PAGE = 10
_SHARED = re.compile(r"/@[^/]+/video/(\d{1,19})/?(?:\?.*)?$")


def application(shared: world.World) -> web.Application:
    """TikTok's web site and API under one roof; mount it anywhere."""
    app = web.Application(client_max_size=64 * 1024)
    app[world.WORLD] = shared
    for method, path, endpoint, handler in (
        ("GET", "/v2/auth/authorize/", "auth/authorize", tiktok_consent.ask),
        ("POST", "/v2/auth/authorize/", "auth/authorize", tiktok_consent.decide),
        ("POST", "/v2/oauth/token/", "oauth/token", tiktok_tokens.token),
        ("POST", "/v2/oauth/revoke/", "oauth/revoke", tiktok_tokens.revoke),
        ("GET", "/v2/user/info/", "user/info", user_info),
        ("POST", "/v2/video/list/", "video/list", video_list),
        ("POST", "/v2/video/query/", "video/query", video_query),
        ("GET", "/oembed", "oembed", oembed),
    ):
        app.router.add_route(method, path, tiktok_gate.guarded(endpoint, handler))
    return app


async def user_info(request: web.Request) -> web.Response:
    now = request.app[world.WORLD].clock.now()
    consent = _authorized(request, "user/info", now)
    fields = _fields(request, frozenset(tiktok_wire.USER_SCOPES))
    lacking = {tiktok_wire.USER_SCOPES[name] for name in fields} - set(consent.scopes)
    if lacking and all(tiktok_wire.USER_SCOPES[name] in lacking for name in fields):
        raise tiktok_wire.ResourceError("scope_not_authorized")
    if lacking:
        raise tiktok_wire.ResourceError("scope_permission_missed")
    creator = people.BY_USERNAME[consent.creator]
    user = tiktok_wire.user(creator, consent.client_key, fields, now)
    if "video_count" in user:
        user["video_count"] = videos.count(creator, now) - _hidden_of(request, creator, now)
    return tiktok_wire.answer({"user": user}, now)


async def video_list(request: web.Request) -> web.Response:
    """A page of the creator's videos, newest first; `cursor` is where the next one starts.

    About one page in five is shorter than asked although more remain, as TikTok's may be (tiktok-api-v2-video-list).
    """
    now = request.app[world.WORLD].clock.now()
    consent = _authorized(request, "video/list", now, scope="video.list")
    fields = _fields(request, tiktok_wire.VIDEO_FIELDS)
    body = await _json(request)
    size = _whole(body, "max_count", 1, _MOST_A_PAGE, _DEFAULT_A_PAGE)
    cursor = _whole(body, "cursor", 0, 2**63 - 1, None)
    fault = request.get(tiktok_gate.FAULT)
    page, more = _page(request, people.BY_USERNAME[consent.creator], cursor, size or _DEFAULT_A_PAGE)
    ends_at = page[-1].posted_ms if page else (cursor or int(now * 1000))
    if fault is not None and fault.kind == "page_loop":
        ends_at, more = cursor or int(now * 1000), True
    shown = [wire for video in page for wire in _shown(request, video, fields)]
    return tiktok_wire.answer({"videos": shown, "cursor": ends_at, "has_more": more}, now)


def _page(
    request: web.Request, creator: people.Creator, cursor: int | None, size: int
) -> tuple[list[videos.Video], bool]:
    shared = request.app[world.WORLD]
    fault = request.get(tiktok_gate.FAULT)
    if fault is not None and fault.kind == "short_page":
        size = 1
    elif size > 1 and people.dice(creator.index, cursor or 0, 11)[0] % 5 == 0:
        size -= 1 + size // 4
    return videos.page(creator, cursor, max(1, size), shared.clock.now())


def _shown(request: web.Request, video: videos.Video, fields: tuple[str, ...]) -> list[dict[str, object]]:
    """The video as often as the page shows it: not at all when hidden, twice under the fault `duplicates`."""
    if video.id in request.app[world.WORLD].knobs.hidden_videos:
        return []
    fault = request.get(tiktok_gate.FAULT)
    return [tiktok_wire.video(video, fields)] * (2 if fault is not None and fault.kind == "duplicates" else 1)


async def video_query(request: web.Request) -> web.Response:
    """The creator's own videos among the ids asked for, with fresh cover addresses."""
    shared = request.app[world.WORLD]
    now = shared.clock.now()
    consent = _authorized(request, "video/query", now, scope="video.list")
    fields = _fields(request, tiktok_wire.VIDEO_FIELDS)
    filters = (await _json(request)).get("filters")
    ids = filters.get("video_ids") if isinstance(filters, dict) else None
    if (
        not isinstance(ids, list)
        or not 1 <= len(ids) <= _MOST_A_PAGE
        or not all(isinstance(i, str) for i in ids)
    ):
        raise tiktok_wire.ResourceError("invalid_params", "filters.video_ids must hold 1 to 20 ids.")
    found = [videos.find(video_id, now) for video_id in dict.fromkeys(ids)]
    own = [video for video in found if video is not None and video.creator.username == consent.creator]
    shown = [wire for video in own for wire in _shown(request, video, fields)]
    return tiktok_wire.answer({"videos": shown}, now)


async def oembed(request: web.Request) -> web.Response:
    """Public embed data of one video (embed-videos); width and height are strings, as TikTok's are."""
    now = request.app[world.WORLD].clock.now()
    match = _SHARED.search(request.query.get("url", ""))
    video = videos.find(match[1], now) if match else None
    if video is None or video.id in request.app[world.WORLD].knobs.hidden_videos:
        return tiktok_wire.dump({"code": 400, "message": "Something went wrong"}, 400)
    return tiktok_wire.dump({
        "version": "1.0", "type": "video", "title": video.title(),
        "author_url": f"{tiktok_wire.SITE}/@{video.creator.username}", "author_name": video.creator.display_name,
        "author_unique_id": video.creator.username, "embed_product_id": video.id, "embed_type": "video",
        "width": "100%", "height": "100%", "html": tiktok_wire.embed_html(video),
        "thumbnail_url": tiktok_wire.cover(video), "thumbnail_width": 576, "thumbnail_height": 1024,
        "provider_url": tiktok_wire.SITE, "provider_name": "TikTok",
    })  # fmt: skip


def _authorized(request: web.Request, endpoint: str, now: float, scope: str | None = None) -> state.Consent:
    """Whose data the token opens, once the token, the rate and the endpoint's scope have been checked."""
    shared = request.app[world.WORLD]
    kind, _, access = request.headers.get("Authorization", "").partition(" ")
    consent = shared.state.consent_of(access, now) if kind == "Bearer" else None
    if consent is None or consent.client_key not in shared.apps or consent.creator not in people.BY_USERNAME:
        raise tiktok_wire.ResourceError("access_token_invalid")
    if not shared.window.admits(consent.client_key, endpoint, now, shared.knobs.rate_limit):
        raise tiktok_wire.ResourceError("rate_limit_exceeded")
    if scope is not None and scope not in consent.scopes:
        raise tiktok_wire.ResourceError("scope_not_authorized")
    return consent


def _fields(request: web.Request, known: frozenset[str]) -> tuple[str, ...]:
    fields = tuple(dict.fromkeys(request.query.get("fields", "").split(",")))
    unknown = [name for name in fields if name not in known]
    if unknown:
        raise tiktok_wire.ResourceError("invalid_params", f"Invalid fields: {','.join(unknown)[:80]}")
    return fields


async def _json(request: web.Request) -> Mapping[str, object]:
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":
        raise tiktok_wire.ResourceError("invalid_params", "Content-Type must be application/json.")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise tiktok_wire.ResourceError("invalid_params", "The request body is not a JSON object.")
    return body


def _whole(body: Mapping[str, object], name: str, least: int, most: int, default: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise tiktok_wire.ResourceError("invalid_params", f"{name} must be between {least} and {most}.")
    return value


def _hidden_of(request: web.Request, creator: people.Creator, now: float) -> int:
    """How many of the creator's videos a test has hidden."""
    hidden = request.app[world.WORLD].knobs.hidden_videos
    found = (videos.find(video_id, now) for video_id in hidden)
    return sum(video is not None and video.creator == creator for video in found)
