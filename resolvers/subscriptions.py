"""Live updates. Their transports are not built yet, and the answer says so."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from graph.types.connect import ConnectAttempt
from graph.types.creator import Creator
from graph.types.sync import Sync
from services import errors

SyncId = Annotated[strawberry.ID, strawberry.argument(description="syn_<32 hex>.")]
State = Annotated[str, strawberry.argument(description="As connectCreator answered it.")]
CreatorIds = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="Only these; all without it.")
]


async def sync_progress(info: strawberry.Info, id: SyncId) -> AsyncIterator[Sync]:
    raise errors.NotImplementedYet("syncProgress")
    yield  # what makes it a stream


async def connect_attempt_updated(info: strawberry.Info, state: State) -> AsyncIterator[ConnectAttempt]:
    raise errors.NotImplementedYet("connectAttemptUpdated")
    yield  # what makes it a stream


async def creator_updated(
    info: strawberry.Info, ids: CreatorIds = strawberry.UNSET
) -> AsyncIterator[Creator]:
    raise errors.NotImplementedYet("creatorUpdated")
    yield  # what makes it a stream
