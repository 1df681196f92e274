"""Google's token endpoint and revocation (OAuth 2.0 for web server applications): flat errors, a refresh token that stays the same."""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from aiohttp import web

from simulators import apps, state, youtube_wire, youtube_world

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")


async def token(request: web.Request) -> web.Response:
    """Exchange a code or a refresh token for an access token."""
    google = request.app[youtube_world.YOUTUBE]
    form = await _form(request)
    app = _client(google, form)
    match form.get("grant_type"):
        case "authorization_code":
            return _exchange(google, app, form)
        case "refresh_token":
            return _refresh(google, app, form)
        case None | "":
            raise youtube_wire.TokenRefusal("invalid_request", "Required parameter is missing: grant_type")
        case other:
            raise youtube_wire.TokenRefusal("unsupported_grant_type", f"Invalid grant_type: {other[:40]}")


def _exchange(google: youtube_world.Google, app: apps.App, form: Mapping[str, str]) -> web.Response:
    """A code buys tokens once; whatever is wrong with the request that presents it, the code is spent."""
    now = google.clock.now()
    code = google.state.take_youtube_code(app.client_key, _given(form, "code"))
    if code is None or code.expires_at <= now:
        raise youtube_wire.TokenRefusal("invalid_grant", "Bad Request")
    if form.get("redirect_uri") != code.redirect_uri:
        raise youtube_wire.TokenRefusal("redirect_uri_mismatch", "Bad Request")
    verifier = form.get("code_verifier", "")
    if code.challenge is not None and not _proves(verifier, code.challenge):
        missing = "Invalid" if verifier else "Missing"
        raise youtube_wire.TokenRefusal("invalid_grant", f"{missing} code verifier.")
    access = f"ya29.{secrets.token_urlsafe(80)}"
    refresh = f"1//0{secrets.token_urlsafe(48)}" if code.offline else None
    google.state.open_grant(code.consent, access, refresh, now=now, until=now + google.knobs.access)
    return _told(google, code.consent, access, refresh)


def _refresh(google: youtube_world.Google, app: apps.App, form: Mapping[str, str]) -> web.Response:
    now = google.clock.now()
    access = f"ya29.{secrets.token_urlsafe(80)}"
    consent = google.state.renew(
        app.client_key,
        _given(form, "refresh_token"),
        access,
        life=google.knobs.life,
        now=now,
        until=now + google.knobs.access,
    )
    if consent is None:
        raise youtube_wire.TokenRefusal("invalid_grant", "Token has been expired or revoked.")
    return _told(google, consent, access, None)


async def revoke(request: web.Request) -> web.Response:
    """End everything the token's person gave its app, by a refresh or an access token; asks for no secret."""
    google = request.app[youtube_world.YOUTUBE]
    form = await _form(request)
    if not google.state.revoke_token(_given(form, "token"), google.clock.now()):
        raise youtube_wire.TokenRefusal("invalid_token", "Token expired or revoked")
    return youtube_wire.dump({})


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise youtube_wire.TokenRefusal("invalid_request", "Bad Request")
    try:
        fields = await request.post()
    except ValueError:
        raise youtube_wire.TokenRefusal("invalid_request", "Bad Request") from None
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _client(google: youtube_world.Google, form: Mapping[str, str]) -> apps.App:
    app = google.apps.get(form.get("client_id", ""))
    if app is None:
        raise youtube_wire.TokenRefusal("invalid_client", "The OAuth client was not found.", 401)
    secret = form.get("client_secret", "").encode(errors="replace")
    if not hmac.compare_digest(secret, app.client_secret.encode()):
        raise youtube_wire.TokenRefusal("invalid_client", "Unauthorized", 401)
    return app


def _given(form: Mapping[str, str], name: str) -> str:
    if not form.get(name):
        raise youtube_wire.TokenRefusal("invalid_request", f"Missing required parameter: {name}")
    return form[name]


def _proves(verifier: str, challenge: str) -> bool:
    """The RFC's S256: base64url without padding."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=")
    return hmac.compare_digest(digest, challenge.encode(errors="replace"))


def _told(
    google: youtube_world.Google, consent: state.Consent, access: str, refresh: str | None
) -> web.Response:
    body: dict[str, object] = {"access_token": access, "expires_in": google.knobs.access - 1}
    if refresh is not None:
        body["refresh_token"] = refresh
        if google.knobs.testing:
            body["refresh_token_expires_in"] = 7 * youtube_world.DAY - 1
    response = youtube_wire.dump(body | {"scope": " ".join(consent.scopes), "token_type": "Bearer"})
    response.headers["Cache-Control"] = "no-store"
    return response
