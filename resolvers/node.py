"""Anything by its global id."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids, pagination
from graph.types.node import Node
from services import errors

NodeId = Annotated[strawberry.ID, strawberry.argument(description="A global id of any type.")]
NodeIds = Annotated[
    list[strawberry.ID], strawberry.argument(name="ids", description="At most 100 global ids of any types.")
]


async def node(info: strawberry.Info, id: NodeId) -> Node | None:
    found: Any = (await fields.nodes(info, [ids.read_any(id, "id")]))[0]
    return found


async def nodes(info: strawberry.Info, wanted: NodeIds) -> list[Node | None]:
    if len(wanted) > pagination.MOST:
        raise errors.BadUserInput(f"`ids` takes at most {pagination.MOST} ids.", argument="ids")
    found: Any = await fields.nodes(info, [ids.read_any(id, "ids") for id in wanted])
    return found
