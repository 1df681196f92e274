"""What to read: a tree of plain data. No SQL here, and no values: those come with each request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graph import pagination
from graph.planner import entities
from graph.planner.mapping import (
    Column,
    Embedded,
    Entity,
    Filter,
    Kind,
    Lookup,
    Many,
    One,
    Order,
    Read,
    Series,
)
from graph.planner.selection import Field
from services import errors

# -- how one object is made from a row


@dataclass(frozen=True)
class Leaf:
    key: str
    column: Column


@dataclass(frozen=True)
class Name:
    """__typename."""

    key: str
    value: str


@dataclass(frozen=True)
class Nest:
    key: str
    embedded: Embedded
    members: tuple["Member", ...]


@dataclass(frozen=True)
class Link:
    key: str
    one: One
    entity: Entity
    coordinate: str
    members: tuple["Member", ...]


@dataclass(frozen=True, eq=False)
class Listed:
    key: str
    block: "Block"


Member = Leaf | Name | Nest | Link | Listed


# -- what of a connection goes out


@dataclass(frozen=True)
class Edges:
    """`entries`: response keys of cursor, node and __typename inside an edge."""

    key: str
    entries: tuple[tuple[str, str | tuple[Member, ...]], ...]


@dataclass(frozen=True)
class Nodes:
    key: str
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Info:
    key: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Total:
    key: str


Output = Edges | Nodes | Info | Total | Name
CURSOR = "cursor"


@dataclass(frozen=True)
class Page:
    """How a page is cut: which order, which way the scan goes, which cursors bound it."""

    order_name: str
    order: Order
    descending: bool
    backward: bool
    after: bool
    before: bool
    filters: tuple[tuple[str, Filter], ...]


@dataclass(frozen=True, eq=False)
class Block:
    """One set of rows and what is made of it. `coordinate` names the field for receipts."""

    field: Field
    kind: Many | Series | Lookup
    entity: Entity | None
    coordinate: str
    page: Page | None
    outputs: tuple[Output, ...]
    shape: Any = None

    def asks(self, *names: str) -> bool:
        """Whether pageInfo is asked for any of these."""
        return any(
            name in names for info in self.outputs if isinstance(info, Info) for _, name in info.fields
        )

    @property
    def wants_cursors(self) -> bool:
        edges = any(
            what == CURSOR for out in self.outputs if isinstance(out, Edges) for _, what in out.entries
        )
        return edges or self.asks("startCursor", "endCursor")

    @property
    def wants_total(self) -> bool:
        return any(isinstance(output, Total) for output in self.outputs)

    @property
    def wants_rows(self) -> bool:
        return any(isinstance(output, Edges | Nodes | Info) for output in self.outputs)


# -- the shape of a request: all that changes the SQL text, and nothing else


sized = pagination.sized


def size_of(kind: Many | Series | Lookup, arguments: Mapping[str, Any]) -> int:
    """How many entries go out at most; a field that answers one entry itself reads just that one."""
    return 0 if isinstance(kind, Many) and kind.single else sized(arguments)[1]


def shape_of(kind: Many | Series | Lookup, arguments: Mapping[str, Any]) -> Any:
    """A hashable that is equal for requests which share one SQL text."""
    if isinstance(kind, Lookup):
        return None
    if isinstance(kind, Series):
        return kind.shape(arguments)
    name, _ = sized(arguments)
    order = arguments.get("orderBy")
    return (
        name,
        arguments.get("after") is not None,
        arguments.get("before") is not None,
        (order["field"].value, order["direction"].value) if order else kind.default_order,
        tuple(
            name for name, given, rule in _conditions(kind, arguments) if rule.read(given, name) is not None
        ),
    )


def _conditions(kind: Many, arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any, Filter]]:
    given = {
        **(arguments.get("filter") or {}),
        **{name: arguments.get(name) for name in kind.filter_arguments},
    }
    for name, rule in kind.filters.items():
        if given.get(name) is not None:
            yield name, given[name], rule


def page_of(kind: Many, arguments: Mapping[str, Any]) -> Page:
    name, after, before, (order_name, direction), filters = shape_of(kind, arguments)
    return Page(
        order_name=order_name,
        order=kind.orders[order_name],
        descending=direction == "DESC",
        backward=name == "last",
        after=after,
        before=before,
        filters=tuple((filter_name, kind.filters[filter_name]) for filter_name in filters),
    )


# -- selection to plan


def block(field: Field, kind: Many | Series | Lookup, parent_type: str, read: Read) -> Block:
    """The plan of a list, and of everything below it."""
    coordinate = f"{parent_type}.{field.name}"
    if isinstance(kind, Many):
        entity = entities.ENTITIES[kind.entity]
        if kind.single:
            outputs: tuple[Output, ...] = (
                Nodes("", _members(field.fields, entity.fields, entity.name, read)),
            )
        else:
            outputs = tuple(_output(selected, entity, read) for selected in field.fields)
        return Block(field, kind, entity, coordinate, page_of(kind, read.arguments(field)), outputs)
    if isinstance(kind, Lookup):
        entity = entities.ENTITIES[kind.entity]
        fields = field.by_type.get(kind.entity, field.fields)
        members = _members(fields, entity.fields, entity.name, read)
        return Block(field, kind, entity, coordinate, None, (Nodes("", members),))
    members = _members(field.fields, kind.fields, field.type_name, read)
    return Block(
        field, kind, None, coordinate, None, (Nodes("", members),), kind.shape(read.arguments(field))
    )


def _output(selected: Field, entity: Entity, read: Read) -> Output:
    if selected.name == "edges":
        return Edges(
            selected.key, tuple((inner.key, _entry(inner, entity, read)) for inner in selected.fields)
        )
    if selected.name == "nodes":
        return Nodes(selected.key, _members(selected.fields, entity.fields, entity.name, read))
    if selected.name == "pageInfo":
        return Info(selected.key, tuple((inner.key, inner.name) for inner in selected.fields))
    if selected.name == "totalCount":
        return Total(selected.key)
    return Name(selected.key, f"{entity.name}Connection")


def _entry(inner: Field, entity: Entity, read: Read) -> str | tuple[Member, ...]:
    return _members(inner.fields, entity.fields, entity.name, read) if inner.name == "node" else inner.name


def _members(
    fields: tuple[Field, ...], kinds: Mapping[str, Kind], type_name: str, read: Read
) -> tuple[Member, ...]:
    return tuple(_member(field, kinds, type_name, read) for field in fields)


def _member(field: Field, kinds: Mapping[str, Kind], type_name: str, read: Read) -> Member:
    if field.name == "__typename":
        return Name(field.key, type_name)
    kind = kinds.get(field.name)
    if kind is None:
        raise errors.NotImplementedYet(f"{type_name}.{field.name}")
    if isinstance(kind, Column):
        return Leaf(field.key, kind)
    if isinstance(kind, Embedded):
        return Nest(field.key, kind, _members(field.fields, kind.fields, field.type_name, read))
    if isinstance(kind, One):
        entity = entities.ENTITIES[kind.entity]
        members = _members(field.fields, entity.fields, entity.name, read)
        return Link(field.key, kind, entity, f"{type_name}.{field.name}", members)
    return Listed(field.key, block(field, kind, type_name, read))


def shaping(field: Field, kind: Many | Series | Lookup) -> Iterator[tuple[Field, Many | Series | Lookup]]:
    """Every list below a field whose arguments can change the SQL text, in a fixed order."""
    yield field, kind
    if isinstance(kind, Many) and not kind.single:
        kinds = entities.ENTITIES[kind.entity].fields
        for selected in field.fields:
            if selected.name == "nodes":
                yield from _shaping_below(selected.fields, kinds)
            elif selected.name == "edges":
                for inner in selected.named("node"):
                    yield from _shaping_below(inner.fields, kinds)
    elif isinstance(kind, Lookup | Many):
        yield from _shaping_below(
            field.by_type.get(kind.entity, field.fields), entities.ENTITIES[kind.entity].fields
        )
    else:
        yield from _shaping_below(field.fields, kind.fields)


def _shaping_below(
    fields: tuple[Field, ...], kinds: Mapping[str, Kind]
) -> Iterator[tuple[Field, Many | Series | Lookup]]:
    for field in fields:
        kind = kinds.get(field.name)
        if isinstance(kind, One):
            yield from _shaping_below(field.fields, entities.ENTITIES[kind.entity].fields)
        elif isinstance(kind, Embedded):
            yield from _shaping_below(field.fields, kind.fields)
        elif isinstance(kind, Many | Series):
            yield from shaping(field, kind)
