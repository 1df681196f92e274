"""Google's consent page: who is asking, who answers, what is granted."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from simulators import apps, people, state, youtube_pages, youtube_state, youtube_wire, youtube_world


@dataclass(frozen=True, slots=True)
class Ask:
    """A checked authorization request."""

    app: apps.App
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    challenge: str | None
    offline: bool
    again: bool


async def ask(request: web.Request) -> web.Response:
    """Show who wants what; `login_hint` preselects the creator."""
    google = request.app[youtube_world.YOUTUBE]
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    hint = request.query.get("login_hint", "").removeprefix("@")
    return youtube_pages.consent(asked.app.name, asked.scopes, hint, google.clock.now())


async def decide(request: web.Request) -> web.Response:
    """Carry the creator's decision back to the app.

    Form: `creator` (a username), `scope` (repeated), `decision` (approve or deny).
    """
    asked = await _asked(request)
    if isinstance(asked, web.Response):
        return asked
    form = await request.post()
    if form.get("decision") == "deny":
        return _back(asked, error="access_denied")
    creator, ticked = form.get("creator"), set(form.getall("scope", []))
    if (
        form.get("decision") != "approve"
        or creator not in people.BY_USERNAME
        or not ticked <= set(asked.scopes)
    ):
        return youtube_pages.refusal("invalid_request", "creator, scope or decision", 400)
    scopes = tuple(scope for scope in asked.scopes if scope in ticked)
    if not scopes:
        return _back(asked, error="access_denied")
    return _approved(request, asked, state.Consent(asked.app.client_key, str(creator), scopes))


def _approved(request: web.Request, asked: Ask, consent: state.Consent) -> web.Response:
    """A refresh token is in it on the first offline consent, later only where `prompt=consent` asks again."""
    google = request.app[youtube_world.YOUTUBE]
    now = google.clock.now()
    code = f"4/0A{secrets.token_urlsafe(48)}"
    offline = asked.offline and (asked.again or not google.state.known(consent.client_key, consent.creator))
    terms = youtube_state.Code(consent, asked.redirect_uri, asked.challenge, offline, now + google.knobs.code)
    google.state.add_youtube_code(code, terms, now)
    return _back(asked, code=code, scope=" ".join(consent.scopes), authuser="0", prompt="consent")


async def _asked(request: web.Request) -> Ask | web.Response:
    """The checked request, or the page that answers a wrong one: Google redirects nobody for it."""
    query = request.query
    app = request.app[youtube_world.YOUTUBE].apps.get(query.get("client_id", ""))
    if app is None:
        return youtube_pages.refusal("invalid_client", "The OAuth client was not found.", 401)
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_uri or not await app.redirect_allowed(redirect_uri):
        return youtube_pages.refusal("redirect_uri_mismatch", "redirect_uri", 400)
    scopes = tuple(dict.fromkeys(query.get("scope", "").split()))
    challenge = query.get("code_challenge") or None
    wrong = _wrong(query.get("response_type"), scopes, challenge, query.get("code_challenge_method"))
    if wrong is not None:
        return youtube_pages.refusal(*wrong, 400)
    prompts = query.get("prompt", "").split()
    offline = query.get("access_type") == "offline"
    return Ask(app, redirect_uri, scopes, query.get("state"), challenge, offline, "consent" in prompts)


def _wrong(
    response_type: str | None, scopes: tuple[str, ...], challenge: str | None, method: str | None
) -> tuple[str, str] | None:
    if response_type != "code":
        return "unsupported_response_type", "response_type"
    if not scopes or not set(scopes) <= set(youtube_wire.SCOPES):
        return "invalid_scope", "scope"
    if challenge and method != "S256":
        return "invalid_request", "code_challenge_method"
    return None


def _back(asked: Ask, **parameters: str) -> web.Response:
    """302 to the app, its state echoed."""
    if asked.state is not None:
        parameters = {"state": asked.state, **parameters}
    glue = "&" if "?" in asked.redirect_uri else "?"
    location = asked.redirect_uri + glue + urlencode(parameters)
    return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})
