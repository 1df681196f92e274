"""GET /graphiql: the page built from web/, under a policy that lets it load nothing from elsewhere."""

import asyncio
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self' data:; "  # our sockets are 'self' too
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NEVER_STORED: Final = {**_HEADERS, "Cache-Control": "no-store"}
_STORED_FOR_GOOD: Final = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}

# One plain name, no dot first: neither a separator nor ".." can be spelt, encoded or not.
_ASSET: Final = "/graphiql/assets/{name:[A-Za-z0-9_-][A-Za-z0-9_.-]*}"

_NOT_BUILT: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Creator Graph: GraphiQL is not built</title>
<body style="max-width: 60ch; margin: 15vh auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif">
<h1>GraphiQL is not built yet</h1>
<p>Run <code>make web</code> in the project's folder, then reload this page. It needs Node 20.19 or newer.</p>
<p>The API itself works without it: send your operations to <code>POST /graphql</code>.</p>
"""


def routes(dist: Path) -> list[web.RouteDef]:
    """The page's routes. `dist` is looked at on every request, so a build made meanwhile is served."""
    index = _index(dist / "index.html")
    return [
        web.get("/graphiql", index),
        web.get("/graphiql/", index),
        web.get(_ASSET, _asset(dist / "assets")),
    ]


def _index(page: Path) -> Handler:
    async def index(_request: web.Request) -> web.StreamResponse:
        if not await asyncio.to_thread(page.is_file):
            return web.Response(status=503, text=_NOT_BUILT, content_type="text/html", headers=_NEVER_STORED)
        return web.FileResponse(page, headers=_NEVER_STORED)

    return index


def _asset(assets: Path) -> Handler:
    """Their names carry a hash of what they hold: a browser keeps them for good."""

    async def asset(request: web.Request) -> web.StreamResponse:
        path = assets / request.match_info["name"]
        if not await asyncio.to_thread(path.is_file):
            raise web.HTTPNotFound(headers=_NEVER_STORED)
        return web.FileResponse(path, headers=_STORED_FOR_GOOD)

    return asset
