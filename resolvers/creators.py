"""Creators, one or many."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids
from graph.pagination import After, Before, First, Last
from graph.types import creator as types
from services import errors

CreatorId = Annotated[strawberry.ID, strawberry.argument(description="crt_<32 hex>.")]
FilterArgument = Annotated[types.CreatorFilter | None, strawberry.argument(description="Which creators.")]
OrderArgument = Annotated[
    types.CreatorOrder | None, strawberry.argument(description="Order; CONNECTED_AT DESC when absent.")
]


async def creator(info: strawberry.Info, id: CreatorId) -> types.Creator | None:
    found: Any = await fields.node(info, "Creator", ids.read("Creator", id))
    return found


async def creator_by(
    info: strawberry.Info,
    platform: Annotated[types.Platform, strawberry.argument(description="On which platform.")],
    username: Annotated[
        str | None, strawberry.argument(description="The name in addresses, exactly.")
    ] = strawberry.UNSET,
    external_id: Annotated[
        str | None, strawberry.argument(description="The platform's own id.")
    ] = strawberry.UNSET,
    reference: Annotated[
        str | None, strawberry.argument(description="The partner's own id.")
    ] = strawberry.UNSET,
) -> types.Creator | None:
    if sum(bool(given) for given in (username, external_id, reference)) != 1:
        raise errors.BadUserInput(
            "Give exactly one of `username`, `externalId` and `reference`.", argument="username"
        )
    found: Any = await fields.listed(info)
    return found


async def creators(
    info: strawberry.Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: FilterArgument = strawberry.UNSET,
    order_by: OrderArgument = strawberry.UNSET,
) -> types.CreatorConnection:
    found: Any = await fields.listed(info)
    return found
