"""Read a creator now."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids
from graph.types import connect as types
from services import errors, sync

Start = Annotated[types.SyncCreatorInput, strawberry.argument(description="Which creator.")]
MOST_SECONDS = 10


async def sync_creator(info: strawberry.Info, input: Start) -> types.SyncCreatorPayload:
    if not 0 <= input.wait_seconds <= MOST_SECONDS:
        raise errors.BadUserInput(f"`waitSeconds` must be between 0 and {MOST_SECONDS}.", argument="waitSeconds")
    creator_id = ids.read("Creator", input.id)
    context = fields.context_of(info)
    caller = context.caller
    async with fields.mutation(info) as run:
        begun = await sync.request(run.session, caller.account_id, caller.livemode, creator_id, "MANUAL")
        run.free = begun.joined
        value = {"sync": fields.Ref("Sync", begun.sync_id), "joined": begun.joined}
        payload: Any = await run.payload(value)
    if input.wait_seconds:
        await context.services.events.wait_for_sync(begun.sync_id, input.wait_seconds)
        payload = await fields.reread(info, value)
    return payload  # type: ignore[no-any-return]
