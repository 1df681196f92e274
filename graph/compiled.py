"""The compiled path: an operation of planned roots goes from rows to response without graphql-core's executor.

It reads by the same plans as the ordinary path and makes the same answer. What it cannot do (mutations,
roots that are not planned, introspection, anything that fails) goes the ordinary way, which then also
says what went wrong.
"""

import asyncio
from typing import Any

from graph import roots
from graph.context import Context
from graph.planner.selection import Field


def applies(fields: tuple[Field, ...]) -> bool:
    """Whether every root field is planned."""
    return all(field.name in roots.PLANNED or field.name == "__typename" for field in fields)


async def run(context: Context) -> dict[str, Any]:
    """The response's `data`. Raises whatever a read raises."""
    fields = context.operation.roots(context.variables)
    if len(fields) == 1:
        return {fields[0].key: await _value(context, fields[0])}
    values = await asyncio.gather(*(_value(context, field) for field in fields))
    return {field.key: value for field, value in zip(fields, values, strict=True)}


async def _value(context: Context, field: Field) -> Any:
    if field.name == "__typename":
        return context.operation.root_type
    async with context.services.database.read() as connection:
        return await roots.read(roots.Reader(context, connection, context.delivered, typed=False), field)
