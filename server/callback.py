"""GET /connect/<platform>/callback: the platform's redirect ends here, and the creator's browser goes on."""

import html
import json
import secrets
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import web

from graph import ids
from server.parts import PARTS
from services import accounts, connecting, errors

TEXTS = {
    "connected": ("Connected", "You can close this window."),
    "denied": ("Not connected", "You did not allow the connection. You can close this window."),
    "failed": (
        "Not connected",
        "The platform did not complete the connection. Please try again from where you came.",
    ),
    "expired": ("Too late", "This link was used already, or its ten minutes are over. Please start again."),
}


async def callback(request: web.Request) -> web.StreamResponse:
    """Finish the connect and send the browser to the partner, or say how it went. Never a token in an address."""
    parts = request.app[PARTS]
    services = parts.services
    try:
        ended = await connecting.callback(
            services.database,
            services.vault,
            services.platforms,
            platform=request.match_info["platform"].upper(),
            query=request.query.items(),
        )
    except errors.ServiceError as error:
        return _page("expired", error.code, None, None, [], http_status=400)
    status = ended.status.lower()
    creator = ids.write("Creator", ended.creator_id) if ended.creator_id else None
    if ended.return_url:
        raise web.HTTPFound(_with(ended.return_url, status, ended.state, creator, ended.code))
    async with services.database.write() as session:
        account = await accounts.find(session, str(ended.account_id))
    origins = [f"{url.scheme}://{url.netloc}" for url in map(urlsplit, account.return_urls)]
    return _page(status, ended.code, ended.state, creator, origins)


def _with(url: str, status: str, state: str, creator: str | None, code: str | None) -> str:
    parts = urlsplit(url)
    added = {"status": status, "state": state, "creator": creator, "code": code}
    query = urlencode({name: value for name, value in added.items() if value})
    return urlunsplit(parts._replace(query=f"{parts.query}&{query}" if parts.query else query))


def _page(
    status: str,
    code: str | None,
    state: str | None,
    creator: str | None,
    origins: list[str],
    *,
    http_status: int = 200,
) -> web.Response:
    """The page of a connect without returnUrl: tells a popup's opener, if it is on the allow-list, and closes."""
    title, text = TEXTS[status]
    message = {"type": "creator-graph:connect", "status": status, "state": state, "creatorId": creator}
    nonce = secrets.token_urlsafe(16)
    script = (
        f"const m={_script_json(message)};for(const o of {_script_json(sorted(set(origins)))})"
        "{if(window.opener)window.opener.postMessage(m,o)}"
        "if(window.opener&&m.status==='connected')setTimeout(()=>window.close(),1500)"
    )
    shown = f"<p><code>{html.escape(code)}</code></p>" if code else ""
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title} · Creator Graph</title><style nonce='{nonce}'>{STYLE}</style>"
        f"<main><h1>{title}</h1><p>{text}</p>{shown}</main><script nonce='{nonce}'>{script}</script></html>"
    )
    policy = f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    return web.Response(
        text=body,
        status=http_status,
        content_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
        },
    )


def _script_json(value: object) -> str:
    """JSON that cannot end a script element."""
    return json.dumps(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;"
    "min-height:90vh;margin:0;padding:1rem}main{max-width:26rem;text-align:center}h1{font-size:1.5rem}"
)
