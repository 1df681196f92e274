"""The compiled path: an operation of planned roots goes from rows to response without graphql-core's executor.

It reads by the same plans as the ordinary path and makes the same answer. What it cannot do (mutations, roots that
are not planned, introspection, a root that fails) goes the ordinary way, which then also says what went wrong; the
planned roots beside it do not.
"""

import asyncio
import functools
from collections.abc import Awaitable, Sequence
from typing import Any

import msgspec
import orjson

from db.session import Database
from graph import roots
from graph.context import Context
from graph.planner.reading import Delivered, Plan
from graph.planner.selection import Field

_JSON = msgspec.json.Encoder()


def applies(fields: tuple[Field, ...]) -> bool:
    """Whether every root field is planned."""
    for field in fields:  # noqa: SIM110 -- a generator costs more than what it would look at
        if field.name not in roots.PLANNED and field.name != "__typename":
            return False
    return True


def part(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The roots among others that are planned; none where nothing but __typename would be."""
    if applies(fields):
        return fields
    planned = tuple(field for field in fields if field.name in roots.PLANNED or field.name == "__typename")
    return planned if any(field.name != "__typename" for field in planned) else ()


async def run(context: Context, fields: tuple[Field, ...]) -> list[Any]:
    """Each root's value as JSON, counted in `context.delivered`; what failed stands in its place, having counted nothing.

    While the answer waits to be settled, bytes cost nothing to keep, objects a walk.
    """
    if len(fields) == 1:
        return [await _tried(context, fields[0], context.delivered)]
    counted = [Delivered() for _ in fields]
    # Each to its end, also where another fails: a read that is cut off takes its connection along.
    values = await asyncio.gather(
        *(_tried(context, field, delivered) for field, delivered in zip(fields, counted, strict=True)),
        return_exceptions=True,
    )
    for value, delivered in zip(values, counted, strict=True):
        if isinstance(value, BaseException) and not isinstance(value, Exception):
            raise value
        context.delivered.take(delivered)
    return values


async def _tried(context: Context, field: Field, delivered: Delivered) -> orjson.Fragment | Exception:
    try:
        if field.name == "__typename":
            value = context.operation.root_type
        else:
            value = await roots.read(_reader(context, delivered), field)
        return orjson.Fragment(_JSON.encode(value))
    except Exception as error:  # noqa: BLE001 -- nothing is lost: a read is simply read again, and reported there
        delivered.clear()
        return error


def _reader(context: Context, delivered: Delivered) -> roots.Reader:
    fetch = functools.partial(_fetch, context.services.database)
    return roots.Reader(context, fetch, delivered, typed=False, apart=context.large)


def _fetch(database: Database, plan: Plan, arguments: Sequence[Any]) -> Awaitable[Any]:
    """What reads one row alone goes together with its like of other requests."""
    if plan.for_several is not None:
        return database.gathered.fetch(plan.statement.sql, plan.for_several, arguments)
    return database.fetch(plan.statement.sql, arguments)
