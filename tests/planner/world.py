"""What the planner's tests share: a schema with every planned root, a driver, and data with every odd value in it.

Loaded by path (tests are no package). The roots carry the contract's directives and no resolvers: the
driver runs their plans itself, so that these tests say what the planner does and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import strawberry

from graph import documents, ids, pagination, quote
from graph.cost import connection_size
from graph.planner import reading
from graph.planner.entities import ROOTS
from graph.planner.mapping import Read, lookup
from graph.planner.reading import Delivered, Plan
from graph.schema import Engine, build_engine, build_schema
from graph.scopes import RequiresScope, Scope
from graph.types import account as accounts
from graph.types import api_key as keys
from graph.types import creator as creators_
from graph.types import sync as syncs
from graph.types import usage as used
from graph.types import video as videos_
from graph.types.node import Node

P = pagination
UNSET = strawberry.UNSET
PAGED = connection_size()
KeyModes = keys.KeyMode
KeyStatuses = keys.KeyStatus
PlanType = accounts.Plan
NOW = datetime(2025, 5, 15, 12, 30, 15, 250_000, tzinfo=UTC)


@strawberry.type
class Query:
    @strawberry.field
    def node(self, id: strawberry.ID) -> Node | None: ...
    @strawberry.field
    def nodes(self, ids: list[strawberry.ID]) -> list[Node | None]: ...
    @strawberry.field(directives=[RequiresScope(scope=Scope.CREATORS_READ)])
    def creator(self, id: strawberry.ID) -> creators_.Creator | None: ...
    @strawberry.field(directives=[RequiresScope(scope=Scope.VIDEOS_READ)])
    def video(self, id: strawberry.ID) -> videos_.Video | None: ...
    @strawberry.field
    def sync(self, id: strawberry.ID) -> syncs.Sync | None: ...
    @strawberry.field
    def api_key(self, id: strawberry.ID) -> keys.ApiKey | None: ...
    @strawberry.field
    def account(self) -> accounts.Account: ...
    @strawberry.field
    def plans(self) -> list[PlanType]: ...
    @strawberry.field
    def creator_by(
        self,
        platform: creators_.Platform,
        username: str | None = UNSET,
        external_id: str | None = UNSET,
        reference: str | None = UNSET,
    ) -> creators_.Creator | None: ...
    @strawberry.field(directives=[PAGED, RequiresScope(scope=Scope.CREATORS_READ)])
    def creators(
        self,
        first: P.First = UNSET,
        after: P.After = UNSET,
        last: P.Last = UNSET,
        before: P.Before = UNSET,
        filter: creators_.CreatorFilter | None = UNSET,
        order_by: creators_.CreatorOrder | None = UNSET,
    ) -> creators_.CreatorConnection: ...
    @strawberry.field(directives=[PAGED, RequiresScope(scope=Scope.VIDEOS_READ)])
    def videos(
        self,
        first: P.First = UNSET,
        after: P.After = UNSET,
        last: P.Last = UNSET,
        before: P.Before = UNSET,
        filter: videos_.VideoFilter | None = UNSET,
        order_by: videos_.VideoOrder | None = UNSET,
    ) -> videos_.VideoConnection: ...
    @strawberry.field(directives=[PAGED, RequiresScope(scope=Scope.KEYS_READ)])
    def api_keys(
        self,
        first: P.First = UNSET,
        after: P.After = UNSET,
        last: P.Last = UNSET,
        before: P.Before = UNSET,
        mode: KeyModes | None = UNSET,
        status: list[KeyStatuses] | None = UNSET,
    ) -> keys.ApiKeyConnection: ...

    @strawberry.field(directives=[RequiresScope(scope=Scope.USAGE_READ)])
    def usage(self, from_: used.UsageFrom = UNSET, to: used.UsageTo = UNSET) -> used.Usage: ...


def make_engine() -> Engine:
    kinds = [creators_.Creator, videos_.Video, syncs.Sync, accounts.Account, keys.ApiKey]
    return build_engine(build_schema(Query, None, None, kinds))


@dataclass
class Asked:
    """An answer, what it delivered, what it was quoted, and the plans that made it."""

    data: dict[str, Any]
    delivered: Delivered
    quote: quote.Quote
    plans: list[Plan]


@dataclass(frozen=True)
class Caller:
    account_id: UUID
    livemode: bool = True
    allowed: tuple[UUID, ...] | None = None
    now: datetime = NOW

    def read(self, variables: Any, wanted: Sequence[UUID] = ()) -> Read:
        return Read(self.account_id, self.livemode, self.now, variables, self.allowed, tuple(wanted))


@dataclass
class Driver:
    """Asks operations the way resolvers do, on one connection."""

    engine: Engine
    connection: Any
    caller: Caller
    asked: list[str] = field(default_factory=list)

    async def ask(
        self, text: str, variables: Mapping[str, Any] | None = None, name: str | None = None
    ) -> Asked:
        operation = self.engine.documents.operation(text, name)
        values = operation.declared.read(variables or {})
        roots = operation.roots(values)
        quoted = quote.make(self.engine.policy, "Query", roots, values)
        asked = Asked({}, Delivered(), quoted, [])
        for root in roots:
            asked.data[root.key] = await self._root(operation, root, values, asked)
        return asked

    async def _root(self, operation: documents.Operation, root: Any, values: Any, asked: Asked) -> Any:
        if root.name == "__typename":
            return "Query"
        kind = ROOTS.get(root.name)
        if kind is None:
            return await self._by_id(operation, root, values, asked)
        prepared = reading.prepared(root, kind, "Query")
        read = self.caller.read(values)
        asked.plans.append(prepared.plan(read))
        value = await prepared.run(reading.on(self.connection), read, asked.delivered)
        return (value[0] if value else None) if kind.single else value

    async def _by_id(self, operation: documents.Operation, root: Any, values: Any, asked: Asked) -> Any:
        arguments = root.arguments(values)
        if root.name == "account":
            wanted = [("Account", self.caller.account_id)]
        elif root.name in {"node", "nodes"}:
            given = arguments["ids"] if root.name == "nodes" else [arguments["id"]]
            wanted = [ids.read_any(id, "ids") for id in given]
        else:
            type_name = {"creator": "Creator", "video": "Video", "sync": "Sync", "apiKey": "ApiKey"}[
                root.name
            ]
            wanted = [(type_name, ids.read(type_name, arguments["id"]))]
        raw: list[Any] = [None] * len(wanted)
        for type_name in dict.fromkeys(name for name, _ in wanted):
            prepared = reading.prepared(root, lookup(type_name), "Query")
            places = [place for place, (name, _) in enumerate(wanted) if name == type_name]
            read = self.caller.read(values, [wanted[place][1] for place in places])
            asked.plans.append(prepared.plan(read))
            for n, value in (await prepared.run(reading.on(self.connection), read, asked.delivered)).items():
                raw[places[n - 1]] = value
        answers = [_unnamed(value) for value in raw]
        return answers if root.name == "nodes" else answers[0]


def _unnamed(value: Any) -> Any:
    """Without the type's name, which only graphql-core reads."""
    return {key: inner for key, inner in value.items() if key} if isinstance(value, dict) else value
