"""What an operation would read, told without reading anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from graph import compiled, roots
from graph.context import Asked, Context, Services
from graph.documents import Operation
from graph.planner.mapping import Many, Read, Series
from graph.planner.reading import Delivered, Fetch, Plan, Prepared
from graph.planner.selection import Field
from services import callers


@dataclass(frozen=True)
class Statement:
    """One statement of a root field, with what this request binds to it."""

    plan: Plan
    read: Read
    binds: tuple[Any, ...]


@dataclass(frozen=True)
class Root:
    """A root field: the statements that its plans are, none where its resolver answers by itself."""

    field: Field
    planned: bool
    statements: tuple[Statement, ...]


@dataclass
class _Listener(roots.Reader):
    """Told what to read, it finds nothing and remembers the plans."""

    heard: list[Statement] = field(default_factory=list)

    async def list(self, field: Field, kind: Many | Series, parent_type: str) -> Any:
        await super().list(field, kind, parent_type)
        return []

    async def run(self, plans: Prepared, read: Read) -> Any:
        plan = plans.plan(read, packed=not self.typed)
        for check in plan.statement.checks:
            check(read)
        self.heard.append(Statement(plan, read, tuple(plan.arguments(read))))
        return {}


async def told(
    operation: Operation, variables: Any, account_id: UUID, *, livemode: bool, now: datetime
) -> list[Root]:
    """Every root field of an operation, as an account's key would ask it. Raises what running it would."""
    asked = Asked(query="")
    caller = _key_of(account_id, livemode=livemode)
    # Nothing of the services is touched: the listener reads nothing.
    context = Context(cast("Services", None), caller, asked, operation, variables, now)
    fields = operation.roots(variables)
    return [await _root(context, field) for field in fields]


async def _root(context: Context, field: Field) -> Root:
    planned = context.operation.kind == "query" and field.name in roots.PLANNED
    listener = _Listener(context, cast("Fetch", None), Delivered(), typed=False)
    if planned:
        await roots.read(listener, field)
    return Root(field, planned, tuple(listener.heard))


def is_compiled(operation: Operation, fields: Sequence[Field]) -> bool:
    """Whether it takes the compiled path, where that is on."""
    return operation.kind == "query" and compiled.applies(tuple(fields))


def _key_of(account_id: UUID, *, livemode: bool) -> callers.Caller:
    """A key that may everything, of an account that may be nobody's."""
    return callers.Caller(
        account_id=account_id, account_name="", key_id=UUID(int=0), key_name="", key_hint="", livemode=livemode,
        scopes=frozenset(), allowed_ips=(), owner="SERVICE", created_by=None, expires_at=None, revoked_at=None,
        retiring=False, retires_at=None, own_requests_per_minute=None, requests_per_minute=0,
        account_requests_per_minute=0, monthly_credits=None, api_access=True, max_websockets=0,
    )  # fmt: skip
