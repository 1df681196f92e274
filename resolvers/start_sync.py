"""Read a creator now."""

from typing import Annotated, Any

import strawberry

from graph import fields
from graph.types import connect as types
from services import errors, sync

Start = Annotated[types.SyncCreatorInput, strawberry.argument(description="Which creator.")]
MOST_SECONDS = 10


async def sync_creator(info: strawberry.Info, input: Start) -> types.SyncCreatorPayload:
    if not 0 <= input.wait_seconds <= MOST_SECONDS:
        raise errors.BadUserInput(
            f"`waitSeconds` must be between 0 and {MOST_SECONDS}.", argument="waitSeconds"
        )
    creator_id = fields.creator_id(info, input.id)
    run, caller = fields.mutation(info), fields.context_of(info).caller
    async with run.transaction() as session:
        begun = await sync.request(session, caller.account_id, caller.livemode, creator_id, "MANUAL")
        value = {"sync": fields.Ref("Sync", begun.sync_id), "joined": begun.joined}
        payload: Any = await run.settle(session, value, free=begun.joined, creator_id=creator_id)
    if input.wait_seconds:
        payload = await _ended(info, begun, value, input.wait_seconds)
    return payload


async def _ended(info: strawberry.Info, begun: sync.Requested, value: dict[str, Any], seconds: int) -> Any:
    """The payload as it stands when the sync has ended, or the time is over."""
    context = fields.context_of(info)
    await sync.wait_until_ended(
        context.services.database,
        context.services.events,
        account_id=context.caller.account_id,
        livemode=context.caller.livemode,
        sync_id=begun.sync_id,
        seconds=seconds,
    )
    return await fields.reread(info, value)
