"""Instagram's tokens (Meta's refresh_access_token): a code buys an hour, an hour buys sixty days, and those renew themselves."""

import hmac
import secrets
from collections.abc import Mapping

from aiohttp import web

from simulators import instagram_gate, instagram_media, instagram_state, instagram_wire, people
from simulators import instagram_world as worlds


async def exchange(request: web.Request) -> web.Response:
    """A code buys a short-lived token, once; whatever is wrong with the request, the code is spent.

    As multipart, which Instagram's documents show, or urlencoded, which works as well.
    """
    world = request.app[worlds.WORLD]
    form = await _form(request)
    app = _client(world, form)
    if form.get("grant_type") != "authorization_code":
        raise instagram_wire.ExchangeError("Invalid grant_type")
    code = world.ledger.spend_code(app.client_id, form.get("code", ""))
    if code is None:
        raise instagram_wire.ExchangeError("Matching code was not found or was already used")
    now = world.clock.now()
    if code.expires_at <= now:
        raise instagram_wire.ExchangeError("This authorization code has expired")
    if form.get("redirect_uri") != code.redirect_uri:
        raise instagram_wire.ExchangeError(
            "Error validating verification code. Please make sure your redirect_uri is identical to the one used"
        )
    world.ledger.connect(app.client_id, code.creator, code.scopes)
    token = instagram_state.Token(
        app.client_id,
        code.creator,
        code.scopes,
        long=False,
        issued_at=now,
        expires_at=now + world.knobs.short,
    )
    return _granted(world, token)


def _granted(world: worlds.World, token: instagram_state.Token) -> web.Response:
    """The documents wrap it, production does not; the id is the app's own name for the creator."""
    whom = instagram_media.app_scoped_id(token.client_id, people.BY_USERNAME[token.creator])
    told: dict[str, object] = {
        "access_token": _new(world, token),
        "user_id": int(whom) if world.knobs.numeric_ids else whom,
        "permissions": ",".join(token.scopes),
    }
    if world.knobs.exchange_shape == "list":
        told["permissions"] = list(token.scopes)
    return instagram_wire.dump({"data": [told]} if world.knobs.exchange_shape == "data" else told)


async def lengthen(request: web.Request) -> web.Response:
    """A long-lived token for a living short-lived one, against the app's secret."""
    world = request.app[worlds.WORLD]
    _, token = instagram_gate.token(request, query_only=True)
    secret = request.query.get("client_secret", "").encode(errors="replace")
    if request.query.get("grant_type") != "ig_exchange_token":
        raise instagram_wire.GraphError(
            100, message="(#100) Param grant_type must be one of {ig_exchange_token}"
        )
    if not hmac.compare_digest(secret, world.apps[token.client_id].client_secret.encode()):
        raise instagram_wire.GraphError(1, message="Error validating client secret.")
    if token.long:
        raise instagram_wire.GraphError(
            100, message="(#100) Session key invalid. This could be a long-lived token"
        )
    return _long(world, token)


async def refresh(request: web.Request) -> web.Response:
    """A living token's successor, for another sixty days. Not before it is a day old; never after its end."""
    world = request.app[worlds.WORLD]
    secret, token = instagram_gate.token(request, query_only=True)
    if request.query.get("grant_type") != "ig_refresh_token":
        raise instagram_wire.GraphError(
            100, message="(#100) Param grant_type must be one of {ig_refresh_token}"
        )
    if instagram_wire.BASIC not in token.scopes:
        raise instagram_wire.GraphError(10)
    if not token.long or world.clock.now() < token.issued_at + world.knobs.youngest:
        raise instagram_wire.GraphError(100, message="(#100) This token cannot be refreshed yet")
    answer = _long(world, token)
    if not world.knobs.lives_on:
        world.ledger.drop_token(secret)
    return answer


def _long(world: worlds.World, token: instagram_state.Token) -> web.Response:
    now = world.clock.now()
    fresh = instagram_state.Token(
        token.client_id,
        token.creator,
        token.scopes,
        long=True,
        issued_at=now,
        expires_at=now + world.knobs.long,
    )
    told = {"access_token": _new(world, fresh), "token_type": "bearer", "expires_in": world.knobs.long}
    return instagram_wire.dump(told)


def _new(world: worlds.World, token: instagram_state.Token) -> str:
    secret = f"IGAA{secrets.token_urlsafe(60)}ZD"
    world.ledger.put_token(secret, token)
    return secret


async def revoke(request: web.Request) -> web.Response:
    """Take the app off the creator's account; needs a living token."""
    world = request.app[worlds.WORLD]
    _, token = instagram_gate.token(request)
    world.ledger.disconnect(token.client_id, token.creator)
    return instagram_wire.dump({"success": True})


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        raise instagram_wire.ExchangeError("Invalid content type")
    try:
        fields = await request.post()
    except ValueError:
        raise instagram_wire.ExchangeError("Malformed request") from None
    return {name: value for name, value in fields.items() if isinstance(value, str)}


def _client(world: worlds.World, form: Mapping[str, str]) -> worlds.App:
    app = world.apps.get(form.get("client_id", ""))
    if app is None:
        raise instagram_wire.ExchangeError("Invalid platform app")
    secret = form.get("client_secret", "").encode(errors="replace")
    if not hmac.compare_digest(secret, app.client_secret.encode()):
        raise instagram_wire.ExchangeError("Error validating client secret.")
    return app
