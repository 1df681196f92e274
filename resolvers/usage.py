"""What was used."""

import strawberry

from graph.types import usage as types
from services import errors


async def usage(
    info: strawberry.Info, from_: types.UsageFrom = strawberry.UNSET, to: types.UsageTo = strawberry.UNSET
) -> types.Usage:
    raise errors.NotImplementedYet("usage")
