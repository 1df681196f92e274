"""Root fields that are planned: one description each, for resolvers and for the compiled path alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graph import ids, pagination
from graph.context import Context
from graph.planner.entities import ROOTS
from graph.planner.mapping import Many, Read, Series, lookup
from graph.planner.reading import Delivered, Fetch, Prepared, prepared
from graph.planner.selection import Field
from services import errors


@dataclass(slots=True)
class Reader:
    """Reads for one root field, counted in one place.

    `typed`: for graphql-core, which completes dicts, and needs objects of an interface to say their type. `apart`: what
    is found may be so much that it is made an answer beside the loop.
    """

    context: Context
    fetch: Fetch
    delivered: Delivered
    typed: bool = True
    apart: bool = False

    def list(self, field: Field, kind: Many | Series, parent_type: str) -> Awaitable[Any]:
        return self.run(prepared(field, kind, parent_type), self.context.read())

    async def objects(
        self, field: Field, type_name: str, wanted: Sequence[UUID], parent_type: str
    ) -> Sequence[Any]:
        """Objects of one type by id, in order; None in place of what the caller may not see or is not there."""
        found = await self._found(field, type_name, tuple(wanted), parent_type)
        return [found.get(place) for place in range(1, len(wanted) + 1)]

    async def object(self, field: Field, type_name: str, wanted: UUID) -> Any:
        """One of them, at the root."""
        return (await self._found(field, type_name, (wanted,), "Query")).get(1)

    async def nodes(self, field: Field, wanted: Sequence[tuple[str, UUID]]) -> Sequence[Any]:
        """Objects of any types by id, in order: one statement a type."""
        found: list[Any] = [None] * len(wanted)
        for type_name in dict.fromkeys(name for name, _ in wanted):
            places = [place for place, (name, _) in enumerate(wanted) if name == type_name]
            ids = [wanted[place][1] for place in places]
            values = await self.objects(field, type_name, ids, "Query")
            for place, value in zip(places, values, strict=True):
                found[place] = value
        return found

    def _found(
        self, field: Field, type_name: str, wanted: tuple[UUID, ...], parent_type: str
    ) -> Awaitable[Mapping[int, Any]]:
        kind = lookup(type_name, typed=self.typed, many=len(wanted) > 1)
        return self.run(prepared(field, kind, parent_type), self.context.read(wanted))

    def run(self, plans: Prepared, read: Read) -> Awaitable[Any]:
        """One statement."""
        return plans.run(self.fetch, read, self.delivered, packed=not self.typed, apart=self.apart)


ReadRoot = Callable[[Reader, Field, Mapping[str, Any]], Awaitable[Any]]


def _listed(check: Callable[[Context, Mapping[str, Any]], None] | None = None) -> ReadRoot:
    """A connection, a plain list, or the first of a list."""

    async def read(reader: Reader, field: Field, arguments: Mapping[str, Any]) -> Any:
        if check:
            check(reader.context, arguments)
        kind = ROOTS[field.name]
        value = await reader.list(field, kind, "Query")
        if kind.single:
            return value[0] if value else None
        return value

    return read


def _by_id(type_name: str) -> ReadRoot:
    def read(reader: Reader, field: Field, arguments: Mapping[str, Any]) -> Awaitable[Any]:
        return reader.object(field, type_name, ids.read(type_name, arguments["id"]))

    return read


def _account(reader: Reader, field: Field, _arguments: Mapping[str, Any]) -> Awaitable[Any]:
    return reader.object(field, "Account", reader.context.caller.account_id)


async def _node(reader: Reader, field: Field, arguments: Mapping[str, Any]) -> Any:
    return (await reader.nodes(field, [ids.read_any(arguments["id"], "id")]))[0]


async def _nodes(reader: Reader, field: Field, arguments: Mapping[str, Any]) -> Any:
    wanted = arguments["ids"]
    if len(wanted) > pagination.MOST:
        raise errors.BadUserInput(f"`ids` takes at most {pagination.MOST} ids.", argument="ids")
    return await reader.nodes(field, [ids.read_any(id, "ids") for id in wanted])


def _exactly_one_name(_context: Context, arguments: Mapping[str, Any]) -> None:
    if sum(bool(arguments.get(name)) for name in ("username", "externalId", "reference")) != 1:
        raise errors.BadUserInput(
            "Give exactly one of `username`, `externalId` and `reference`.", argument="username"
        )


def _own_mode(context: Context, arguments: Mapping[str, Any]) -> None:
    mode = arguments.get("mode")
    if mode is not None and mode.value != context.caller.mode:
        raise errors.Forbidden(
            f"This key sees its own mode only, not {mode.value}.",
            reason="MODE",
            remedy="Ask with a key of that mode.",
        )


PLANNED: Mapping[str, ReadRoot] = {
    "node": _node,
    "nodes": _nodes,
    "creator": _by_id("Creator"),
    "creatorBy": _listed(_exactly_one_name),
    "creators": _listed(),
    "video": _by_id("Video"),
    "videos": _listed(),
    "sync": _by_id("Sync"),
    "account": _account,
    "plans": _listed(),
    "apiKey": _by_id("ApiKey"),
    "apiKeys": _listed(_own_mode),
    "usage": _listed(),
}


def read(reader: Reader, field: Field) -> Awaitable[Any]:
    """The value of a planned root field, under its response keys. Raises at once where its arguments are wrong."""
    request: Read = reader.context.read()
    return PLANNED[field.name](reader, field, request.arguments(field))
