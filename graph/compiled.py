"""The compiled path: an operation of planned roots goes from rows to response without graphql-core's executor.

It reads by the same plans as the ordinary path and makes the same answer. What it cannot do (mutations,
roots that are not planned, introspection, anything that fails) goes the ordinary way, which then also
says what went wrong.
"""

import asyncio
from typing import Any

from graph import roots
from graph.context import Context
from graph.planner.reading import Delivered
from graph.planner.selection import Field


def applies(fields: tuple[Field, ...]) -> bool:
    """Whether every root field is planned."""
    return all(field.name in roots.PLANNED or field.name == "__typename" for field in fields)


async def run(context: Context) -> dict[str, Any]:
    """The response's `data`; `context.delivered` counts it once all of it is read. Raises whatever a read raises."""
    fields = context.operation.roots(context.variables)
    delivered = Delivered()
    if len(fields) == 1:
        data = {fields[0].key: await _value(context, fields[0], delivered)}
    else:
        async with asyncio.TaskGroup() as group:
            reads = {field.key: group.create_task(_value(context, field, delivered)) for field in fields}
        data = {key: read.result() for key, read in reads.items()}
    context.delivered = delivered
    return data


async def _value(context: Context, field: Field, delivered: Delivered) -> Any:
    if field.name == "__typename":
        return context.operation.root_type
    async with context.services.database.read() as connection:
        return await roots.read(roots.Reader(context, connection, delivered, typed=False), field)
