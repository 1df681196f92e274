"""Instagram's consent page: who is asking, who answers, what is granted (Meta's oauth-authorize)."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from simulators import instagram_pages, instagram_state, instagram_wire, people
from simulators import instagram_world as worlds


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked authorization request."""

    app: worlds.App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None


async def ask(request: web.Request) -> web.Response:
    """Show who wants what; `login_hint` preselects the creator."""
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    hint = request.query.get("login_hint", "").removeprefix("@")
    now = request.app[worlds.WORLD].clock.now()
    return instagram_pages.consent(asked.app.name, asked.scopes, hint, now)


async def decide(request: web.Request) -> web.Response:
    """Carry the creator's decision back to the app.

    Form: `creator` (a username), `scope` (repeated), `decision` (approve or deny). The basic scope has no
    toggle: approving grants it.
    """
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    form = await request.post()
    if form.get("decision") == "deny":
        return _denied(request, asked)
    creator, ticked = form.get("creator"), set(form.getall("scope", []))
    if (
        form.get("decision") != "approve"
        or creator not in people.BY_USERNAME
        or not ticked <= set(asked.scopes)
    ):
        return instagram_pages.refusal("creator, scope or decision")
    scopes = tuple(scope for scope in asked.scopes if scope in ticked or scope == instagram_wire.BASIC)
    return _approved(request, asked, str(creator), scopes)


def _approved(request: web.Request, asked: Ask, creator: str, scopes: tuple[str, ...]) -> web.Response:
    world = request.app[worlds.WORLD]
    now = world.clock.now()
    secret = f"AQ{secrets.token_urlsafe(48)}"
    ends = now + world.knobs.code
    code = instagram_state.Code(asked.app.client_id, creator, scopes, asked.redirect_uri, ends)
    world.ledger.put_code(secret, code, now)
    return _back(request, asked.redirect_uri, asked.state, code=secret)


def _denied(request: web.Request, asked: Ask) -> web.Response:
    return _back(
        request,
        asked.redirect_uri,
        asked.state,
        error="access_denied",
        error_reason="user_denied",
        error_description="The user denied your request.",
    )


async def _asked(request: web.Request) -> Ask | web.Response:
    """The checked request, or a page that names what is wrong with it: such a browser is sent nowhere."""
    query = request.query
    app = request.app[worlds.WORLD].apps.get(query.get("client_id", ""))
    if app is None:
        return instagram_pages.refusal("client_id")
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_uri or not await app.redirect_allowed(redirect_uri):
        return instagram_pages.refusal("redirect_uri")
    if query.get("response_type") != "code":
        return instagram_pages.refusal("response_type")
    scopes = tuple(dict.fromkeys(query.get("scope", "").replace(" ", ",").split(",")))
    if not set(scopes) <= set(instagram_wire.SCOPES) or instagram_wire.BASIC not in scopes:
        return instagram_pages.refusal("scope")
    return Ask(app, redirect_uri, scopes, query.get("state"))


def _back(request: web.Request, redirect_uri: str, echoed: str | None, **parameters: str) -> web.Response:
    """302 to the app, its state echoed, and behind it all the `#_` that Instagram appends."""
    if echoed is not None:
        parameters["state"] = echoed
    glue = "&" if "?" in redirect_uri else "?"
    end = "#_" if request.app[worlds.WORLD].knobs.fragment else ""
    location = redirect_uri + glue + urlencode(parameters) + end
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})
