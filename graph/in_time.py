"""The time an operation has. A mutation's fields end with it one by one: what the others did stands, and is told."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from graphql import GraphQLResolveInfo, GraphQLSchema

from graph.context import Context
from services import errors

SECONDS = 15.0


def over() -> errors.Timeout:
    return errors.Timeout(
        f"The operation took longer than {SECONDS:.0f} seconds.", remedy="Ask for less at once."
    )


def begin(context: Context) -> None:
    """The operation's time runs from now."""
    context.until = asyncio.get_running_loop().time() + SECONDS


def left(context: Context) -> float:
    """Seconds until the operation's time is over."""
    return context.until - asyncio.get_running_loop().time()


def hold(core: GraphQLSchema) -> None:
    """Let each mutation field end when its operation's time is over, as a failure at its place; once a schema."""
    for field in core.mutation_type.fields.values() if core.mutation_type else ():
        assert field.resolve is not None
        field.resolve = _held(field.resolve)


def _held(resolve: Callable[..., Any]) -> Callable[..., Any]:
    async def held(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        seconds = left(info.context)
        if seconds <= 0:
            raise over()
        try:
            async with asyncio.timeout(seconds) as time:
                value = resolve(source, info, **arguments)
                return await value if isawaitable(value) else value
        except TimeoutError as error:
            if time.expired():
                raise over() from error
            raise  # another's time, as the database's

    return held
