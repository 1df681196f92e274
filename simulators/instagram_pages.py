"""The simulated Instagram's pages: plain HTML, no script, nothing fetched."""

import html

from aiohttp import web

from simulators import instagram_media, instagram_wire, people, tiktok_pages

_STYLE = tiktok_pages.STYLE.replace("#d91f47", "#7638fa")


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        '<body><main><span class="note">Simulated Instagram · no real account is touched</span>'
        f"{body}</main></body></html>\n"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=tiktok_pages.HEADERS)


def consent(app_name: str, scopes: tuple[str, ...], hint: str, now: float) -> web.Response:
    """The consent page. It posts back to its own address, the request's parameters still in the query."""
    name = html.escape(app_name)
    toggles = "".join(_toggle(scope) for scope in scopes)
    choices = "".join(_choice(creator, hint, now) for creator in people.CREATORS)
    return _page(
        f"Authorize {app_name}",
        f"<h1>{name} wants to access your Instagram account</h1>"
        "<p>Choose who is logging in and what to share. You can take it back at any time.</p>"
        '<form method="post"><label class="label" for="creator">Logged in as</label>'
        f'<select id="creator" name="creator">{choices}</select>'
        f"<fieldset><legend>{name} may</legend>{toggles}</fieldset>"
        '<div class="buttons"><button name="decision" value="deny">Cancel</button>'
        '<button class="go" name="decision" value="approve">Allow</button></div></form>',
    )


def _toggle(scope: str) -> str:
    fixed = scope == instagram_wire.BASIC
    box = f'<input type="checkbox" name="scope" value="{scope}" checked{" disabled" if fixed else ""}>'
    required = " · always shared" if fixed else ""
    text = html.escape(instagram_wire.SCOPES[scope])
    return f'<label class="scope">{box}<span>{text}<small>{scope}{required}</small></span></label>'


def _choice(creator: people.Creator, hint: str, now: float) -> str:
    chosen = " selected" if creator.username == hint else ""
    text = (
        f"{creator.display_name} (@{creator.username}) · {instagram_media.followers(creator, now):,} followers"
        f" · {instagram_media.count(creator, now):,} posts"
    )
    return f'<option value="{creator.username}"{chosen}>{html.escape(text)}</option>'


def refusal(what: str) -> web.Response:
    """The page for a request that can be sent nowhere: it names the parameter that is wrong."""
    return _page(
        "Invalid request",
        "<h1>Invalid request</h1><p>Sorry, this page isn't available: a parameter of the request is wrong.</p>"
        f"<p><code>{html.escape(what)}</code></p>",
        400,
    )
