"""Anything by its global id."""

from typing import Annotated

import strawberry

from graph import fields
from graph.types.node import Node

NodeId = Annotated[strawberry.ID, strawberry.argument(description="A global id of any type.")]
NodeIds = Annotated[
    list[strawberry.ID],
    strawberry.argument(name="ids", description="At most 100 global ids of any types."),
]


async def node(info: strawberry.Info, id: NodeId) -> Node | None:
    return await fields.root(info)


async def nodes(info: strawberry.Info, wanted: NodeIds) -> list[Node | None]:
    return await fields.root(info)
