"""How an operation is run: planned roots compiled, each by itself, and by graphql-core what is left.

One small root beside large ones (`viewer`, or one that fails) must not have graphql-core walk all that those return:
10,000 objects take it most of a second, in which no other request gets a turn.
"""

from typing import Any

import structlog
from graphql import DocumentNode, ExecutionResult, execute

from graph import compiled, introspection
from graph import errors as reporting
from graph.context import Context
from graph.planner.selection import Field
from graph.schema import Engine

log = structlog.get_logger()


async def read(engine: Engine, context: Context) -> tuple[ExecutionResult, str]:
    """What a read finds, and by which path: compiled, where all of it was."""
    roots = context.operation.roots(context.variables)
    planned = compiled.part(roots) if engine.compiles else ()
    found, failed = _parted(planned, await compiled.run(context, planned)) if planned else ({}, {})
    if len(found) == len(roots):
        return ExecutionResult(found), "compiled"
    rest = await _rest(engine, context, [root for root in roots if root.key not in found])
    for key, failure in failed.items():
        if rest.data is not None and not _fails_at(rest, key):
            read_twice(failure, context.asked.request_id)
    return _merged(roots, found, rest), "ordinary"


def _parted(planned: tuple[Field, ...], values: list[Any]) -> tuple[dict[str, Any], dict[str, Exception]]:
    """What was found, and what failed, by response key. Raises Timeout where the database's own time is over."""
    found: dict[str, Any] = {}
    failed: dict[str, Exception] = {}
    for root, value in zip(planned, values, strict=True):
        if isinstance(value, TimeoutError):
            raise reporting.late() from value  # no second try
        if isinstance(value, Exception):
            failed[root.key] = value
        else:
            found[root.key] = value
    return found, failed


async def _rest(engine: Engine, context: Context, left: list[Field]) -> ExecutionResult:
    """What is not planned, and what failed: graphql-core then says it, in its place."""
    roots = context.operation.roots(context.variables)
    if len(left) < len(roots):
        keys = {root.key for root in left}
        return await by_core(engine, context, context.operation.only(keys, context.variables))
    if all(root.name.startswith("__") for root in roots):
        return await _introspected(engine, context)
    return await by_core(engine, context)


def _merged(roots: tuple[Field, ...], found: dict[str, Any], rest: ExecutionResult) -> ExecutionResult:
    """One answer, in the order of what was asked; nothing at all where a root that may not be null failed."""
    if rest.data is None or not found:
        return rest
    told = found | rest.data
    return ExecutionResult({root.key: told[root.key] for root in roots}, rest.errors)


def _fails_at(result: ExecutionResult, key: str) -> bool:
    return any(error.path and error.path[0] == key for error in result.errors or ())


def read_twice(failure: Exception, request_id: str) -> None:
    """What failed compiled and not otherwise was read twice: a connection was lost, or the compiled path is wrong.

    Nobody would notice: the answer is right. Its kind alone is told, as its words may hold what was asked.
    """
    log.warning("compiled.failed", kind=type(failure).__name__, request_id=request_id)


async def _introspected(engine: Engine, context: Context) -> ExecutionResult:
    """What the schema tells of itself: graphql-core's answer, the first time."""
    operation = context.operation
    place = introspection.place(operation.hash, operation.name, context.variables.coerced)
    found = engine.introspected.find(place)
    if found is None:
        found = await by_core(engine, context)
        engine.introspected.keep(place, found)
    return found


async def by_core(engine: Engine, context: Context, document: DocumentNode | None = None) -> ExecutionResult:
    """graphql-core's execution of the operation, or of a part of it."""
    result = execute(
        engine.core,
        document or context.operation.document,
        context_value=context,
        variable_values=dict(context.asked.variables),
        operation_name=context.operation.name,
    )
    done = result if isinstance(result, ExecutionResult) else await result
    assert isinstance(done, ExecutionResult)
    return done
