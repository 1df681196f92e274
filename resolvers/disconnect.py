"""Revoke, and erase."""

from typing import Annotated, Any

import strawberry

from graph import fields, ids
from graph.types import connect as types
from services import erase

Disconnect = Annotated[types.DisconnectCreatorInput, strawberry.argument(description="Which creator.")]


async def disconnect_creator(info: strawberry.Info, input: Disconnect) -> types.DisconnectCreatorPayload:
    context = fields.context_of(info)
    raise NotImplementedError(context, erase, ids, input)
