"""The simulated TikTok's pages: plain HTML, no script, nothing fetched."""

import html
from typing import Final

from aiohttp import web

from simulators import people, tiktok_wire, videos

# No form-action: Chromium enforces it on the redirect that follows the form, which goes to the app.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

STYLE: Final = """
:root { color-scheme: light dark; --ink: #161823; --soft: #6b6d76; --line: #e3e3e8; --card: #fff; --back: #f4f4f6;
  --go: #d91f47 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f2f2f4; --soft: #a3a5ae; --line: #34363f; --card: #1c1d24; --back: #101116 } }
* { box-sizing: border-box }
body { margin: 0; padding: 4vh 16px; background: var(--back); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
main { max-width: 460px; margin: 0 auto; padding: 28px; background: var(--card); border: 1px solid var(--line);
  border-radius: 16px }
main.wide { max-width: 860px }
.note { display: inline-block; margin: 0 0 16px; padding: 3px 10px; border: 1px solid var(--line);
  border-radius: 99px; color: var(--soft); font-size: 13px }
h1 { margin: 0 0 6px; font-size: 22px; line-height: 1.25; overflow-wrap: anywhere }
p { margin: 0 0 18px; color: var(--soft); overflow-wrap: anywhere }
fieldset { margin: 0 0 20px; padding: 0; border: 0 }
legend, .label { display: block; margin: 0 0 8px; padding: 0; font-weight: 600; font-size: 14px }
select { width: 100%; margin: 0 0 20px; padding: 11px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card); color: var(--ink); font: inherit }
.scope { display: flex; gap: 12px; align-items: flex-start; padding: 12px 0; border-top: 1px solid var(--line) }
.scope input { flex: none; width: 20px; height: 20px; margin: 2px 0 0; accent-color: var(--go) }
.scope small { display: block; color: var(--soft) }
.buttons { display: flex; gap: 12px }
button { flex: 1; padding: 13px; border: 1px solid var(--line); border-radius: 10px; background: transparent;
  color: var(--ink); font: inherit; font-weight: 600; cursor: pointer }
button.go { border-color: var(--go); background: var(--go); color: #fff }
:focus-visible { outline: 3px solid #25a2d9; outline-offset: 2px }
.scroll { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-size: 14px }
th, td { padding: 8px 10px; border-top: 1px solid var(--line); text-align: left; vertical-align: top }
thead th { border: 0; color: var(--soft); font-weight: 600 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
"""


def _page(title: str, body: str, status: int = 200, kind: str = "") -> web.Response:
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>"
        f'<body><main class="{kind}"><span class="note">Simulated TikTok · no real account is touched</span>'
        f"{body}</main></body></html>\n"
    )
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def consent(app_name: str, scopes: tuple[str, ...], hint: str, now: float) -> web.Response:
    """The consent page. It posts back to its own address, the request's parameters still in the query."""
    name = html.escape(app_name)
    toggles = "".join(_toggle(scope) for scope in scopes)
    return _page(
        f"Authorize {app_name}",
        f"<h1>{name} wants to access your TikTok account</h1>"
        "<p>Choose who is logging in and what to share. You can take it back at any time.</p>"
        '<form method="post"><label class="label" for="creator">Logged in as</label>'
        f'<select id="creator" name="creator">{_choices(hint, now)}</select>'
        f"<fieldset><legend>{name} may</legend>{toggles}</fieldset>"
        '<div class="buttons"><button name="decision" value="deny">Deny</button>'
        '<button class="go" name="decision" value="approve">Approve</button></div></form>',
    )


def _toggle(scope: str) -> str:
    fixed = scope == tiktok_wire.ALWAYS_GRANTED
    box = f'<input type="checkbox" name="scope" value="{scope}" checked{" disabled" if fixed else ""}>'
    required = " · always shared" if fixed else ""
    text = html.escape(tiktok_wire.SCOPES[scope])
    return f'<label class="scope">{box}<span>{text}<small>{scope}{required}</small></span></label>'


def _choices(hint: str, now: float) -> str:
    groups = (
        ("Creators", people.CREATORS[: people.DEMO_SIZE]),
        ("Special cases", people.CREATORS[people.DEMO_SIZE : people.DEMO_SIZE + people.EDGE_SIZE]),
        ("Everybody else", people.CREATORS[people.DEMO_SIZE + people.EDGE_SIZE :]),
    )
    return "".join(
        f'<optgroup label="{label}">{"".join(_choice(creator, hint, now) for creator in some)}</optgroup>'
        for label, some in groups
    )


def _choice(creator: people.Creator, hint: str, now: float) -> str:
    chosen = " selected" if creator.username == hint else ""
    text = (
        f"{creator.display_name} (@{creator.username}) · {_short(people.followers(creator, now))} followers"
        f" · {videos.count(creator, now):,} videos"
    )
    return f'<option value="{creator.username}"{chosen}>{html.escape(text)}</option>'


def _short(number: int) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return str(number)


def refusal(what: str, status: int) -> web.Response:
    """TikTok's page for a request it cannot send anywhere: it names the parameter that is wrong."""
    return _page(
        "Something went wrong",
        "<h1>Something went wrong</h1><p>We couldn't log in with TikTok. This may be due to specific app settings.</p>"
        f"<p>If you're a developer, correct the following and try again:</p><p><code>{html.escape(what)}</code></p>",
        status,
    )


def directory(now: float) -> web.Response:
    """Everybody who can log in here."""
    rows = "".join(_row(creator, now) for creator in people.CREATORS)
    return _page(
        "Simulated creators",
        "<h1>Simulated creators</h1><p>The same people on every start. Their numbers grow with the clock.</p>"
        '<div class="scroll"><table><thead><tr><th scope="col">Username</th><th scope="col">Name</th>'
        '<th scope="col" class="number">Followers</th><th scope="col" class="number">Videos</th>'
        f'<th scope="col">Bio</th></tr></thead><tbody>{rows}</tbody></table></div>',
        kind="wide",
    )


def _row(creator: people.Creator, now: float) -> str:
    mark = " ✓" if creator.verified else ""
    return (
        f"<tr><td>{creator.username}</td><td>{html.escape(creator.display_name)}{mark}</td>"
        f'<td class="number">{people.followers(creator, now):,}</td>'
        f'<td class="number">{videos.count(creator, now):,}</td><td dir="auto">{html.escape(creator.bio)}</td></tr>'
    )
