"""The compiled path: an operation of planned roots goes from rows to response without graphql-core's executor.

It reads by the same plans as the ordinary path and makes the same answer. What it cannot do (mutations,
roots that are not planned, introspection, anything that fails) goes the ordinary way, which then also
says what went wrong.
"""

import asyncio
import functools
from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec

from db.session import Database
from graph import roots
from graph.context import Context
from graph.planner.reading import Plan
from graph.planner.selection import Field

_JSON = msgspec.json.Encoder()


def applies(fields: tuple[Field, ...]) -> bool:
    """Whether every root field is planned."""
    for field in fields:  # noqa: SIM110 -- a generator costs more than what it would look at
        if field.name not in roots.PLANNED and field.name != "__typename":
            return False
    return True


async def run(context: Context) -> bytes:
    """The response's `data` as JSON, counted in `context.delivered`. Raises whatever a read raises, having counted nothing."""
    try:
        return _JSON.encode(await _data(context))
    except BaseException:
        context.delivered.clear()
        raise


async def _data(context: Context) -> dict[str, Any]:
    fields = context.operation.roots(context.variables)
    if len(fields) == 1:
        return {fields[0].key: await _value(context, fields[0])}
    # Each to its end, also where another fails: a read that is cut off takes its connection along.
    values = await asyncio.gather(*(_value(context, field) for field in fields), return_exceptions=True)
    failed = [value for value in values if isinstance(value, BaseException)]
    if failed:
        raise next((error for error in failed if isinstance(error, TimeoutError)), failed[0])
    return {field.key: value for field, value in zip(fields, values, strict=True)}


async def _value(context: Context, field: Field) -> Any:
    if field.name == "__typename":
        return context.operation.root_type
    reader = roots.Reader(
        context, functools.partial(_fetch, context.services.database), context.delivered, typed=False
    )
    return await roots.read(reader, field)


def _fetch(database: Database, plan: Plan, arguments: Sequence[Any]) -> Awaitable[Any]:
    """What reads one row alone goes together with its like of other requests."""
    if plan.for_several is not None:
        return database.gathered.fetch(plan.statement.sql, plan.for_several, arguments)
    return database.fetch(plan.statement.sql, arguments)
