"""TikTok's consent page: who is asking, who answers, what is granted (developers.tiktok.com/doc/login-kit-web)."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from simulators import apps, people, state, tiktok_pages, tiktok_wire, world


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked authorization request."""

    app: apps.App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    challenge: str | None


async def ask(request: web.Request) -> web.Response:
    """Show who wants what; `login_hint` preselects the creator."""
    shared = request.app[world.WORLD]
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    hint = request.query.get("login_hint", "").removeprefix("@")
    return tiktok_pages.consent(asked.app.name, asked.scopes, hint, shared.clock.now())


async def decide(request: web.Request) -> web.Response:
    """Carry the creator's decision back to the app.

    Form: `creator` (a username), `scope` (repeated), `decision` (approve or deny). user.info.basic has no toggle:
    where it was asked for, approving grants it.
    """
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    form = await request.post()
    if form.get("decision") == "deny":
        return _denied(asked)
    creator, ticked = form.get("creator"), set(form.getall("scope", []))
    if (
        form.get("decision") != "approve"
        or creator not in people.BY_USERNAME
        or not ticked <= set(asked.scopes)
    ):
        return tiktok_pages.refusal("creator, scope or decision", 400)
    scopes = tuple(s for s in asked.scopes if s in ticked or s == tiktok_wire.ALWAYS_GRANTED)
    if not scopes:
        return _denied(asked)
    return _approved(request, asked, state.Consent(asked.app.client_key, str(creator), scopes))


def _approved(request: web.Request, asked: Ask, consent: state.Consent) -> web.Response:
    shared = request.app[world.WORLD]
    now = shared.clock.now()
    code = f"{secrets.token_urlsafe(32)}*0!4471.va"  # TikTok's codes hold characters that URLs must escape
    terms = state.Code(consent, asked.redirect_uri, asked.challenge, now + shared.knobs.lifetimes.code)
    shared.state.add_code(code, terms, now)
    return _back(asked.redirect_uri, asked.state, code=code, scopes=",".join(consent.scopes))


def _denied(asked: Ask) -> web.Response:
    return _back(
        asked.redirect_uri,
        asked.state,
        error="access_denied",
        error_description="The user denied the request.",
    )


async def _asked(request: web.Request) -> Ask | web.Response:
    """The checked request, or the answer to a wrong one.

    Nothing is sent to a redirect URI before it is known to be the app's: until then errors are a page.
    """
    query = request.query
    app = request.app[world.WORLD].apps.get(query.get("client_key", ""))
    if app is None:
        return tiktok_pages.refusal("client_key", 400)
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_uri or not await app.redirect_allowed(redirect_uri):
        return tiktok_pages.refusal("redirect_uri", 400)
    challenge = query.get("code_challenge")
    if app.pkce_required and not challenge:
        return tiktok_pages.refusal("code_challenge", 400)
    scopes = tuple(dict.fromkeys(query.get("scope", "").split(",")))
    error = _error(query.get("response_type"), scopes, challenge, query.get("code_challenge_method"))
    if error is not None:
        return _back(redirect_uri, query.get("state"), error=error[0], error_description=error[1])
    return Ask(app, redirect_uri, scopes, query.get("state"), challenge or None)


def _error(
    response_type: str | None, scopes: tuple[str, ...], challenge: str | None, method: str | None
) -> tuple[str, str] | None:
    if response_type != "code":
        return "unsupported_response_type", "The response type must be code."
    if not set(scopes) <= set(tiktok_wire.SCOPES):
        return "invalid_scope", "The requested scope is invalid, unknown, or malformed."
    if challenge and method != "S256":
        return "invalid_request", "The code challenge method must be S256."
    return None


def _back(redirect_uri: str, echoed: str | None, **parameters: str) -> web.Response:
    """302 to the app, its state echoed."""
    if echoed is not None:
        parameters["state"] = echoed
    glue = "&" if "?" in redirect_uri else "?"
    location = redirect_uri + glue + urlencode(parameters)
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})
