"""Creators, one or many."""

from typing import Annotated

import strawberry

from graph import fields
from graph.pagination import After, Before, First, Last
from graph.types import creator as types

CreatorId = Annotated[strawberry.ID, strawberry.argument(description="crt_<32 hex>.")]
Platform = Annotated[types.Platform, strawberry.argument(description="On which platform.")]
Username = Annotated[str | None, strawberry.argument(description="The name in addresses, exactly.")]
ExternalId = Annotated[str | None, strawberry.argument(description="The platform's own id.")]
Reference = Annotated[str | None, strawberry.argument(description="The partner's own id.")]
FilterArgument = Annotated[types.CreatorFilter | None, strawberry.argument(description="Which creators.")]
OrderArgument = Annotated[
    types.CreatorOrder | None, strawberry.argument(description="Order; CONNECTED_AT DESC when absent.")
]


async def creator(info: strawberry.Info, id: CreatorId) -> types.Creator | None:
    return await fields.root(info)


async def creator_by(
    info: strawberry.Info,
    platform: Platform,
    username: Username = strawberry.UNSET,
    external_id: ExternalId = strawberry.UNSET,
    reference: Reference = strawberry.UNSET,
) -> types.Creator | None:
    return await fields.root(info)


async def creators(
    info: strawberry.Info,
    first: First = strawberry.UNSET,
    after: After = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    filter: FilterArgument = strawberry.UNSET,
    order_by: OrderArgument = strawberry.UNSET,
) -> types.CreatorConnection:
    return await fields.root(info)
