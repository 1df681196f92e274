"""Who asks, who pays, what is left and what things cost."""

from typing import Annotated, Any

import orjson
import strawberry

from graph import admission, extent, fields
from graph.types import account as types
from graph.types import api_key, mutations
from services import callers, errors
from services import credits as ledger

QueryText = Annotated[str, strawberry.argument(description="The document.")]
Variables = Annotated[str | None, strawberry.argument(description="Its variables, as a JSON object in text.")]
OperationName = Annotated[str | None, strawberry.argument(description="Which of its operations.")]


async def viewer(info: strawberry.Info) -> api_key.Viewer:
    found: Any = await fields.plain(info, _viewer(fields.context_of(info).caller))
    return found


def _viewer(caller: callers.Caller) -> dict[str, Any]:
    allowed = caller.allowed_creators
    return {
        "account": fields.Ref("Account", caller.account_id),
        "kind": "ACCESS_TOKEN" if caller.token_expires_at else "API_KEY",
        "keyName": caller.key_name,
        "keyHint": caller.key_hint,
        "mode": "LIVE" if caller.livemode else "TEST",
        "scopes": sorted(caller.scopes),
        "allowedCreators": None if allowed is None else [f"crt_{id.hex}" for id in allowed],
        "expiresAt": caller.token_expires_at or caller.ends_at,
    }


async def account(info: strawberry.Info) -> types.Account:
    return await fields.root(info)


async def plans(info: strawberry.Info) -> list[types.Plan]:
    return await fields.root(info)


async def credits(info: strawberry.Info) -> types.Credits:
    context = fields.context_of(info)
    async with context.services.database.read() as connection:
        balance = await ledger.balance(connection, context.caller.account_id, context.now)
    value = {
        "limit": balance.limit,
        "used": balance.used,
        "remaining": balance.remaining,
        "resetAt": balance.reset_at,
    }
    found: Any = await fields.plain(info, value)
    return found


async def rate_limit(info: strawberry.Info) -> types.RateLimit:
    context = fields.context_of(info)
    stands = context.services.limits.peek(context.caller, context.now)
    value = {"limit": stands.limit, "remaining": stands.remaining, "resetAt": stands.reset_at}
    found: Any = await fields.plain(info, value)
    return found


async def price(
    info: strawberry.Info,
    query: QueryText,
    variables: Variables = strawberry.UNSET,
    operation_name: OperationName = strawberry.UNSET,
) -> mutations.Price:
    quote = await admission.quote(info, query, operation_name or None, _object(variables or "{}"))
    context = fields.context_of(info)
    extent.check_price(context, fields.field_of(info), len(quote.lines))
    async with context.services.database.read() as connection:
        affordable = await ledger.covers(connection, context.caller, quote.max, context.now)
    lines = [
        {"path": line.path, "count": line.count, "credits": line.thousandths / 1000} for line in quote.lines
    ]
    found: Any = await fields.plain(
        info, {"max": quote.max, "base": quote.base, "affordable": affordable, "fields": lines}
    )
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except ValueError as error:
        raise errors.BadUserInput(
            "`variables` must be a JSON object in text.", argument="variables"
        ) from error
    if not isinstance(value, dict):
        raise errors.BadUserInput("`variables` must be a JSON object in text.", argument="variables")
    return value
