"""Live updates: what to read again, and when. Each event is read, priced and settled by graph.subscriptions."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any

import strawberry

from graph import fields, ids, pagination
from graph.types.connect import ConnectAttempt
from graph.types.creator import Creator
from graph.types.sync import Sync
from resolvers import syncs
from services import errors, following

SyncId = Annotated[strawberry.ID, strawberry.argument(description="syn_<32 hex>.")]
State = Annotated[str, strawberry.argument(description="As connectCreator answered it.")]
CreatorIds = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Only these; all without it.")
]


async def sync_progress(info: strawberry.Info, id: SyncId) -> AsyncIterator[Sync]:
    async with aclosing(_follower(info).sync(ids.read("Sync", id))) as ticks:
        async for sync_id in ticks:
            event: Any = fields.Ref("Sync", sync_id)
            yield event


async def connect_attempt_updated(info: strawberry.Info, state: State) -> AsyncIterator[ConnectAttempt]:
    async with aclosing(_follower(info).attempt(state)) as attempts:
        async for attempt in attempts:
            event: Any = syncs.plain(attempt)
            yield event


async def creator_updated(
    info: strawberry.Info, ids: CreatorIds = strawberry.UNSET
) -> AsyncIterator[Creator]:
    async with aclosing(_follower(info).creators(_creator_ids(ids))) as ticks:
        async for creator_id in ticks:
            event: Any = fields.Ref("Creator", creator_id)
            yield event


def _creator_ids(given: list[strawberry.ID] | None) -> list[Any] | None:
    if given is None or given is strawberry.UNSET:
        return None
    if len(given) > pagination.MOST:
        raise errors.BadUserInput(f"`ids` takes at most {pagination.MOST} ids.", argument="ids")
    return [ids.read("Creator", id, "ids") for id in given]


def _follower(info: strawberry.Info) -> following.Follower:
    context = fields.context_of(info)
    services, caller = context.services, context.caller
    return following.Follower(
        services.database, services.events, caller.account_id, caller.livemode, caller.allowed_creators
    )
