"""Keys: listed, made, rotated, changed, revoked."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids
from graph.pagination import After, Before, First, Last
from graph.types import api_key as types
from graph.types import mutations
from services import api_keys as keys
from services import errors

KeyId = Annotated[strawberry.ID, strawberry.argument(description="key_<32 hex>.")]
Mode = Annotated[types.KeyMode | None, strawberry.argument(description="Only keys of this world: one's own.")]
Status = Annotated[list[types.KeyStatus] | None, strawberry.argument(description="Only keys that stand so.")]
Create = Annotated[mutations.CreateApiKeyInput, strawberry.argument(description="The key to make.")]
Rotate = Annotated[mutations.RotateApiKeyInput, strawberry.argument(description="The key to rotate.")]
Update = Annotated[mutations.UpdateApiKeyInput, strawberry.argument(description="The key, and what to change.")]
Revoke = Annotated[mutations.RevokeApiKeyInput, strawberry.argument(description="The key to revoke.")]


async def api_key(info: strawberry.Info, id: KeyId) -> types.ApiKey | None:
    found: Any = await fields.node(info, "ApiKey", ids.read("ApiKey", id))
    return found


async def api_keys(
    info: strawberry.Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    mode: Mode = strawberry.UNSET,
    status: Status = strawberry.UNSET,
) -> types.ApiKeyConnection:
    if mode and (mode is types.KeyMode.LIVE) != fields.context_of(info).caller.livemode:
        raise errors.Forbidden(
            f"This key sees its own mode only, not {mode.value}.", reason="MODE", remedy="Ask with a key of that mode."
        )
    found: Any = await fields.listed(info)
    return found  # type: ignore[no-any-return]


async def create_api_key(info: strawberry.Info, input: Create) -> mutations.ApiKeySecretPayload:
    context = fields.context_of(info)
    async with fields.mutation(info) as run:
        made = await keys.create(run.session, context.caller, _given(input), prefix=context.services.key_prefix)
        payload: Any = await run.payload({"apiKey": fields.Ref("ApiKey", made.id), "secret": made.secret})
    return payload  # type: ignore[no-any-return]
