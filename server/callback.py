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
        f"<main class={status}><h1>{title}</h1><p>{text}</p>{shown}</main><script nonce='{nonce}'>{script}</script></html>"
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
    ":root{color-scheme:light dark;--soft:light-dark(#6b6d76,#a3a5ae);--line:light-dark(#e3e3e8,#34363f)}"
    "body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;box-sizing:border-box;min-height:100vh;"
    "margin:0;padding:1rem;background:light-dark(#f4f4f6,#101116);color:light-dark(#161823,#f2f2f4)}"
    "main{max-width:24rem;padding:2rem;text-align:center;background:light-dark(#fff,#1c1d24);"
    "border:1px solid var(--line);border-radius:1rem}"
    "h1{margin:0 0 .5rem;font-size:1.5rem}h1::before{display:block;font-size:2.5rem;line-height:1.4}"
    ".connected h1::before{content:'\\2713'/'';color:light-dark(#0b7a4b,#58d39b)}"
    ".denied h1::before,.failed h1::before,.expired h1::before{content:'\\2715'/'';color:light-dark(#b3261e,#ff8f86)}"
    "p{margin:0;color:var(--soft)}p+p{margin-top:1rem;font-size:.8rem}"
)
