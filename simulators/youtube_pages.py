"""The simulated Google's pages: plain HTML, no script, nothing fetched."""

import html
from typing import Final

from aiohttp import web

from simulators import people, youtube_channels, youtube_wire

# No form-action: Chromium enforces it on the redirect that follows the form, which goes to the app.
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1f1f1f; --soft: #5f6368; --line: #dadce0; --card: #fff; --back: #f0f4f9;
  --go: #0b57d0; --on: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e3e3; --soft: #a8abb0; --line: #444746; --card: #0e0e0e; --back: #1e1f20; --go: #a8c7fa;
    --on: #062e6f } }
* { box-sizing: border-box }
body { margin: 0; padding: 5vh 16px; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 480px; margin: 0 auto; padding: 32px; background: var(--card); border-radius: 28px }
.note { display: inline-block; margin: 0 0 20px; padding: 3px 12px; border: 1px solid var(--line);
  border-radius: 99px; color: var(--soft); font-size: 13px }
h1 { margin: 0 0 8px; font-size: 26px; font-weight: 400; line-height: 1.25; overflow-wrap: anywhere }
p { margin: 0 0 20px; color: var(--soft); overflow-wrap: anywhere }
fieldset { margin: 0 0 24px; padding: 0; border: 0 }
legend, .label { display: block; margin: 0 0 8px; padding: 0; font-weight: 500; font-size: 14px }
select { width: 100%; margin: 0 0 24px; padding: 12px; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); color: var(--ink); font: inherit }
.scope { display: flex; gap: 12px; align-items: flex-start; padding: 14px 0; border-top: 1px solid var(--line) }
.scope input { flex: none; width: 20px; height: 20px; margin: 2px 0 0; accent-color: var(--go) }
.scope small { display: block; color: var(--soft); overflow-wrap: anywhere }
.buttons { display: flex; gap: 12px; justify-content: flex-end }
button { padding: 11px 24px; border: 1px solid var(--line); border-radius: 99px; background: transparent;
  color: var(--go); font: inherit; font-weight: 500; cursor: pointer }
button.go { border-color: var(--go); background: var(--go); color: var(--on) }
:focus-visible { outline: 3px solid #4c8df6; outline-offset: 2px }
"""


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        '<body><main><span class="note">Simulated Google · no real account is touched</span>'
        f"{body}</main></body></html>\n"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=_HEADERS)


def consent(app_name: str, scopes: tuple[str, ...], hint: str, now: float) -> web.Response:
    """The consent page. It posts back to its own address, the request's parameters still in the query."""
    name = html.escape(app_name)
    toggles = "".join(_toggle(scope) for scope in scopes)
    return _page(
        f"Sign in – {app_name}",
        f"<h1>{name} wants access to your Google Account</h1>"
        "<p>Choose an account and select what the app can access. You can take it back at any time.</p>"
        '<form method="post"><label class="label" for="creator">Account or brand account</label>'
        f'<select id="creator" name="creator">{_choices(hint, now)}</select>'
        f"<fieldset><legend>Select what {name} can access</legend>{toggles}</fieldset>"
        '<div class="buttons"><button name="decision" value="deny">Cancel</button>'
        '<button class="go" name="decision" value="approve">Continue</button></div></form>',
    )


def _toggle(scope: str) -> str:
    text = html.escape(youtube_wire.SCOPES[scope])
    box = f'<input type="checkbox" name="scope" value="{scope}" checked>'
    return f'<label class="scope">{box}<span>{text}<small>{scope}</small></span></label>'


def _choices(hint: str, now: float) -> str:
    edge = people.DEMO_SIZE + people.EDGE_SIZE
    groups = (
        ("Creators", people.CREATORS[: people.DEMO_SIZE]),
        ("Special cases", people.CREATORS[people.DEMO_SIZE : edge]),
        ("Everybody else", people.CREATORS[edge:]),
    )
    return "".join(
        f'<optgroup label="{label}">{"".join(_choice(creator, hint, now) for creator in some)}</optgroup>'
        for label, some in groups
    )


def _choice(creator: people.Creator, hint: str, now: float) -> str:
    chosen = " selected" if creator.username == hint else ""
    text = f"{creator.display_name} (@{creator.username}) · {_what(creator, now)}"
    return f'<option value="{creator.username}"{chosen}>{html.escape(text)}</option>'


def _what(creator: people.Creator, now: float) -> str:
    if creator.username == youtube_channels.WITHOUT_CHANNEL:
        return "no YouTube channel"
    count = youtube_channels.public_count(creator, now, frozenset())
    if creator.username in youtube_channels.HIDES_SUBSCRIBERS:
        return f"subscribers hidden · {count:,} videos"
    return f"{youtube_channels.subscribers(creator, now):,} subscribers · {count:,} videos"


def refusal(error: str, what: str, status: int) -> web.Response:
    """Google's page for a request it cannot send anywhere."""
    return _page(
        "Access blocked",
        "<h1>Access blocked: this app’s request is invalid</h1>"
        f"<p>Error {status}: {html.escape(error)}</p><p>If you are a developer of this app, see: "
        f"<code>{html.escape(what)}</code></p>",
        status,
    )
