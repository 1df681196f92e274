"""What was used."""

import strawberry

from graph import fields
from graph.types import usage as types


async def usage(
    info: strawberry.Info, from_: types.UsageFrom = strawberry.UNSET, to: types.UsageTo = strawberry.UNSET
) -> types.Usage:
    return await fields.root(info)
