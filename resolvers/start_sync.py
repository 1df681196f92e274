"""Read a creator now."""

import asyncio
from typing import Annotated, Any

import strawberry
import structlog

from graph import fields, in_time
from graph.types import connect as types
from services import errors, sync

Start = Annotated[types.SyncCreatorInput, strawberry.argument(description="Which creator.")]
MOST_SECONDS = 10
# Of the operation's time: all of its waits leave so much, and reading after them so much of that, to other fields.
AFTER_WAITING, FOR_OTHERS = 5.0, 2.0

log = structlog.get_logger()


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
        payload = await _later(info, begun, value, input.wait_seconds) or payload
    return payload


async def _later(info: strawberry.Info, begun: sync.Requested, value: dict[str, Any], seconds: int) -> Any:
    """The payload after the wait; None where there is no time for it, or it cannot be read.

    No reason to fail: the sync is begun and charged. Raises NotFound where the creator was erased meanwhile.
    """
    context = fields.context_of(info)
    try:
        async with asyncio.timeout(in_time.left(context) - FOR_OTHERS):
            return await _ended(info, begun, value, min(seconds, in_time.left(context) - AFTER_WAITING))
    except errors.NotFound:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever it is, what was settled is told
        log.warning("sync.not_awaited", kind=type(error).__name__, request_id=context.asked.request_id)
        return None


async def _ended(info: strawberry.Info, begun: sync.Requested, value: dict[str, Any], seconds: float) -> Any:
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
