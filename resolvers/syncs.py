"""A sync, and how a connect stands."""

from typing import Annotated, Any

import strawberry

from graph import fields
from graph.types import connect
from graph.types import sync as types
from services import connecting

SyncId = Annotated[strawberry.ID, strawberry.argument(description="syn_<32 hex>.")]
State = Annotated[str, strawberry.argument(description="As connectCreator answered it.")]


async def sync(info: strawberry.Info, id: SyncId) -> types.Sync | None:
    return await fields.root(info)


async def connect_attempt(info: strawberry.Info, state: State) -> connect.ConnectAttempt | None:
    context = fields.context_of(info)
    async with context.services.database.read() as connection:
        attempt = await connecting.attempt(
            connection, context.caller.account_id, context.caller.livemode, state, context.now
        )
    found: Any = None if attempt is None else await fields.plain(info, plain(attempt))
    return found


def plain(attempt: connecting.Attempt) -> dict[str, Any]:
    failure = {"code": attempt.error_code, "message": attempt.error_message, "retryAt": None}
    return {
        "status": attempt.status,
        "platform": attempt.platform,
        "creator": attempt.creator_id and fields.Ref("Creator", attempt.creator_id),
        "sync": attempt.sync_id and fields.Ref("Sync", attempt.sync_id),
        "error": failure if attempt.error_code else None,
        "expiresAt": attempt.expires_at,
    }
