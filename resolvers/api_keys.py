"""Keys: listed, made, rotated, changed, revoked."""

from typing import Annotated, Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from graph import fields, ids
from graph.context import Context
from graph.pagination import After, Before, First, Last
from graph.types import api_key as types
from graph.types import mutations
from services import api_keys as keys

KeyId = Annotated[strawberry.ID, strawberry.argument(description="key_<32 hex>.")]
Mode = Annotated[types.KeyMode | None, strawberry.argument(description="Only keys of this world: one's own.")]
Status = Annotated[list[types.KeyStatus] | None, strawberry.argument(description="Only keys that stand so.")]
Create = Annotated[mutations.CreateApiKeyInput, strawberry.argument(description="The key to make.")]
Rotate = Annotated[mutations.RotateApiKeyInput, strawberry.argument(description="The key to rotate.")]
Update = Annotated[
    mutations.UpdateApiKeyInput, strawberry.argument(description="The key, and what to change.")
]
Revoke = Annotated[mutations.RevokeApiKeyInput, strawberry.argument(description="The key to revoke.")]


async def api_key(info: strawberry.Info, id: KeyId) -> types.ApiKey | None:
    return await fields.root(info)


async def api_keys(
    info: strawberry.Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    mode: Mode = strawberry.UNSET,
    status: Status = strawberry.UNSET,
) -> types.ApiKeyConnection:
    return await fields.root(info)


async def create_api_key(info: strawberry.Info, input: Create) -> mutations.ApiKeySecretPayload:
    run = fields.mutation(info)
    async with run.transaction() as session:
        made = await _create(session, fields.context_of(info), input)
        payload: Any = await run.settle(
            session, {"apiKey": fields.Ref("ApiKey", made.id), "secret": made.secret}
        )
    return payload


async def _create(session: AsyncSession, context: Context, input: Create) -> keys.NewKey:
    return await keys.create(
        session,
        context.caller.account_id,
        name=input.name,
        mode="LIVE" if input.mode is types.KeyMode.LIVE else "TEST",
        owner=input.owner.name,
        scopes=None if _given(input.scopes) is None else _names(input.scopes or []),
        allowed_ips=input.allowed_ips or None,
        expires_at=input.expires_at or None,
        requests_per_minute=_given(input.requests_per_minute),
        monthly_credits=_given(input.monthly_credits),
        granted_by=context.caller,
        prefix=context.services.key_prefix,
    )


async def rotate_api_key(info: strawberry.Info, input: Rotate) -> mutations.ApiKeySecretPayload:
    context, run = fields.context_of(info), fields.mutation(info)
    async with run.transaction() as session:
        made = await keys.rotate(
            session,
            context.caller.account_id,
            ids.read("ApiKey", input.id),
            overlap_seconds=input.overlap_seconds,
            until_revoked=input.until_revoked,
            granted_by=context.caller,
            prefix=context.services.key_prefix,
        )
        payload: Any = await run.settle(
            session, {"apiKey": fields.Ref("ApiKey", made.id), "secret": made.secret}
        )
    return payload


async def update_api_key(info: strawberry.Info, input: Update) -> mutations.ApiKeyPayload:
    run, caller = fields.mutation(info), fields.context_of(info).caller
    key_id = ids.read("ApiKey", input.id)
    async with run.transaction() as session:
        await keys.update(session, caller.account_id, key_id, granted_by=caller, **_changes(input))
        payload: Any = await run.settle(session, {"apiKey": fields.Ref("ApiKey", key_id)})
    fields.context_of(info).services.callers.forget(caller.account_id)  # here at once; elsewhere by the hint
    return payload


async def revoke_api_key(info: strawberry.Info, input: Revoke) -> mutations.ApiKeyPayload:
    run, caller = fields.mutation(info), fields.context_of(info).caller
    key_id = ids.read("ApiKey", input.id)
    async with run.transaction() as session:
        value = {"apiKey": fields.Ref("ApiKey", key_id)}
        await run.settle(session, value)  # first: a key that ends itself could not pay after it
        await keys.revoke(session, caller.account_id, key_id, granted_by=caller)
        payload: Any = await run.read(session, value)
    return payload


def _names(scopes: list[Any]) -> list[str]:
    return [scope.name for scope in scopes]


def _given(value: Any) -> Any:
    """None for what was left out."""
    return None if value is strawberry.UNSET else value


def _changes(input: mutations.UpdateApiKeyInput) -> dict[str, Any]:
    """What was given, by the service's names. Null ends an expiry or a limit; a name and lists cannot be null."""
    changes: dict[str, Any] = {}
    for name in ("name", "scopes", "allowed_ips", "expires_at", "requests_per_minute", "monthly_credits"):
        value = getattr(input, name)
        if value is strawberry.UNSET or (value is None and name in {"name", "scopes"}):
            continue
        changes[name] = (
            _names(value) if name == "scopes" else ([] if value is None and name == "allowed_ips" else value)
        )
    return changes
