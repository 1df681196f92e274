"""TikTok's token endpoint and revocation (oauth-user-access-token-management): flat errors, strict rotation, hex PKCE."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from aiohttp import web

from simulators import apps, outbox, people, state, tiktok_wire, world

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


async def token(request: web.Request) -> web.Response:
    """Exchange a code or a refresh token for a fresh pair."""
    shared = request.app[world.WORLD]
    form = await _form(request)
    app = _client(shared, form)
    match form.get("grant_type"):
        case "authorization_code":
            return _exchange(shared, app, form)
        case "refresh_token":
            return _refresh(shared, app, form)
        case None | "":
            raise tiktok_wire.TokenError("invalid_request", "The request parameters are malformed.")
        case _:
            raise tiktok_wire.TokenError("unsupported_grant_type", "The grant type is not supported.")


def _exchange(shared: world.World, app: apps.App, form: Mapping[str, str]) -> web.Response:
    """A code buys tokens once; whatever is wrong with the request that presents it, the code is spent."""
    now = shared.clock.now()
    code = shared.state.take_code(app.client_key, _given(form, "code"))
    if code is None or code.expires_at <= now:
        raise tiktok_wire.TokenError("invalid_grant", "Authorization code is expired.")
    if form.get("redirect_uri") != code.redirect_uri:
        raise tiktok_wire.TokenError(
            "invalid_request", "Redirect_uri is not matched with the uri when requesting code."
        )
    if code.challenge is not None and not _proves(form.get("code_verifier", ""), code.challenge):
        raise tiktok_wire.TokenError("invalid_request", "Code verifier or code challenge is invalid.")
    tokens = _fresh(shared, now)
    shared.state.grant(code.consent, tokens, now)
    return _pair(code.consent, tokens, now)


def _refresh(shared: world.World, app: apps.App, form: Mapping[str, str]) -> web.Response:
    """A refresh token works once: the answer's takes its place (and the knob `spent_lives` may keep the old one

    alive for a while). The access token it came with lives on.

    Whether TikTok restarts the refresh token's 180 days is not documented; here it does.
    """
    now = shared.clock.now()
    tokens = _fresh(shared, now)
    given, lives = _given(form, "refresh_token"), shared.knobs.spent_lives
    consent = shared.state.rotate(app.client_key, given, tokens, now, lives)
    if consent is None:
        raise tiktok_wire.TokenError("invalid_grant", "Refresh token is invalid or expired.")
    return _pair(consent, tokens, now)


async def revoke(request: web.Request) -> web.Response:
    """Take the app off the creator's connected apps; needs a living access token, and answers with nothing."""
    shared = request.app[world.WORLD]
    form = await _form(request)
    app = _client(shared, form)
    now = shared.clock.now()
    consent = shared.state.consent_of(_given(form, "token"), now)
    if consent is None or consent.client_key != app.client_key:
        raise tiktok_wire.TokenError("invalid_request", "The access token is invalid or expired.")
    shared.state.revoke(app.client_key, consent.creator)
    shared.outbox.authorization_removed(app, consent.creator, outbox.Reason.DEVELOPER_REVOKED, now)
    return web.Response()


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise tiktok_wire.TokenError(
            "invalid_request", "Only `application/x-www-form-urlencoded` is accepted as Content-Type."
        )
    try:
        fields = await request.post()
    except ValueError:
        raise tiktok_wire.TokenError("invalid_request", "The request parameters are malformed.") from None
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _client(shared: world.World, form: Mapping[str, str]) -> apps.App:
    app = shared.apps.get(form.get("client_key", ""))
    secret = form.get("client_secret", "").encode(errors="replace")
    if app is None or not hmac.compare_digest(secret, app.client_secret.encode()):
        raise tiktok_wire.TokenError("invalid_client", "Client key or secret is incorrect.")
    return app


def _given(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise tiktok_wire.TokenError("invalid_request", "The request parameters are malformed.")
    return form[name]


def _proves(verifier: str, challenge: str) -> bool:
    """TikTok's S256: the challenge is the lowercase hex digest of the verifier (login-kit-desktop)."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).hexdigest()
    return hmac.compare_digest(digest.encode(), challenge.encode(errors="replace"))


def _fresh(shared: world.World, now: float) -> state.Tokens:
    lifetimes = shared.knobs.lifetimes
    return state.Tokens(
        access=f"act.{secrets.token_urlsafe(40)}!4567.va",
        access_expires_at=now + lifetimes.access,
        refresh=f"rft.{secrets.token_urlsafe(40)}!4570.va",
        refresh_expires_at=now + lifetimes.refresh,
    )


def _pair(consent: state.Consent, tokens: state.Tokens, now: float) -> web.Response:
    response = tiktok_wire.dump({
        "open_id": people.identity(consent.client_key, consent.creator),
        "scope": ",".join(consent.scopes),
        "access_token": tokens.access,
        "expires_in": round(tokens.access_expires_at - now),
        "refresh_token": tokens.refresh,
        "refresh_expires_in": round(tokens.refresh_expires_at - now),
        "token_type": "Bearer",
    })  # fmt: skip
    response.headers["Cache-Control"] = "no-store"
    return response
