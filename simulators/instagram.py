"""The simulated Instagram: Instagram API with Instagram Login over real HTTP (Meta's Instagram Platform).

www.instagram.com, api.instagram.com and graph.instagram.com under one roof.
"""

import hmac
import itertools
import re
from collections.abc import Sequence

from aiohttp import web

from simulators import (
    clock,
    faults,
    instagram_consent,
    instagram_control,
    instagram_gate,
    instagram_media,
    instagram_outbox,
    instagram_state,
    instagram_tokens,
    instagram_usage,
    instagram_wire,
    people,
)
from simulators import instagram_world as worlds

_MOST_A_PAGE, _DEFAULT_A_PAGE = 100, 25
_MOST_MEDIA = 10_000
_VERSION = r"/{version:v\d{1,3}\.0}"
_PERMALINK = re.compile(r"/(?:p|reel)/([A-Za-z0-9_-]{11})/?(?:\?.*)?$")


def world_of(
    apps: Sequence[worlds.App], ledger: instagram_state.Ledger, ticking: clock.Clock
) -> worlds.World:
    return worlds.World(
        apps={app.client_id: app for app in apps},
        ledger=ledger,
        clock=ticking,
        knobs=worlds.Knobs(),
        faults=faults.Faults(),
        meter=instagram_usage.Meter(),
        outbox=instagram_outbox.Outbox(),
    )


def application(world: worlds.World, *, control: bool = False) -> web.Application:
    """Mount it anywhere; with `control`, POST _control turns its knobs: for tests only."""
    app = web.Application(client_max_size=64 * 1024)
    app[worlds.WORLD] = world
    for method, path, endpoint, handler in (
        ("GET", "/oauth/authorize", "oauth/authorize", instagram_consent.ask),
        ("POST", "/oauth/authorize", "oauth/authorize", instagram_consent.decide),
        ("POST", "/oauth/access_token", "oauth/access_token", instagram_tokens.exchange),
        ("GET", "/access_token", "access_token", instagram_tokens.lengthen),
        ("GET", "/refresh_access_token", "refresh_access_token", instagram_tokens.refresh),
    ):
        app.router.add_route(method, path, instagram_gate.guarded(endpoint, handler))
    for method, path, endpoint, handler in (
        ("GET", "/me", "me", me),
        ("GET", "/me/media", "me/media", media),
        ("DELETE", "/me/permissions", "me/permissions", instagram_tokens.revoke),
        ("GET", "/instagram_oembed", "oembed", oembed),
        ("GET", r"/{whose:\d+}/media", "me/media", media),
        ("GET", r"/{media:\d+}/insights", "insights", insights),
        ("GET", r"/{media:\d+}", "medium", medium),
    ):
        for prefix in ("", _VERSION):
            app.router.add_route(method, prefix + path, instagram_gate.guarded(endpoint, handler))
    if control:
        app.router.add_post("/_control", instagram_control.turn)
    app.on_cleanup.append(_close)
    return app


async def _close(app: web.Application) -> None:
    await app[worlds.WORLD].outbox.close()
    app[worlds.WORLD].ledger.close()


async def me(request: web.Request) -> web.Response:
    """The creator, bare as in production or wrapped as in the documents."""
    world = request.app[worlds.WORLD]
    _, token = instagram_gate.token(request)
    creator = people.BY_USERNAME[token.creator]
    user = instagram_wire.user(creator, token.client_id, _fields(request), world.clock.now())
    if "media_count" in user:
        user["media_count"] = instagram_media.count(creator, world.clock.now()) - _hidden_of(world, creator)
    if world.knobs.numeric_ids:
        user = {key: int(str(value)) if key in {"id", "user_id"} else value for key, value in user.items()}
    return instagram_wire.dump({"data": [user]} if world.knobs.me_shape == "data" else user)


async def media(request: web.Request) -> web.Response:
    """A page of the creator's media, newest first. `next` is a whole address, the token in it."""
    world = request.app[worlds.WORLD]
    secret, token = instagram_gate.token(request)
    creator = people.BY_USERNAME[token.creator]
    if request.match_info.get("whose", instagram_media.account_id(creator)) != instagram_media.account_id(
        creator
    ):
        raise instagram_wire.GraphError(100, 33)
    fields = _fields(request)
    instagram_wire.check_media_fields(fields)
    size, start = _size(request), _start(request, creator)
    listed = instagram_media.before(creator, start, world.clock.now())
    left = (one for one in listed if one.id not in world.knobs.hidden)
    found = list(itertools.islice(left, size + 1))
    page, more = found[:size], len(found) > size
    oldest = instagram_media.count(creator, world.clock.now()) - _MOST_MEDIA
    page = [one for one in page if one.n >= oldest]
    copies = 2 if instagram_gate.kind(request) == "duplicates" else 1
    shown = [instagram_wire.media(one, fields) for one in page for _ in range(copies)]
    body: dict[str, object] = {"data": shown}
    paging = _paging(request, secret, page, more=more)
    return instagram_wire.dump(body | ({"paging": paging} if paging else {}))


def _paging(
    request: web.Request, secret: str, page: list[instagram_media.Media], *, more: bool
) -> dict[str, object]:
    """Cursors, and `next` where more follows; the last page still has `after` on some accounts only."""
    if not page:
        return {}
    after = instagram_media.cursor(page[-1].n)
    if instagram_gate.kind(request) == "page_loop":
        after, more = request.query.get("after") or instagram_media.cursor(page[0].n + 1), True
    cursors = {"before": instagram_media.cursor(page[0].n)}
    if more or page[0].creator.index % 2:
        cursors["after"] = after
    if not more:
        return {"cursors": cursors}
    query = {"access_token": secret, "fields": request.query.get("fields", ""), "limit": str(_size(request))}
    following = request.url.with_query({**query, "after": after})
    if instagram_gate.kind(request) == "foreign_next":
        following = following.with_host("elsewhere.example")
    return {"cursors": cursors, "next": str(following)}


def _start(request: web.Request, creator: people.Creator) -> int | None:
    """Where a cursor leads. It marks a medium and is invalid once that is deleted (Graph API, paginated results)."""
    text = request.query.get("after")
    if not text:
        return None
    world, start = request.app[worlds.WORLD], instagram_media.number(text)
    if (
        start is None
        or instagram_media.Media(creator, start, int(world.clock.now())).id in world.knobs.hidden
    ):
        raise instagram_wire.GraphError(100, message="(#100) Invalid cursor")
    return start


def _size(request: web.Request) -> int:
    text = request.query.get("limit", str(_DEFAULT_A_PAGE))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= _MOST_A_PAGE):
        raise instagram_wire.GraphError(100, message="(#100) limit must be between 1 and 100")
    return 1 if instagram_gate.kind(request) == "short_page" else int(text)


async def medium(request: web.Request) -> web.Response:
    """One medium of the creator's own, by its id."""
    fields = _fields(request)
    instagram_wire.check_media_fields(fields)
    return instagram_wire.dump(instagram_wire.media(_own(request), fields))


async def insights(request: web.Request) -> web.Response:
    """A medium's metrics: empty where there are none, refused where it was posted too early."""
    world = request.app[worlds.WORLD]
    found = _own(request, scope=instagram_wire.INSIGHTS)
    names = tuple(dict.fromkeys(request.query.get("metric", "").split(",")))
    kind = instagram_media.TYPES[found.kind][0]
    for name in names:
        if (found.id, name) in world.knobs.stumbling:
            raise instagram_wire.GraphError(2)
        refused = world.knobs.unsupported | world.knobs.refusing
        if name not in instagram_wire.METRICS or {(kind, name), (found.id, name)} & refused:
            raise instagram_wire.GraphError(
                100, message=f"(#100) metric[{name[:40]}] is not supported for this media type"
            )
    if found.predates_business():
        raise instagram_wire.GraphError(100, 2108006)
    rows = [] if found.has_no_insights() else [instagram_wire.insight(found, name) for name in names]
    return instagram_wire.dump({"data": rows})


def _own(request: web.Request, scope: str = instagram_wire.BASIC) -> instagram_media.Media:
    """The medium of the address, where it is there and the token's own."""
    world = request.app[worlds.WORLD]
    _, token = instagram_gate.token(request)
    if scope not in token.scopes:
        raise instagram_wire.GraphError(10)
    found = instagram_media.find(request.match_info["media"], world.clock.now())
    if found is None or found.creator.username != token.creator or found.id in world.knobs.hidden:
        raise instagram_wire.GraphError(100, 33)
    return found


async def oembed(request: web.Request) -> web.Response:
    """Embed data of one post. Meta gives it to apps only: the token is `client_id|client_secret`."""
    world = request.app[worlds.WORLD]
    word, _, given = request.headers.get("Authorization", "").partition(" ")
    given = given if word == "Bearer" else request.query.get("access_token", "")
    client_id, _, secret = given.partition("|")
    app = world.apps.get(client_id)
    if app is None or not hmac.compare_digest(secret.encode(errors="replace"), app.client_secret.encode()):
        raise instagram_wire.GraphError(190)
    match = _PERMALINK.search(request.query.get("url", ""))
    found = instagram_media.by_shortcode(match[1], world.clock.now()) if match else None
    if found is None or found.id in world.knobs.hidden:
        raise instagram_wire.GraphError(100, 33)
    return instagram_wire.dump(instagram_wire.embed(found))


def _fields(request: web.Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, request.query.get("fields", "").split(","))))


def _hidden_of(world: worlds.World, creator: people.Creator) -> int:
    found = (instagram_media.find(media_id, world.clock.now()) for media_id in world.knobs.hidden)
    return sum(one is not None and one.creator == creator for one in found)
