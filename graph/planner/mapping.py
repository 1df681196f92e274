"""The words in which `entities` says which field is which column, and which connection is which table.

Everything here is plain data, so that a plan can be read, compared and cached.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from graphql.execution.values import VariableValues
from sqlalchemy import BigInteger, ColumnElement, FromClause, Select, func, literal_column, text
from sqlalchemy.types import TypeEngine

from graph import pagination
from graph.planner import fragments
from graph.planner.selection import Field


@dataclass(slots=True)
class Read:
    """What one request brings to a plan: who asks, with which variables, and when."""

    account_id: UUID
    livemode: bool
    now: datetime
    variables: VariableValues
    allowed_creators: tuple[UUID, ...] | None = None
    ids: tuple[UUID, ...] = ()
    coerced: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # shared by an operation's reads

    def arguments(self, field: Field) -> Mapping[str, Any]:
        """A field's arguments, coerced once an operation."""
        found = self.coerced.get(id(field))
        if found is None:
            found = self.coerced[id(field)] = field.arguments(self.variables)
        return found


Row = FromClause
Reader = Callable[[Read], Any]


Form = Literal["plain", "json", "instant", "cursor"]
"""How a value arrives: ready, as JSON text, as PostgreSQL writes an instant (in UTC), or as a cursor's bytes."""


@dataclass(frozen=True)
class Column:
    """A leaf: `sql` makes a value from the columns it `needs`; `form` says what else than JSON-ready it is.

    `prefix`: of the row's own public id, which the row's cursor holds as well.
    """

    needs: tuple[str, ...]
    sql: Callable[[Row], ColumnElement[Any]]
    form: Form = "plain"
    prefix: str = ""

    @functools.cached_property
    def of(self) -> fragments.OfRow:
        return fragments.of_row(self.sql)


@dataclass(frozen=True)
class Embedded:
    """An object made of the same row; null where `present` says so."""

    fields: Mapping[str, "Kind"]
    present: Column | None = None


@dataclass(frozen=True)
class One:
    """The one row of another entity whose column `there` equals our column `here`."""

    entity: str
    here: str
    there: str
    nullable: bool = False


@dataclass(frozen=True)
class Order:
    """What a list can be sorted by: never null in SQL (null sorts below everything), so one index serves both ways."""

    column: str
    kind: pagination.ValueKind
    key: Callable[[Row], ColumnElement[Any]]

    @functools.cached_property
    def of(self) -> fragments.OfRow:
        return fragments.of_row(self.key)

    def is_instant(self, column: Column) -> bool:
        """Whether a column tells the very instant that rows are sorted by."""
        return column.form == self.kind == "instant" and column.of("row") == f"{self.of('row')} :: text"


@dataclass(frozen=True)
class Filter:
    """One condition: `read` makes the bound value (None: no condition), `where` the SQL."""

    type: TypeEngine[Any]
    read: Callable[[Any, str], Any]
    where: Callable[[Row, Any, "Tenant"], ColumnElement[bool]]

    @functools.cached_property
    def condition(self) -> Callable[..., str]:
        """By `row`, `value`, `account_id` and `livemode`."""
        return fragments.condition(self.where, self.type)


class Tenant(Protocol):
    """The bound account and world, for conditions that look into another table."""

    @property
    def account_id(self) -> Any: ...
    @property
    def livemode(self) -> Any: ...


@dataclass(frozen=True)
class Many:
    """A connection: rows whose column `there` equals ours `here` (roots: every row of the account)."""

    entity: str
    orders: Mapping[str, Order]
    default_order: tuple[str, str]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    filter_arguments: tuple[str, ...] = ()
    here: str | None = None
    there: str | None = None
    single: bool = False  # the field answers the first entry itself, not a connection


@dataclass(frozen=True)
class Series:
    """A plain list, oldest first, of rows that `rows` selects: history points, members, plans.

    `here`: our column that names the owner; `within`: another that comes before it in the rows' index.
    `placed`: the rows have a column `place` that keeps their order. `single`: there is always one row,
    and the field answers it itself, not a list; `weight`: what it costs.
    """

    rows: Callable[["SeriesRequest"], Any]
    fields: Mapping[str, "Kind"]
    here: str | None = None
    within: str | None = None
    shape: Callable[[Mapping[str, Any]], Any] = lambda _: None
    placed: bool = False
    single: bool = False
    weight: int = 0


@dataclass(frozen=True, eq=False)
class SeriesRequest:
    """What a series' rows are selected by: the owner's columns, the tenant, its shape, the columns asked for, binders.

    `share`: a query as rows that the statement reads once; `once`: makes what several parts have in common, a bound
    value or shared rows, by its name; `outer`: of the series in which this one is a list, where it is one.
    `asked` is nothing but what readers ask `read.arguments` for.
    """

    owner: Any
    within: Any
    tenant: Tenant
    shape: Any
    columns: tuple[str, ...]
    asked: Any
    bind_read: Callable[[Reader, TypeEngine[Any]], Any]
    share: Callable[[Select[Any]], Any]
    once: Callable[[str, Callable[[], Any]], Any]
    outer: "SeriesRequest | None" = None

    def bind(self, reader: Callable[[Mapping[str, Any], datetime], Any], kind: TypeEngine[Any]) -> Any:
        """A value made of the field's own arguments."""
        return self.bind_read(lambda read: reader(read.arguments(self.asked), read.now), kind)


@dataclass(frozen=True, eq=False)
class Lookup:
    """Rows by id. `typed`: where an interface was asked for, each says its type. `many`: ids may be several.

    Plans are kept by it: `lookup` makes one of each.
    """

    entity: str
    typed: bool = True
    many: bool = True


@functools.cache
def lookup(entity: str, *, typed: bool = True, many: bool = True) -> Lookup:
    return Lookup(entity, typed, many)


Kind = Column | Embedded | One | Many | Series


@dataclass(frozen=True)
class Entity:
    """A type of the schema and where it lives. `creator`: the column that names the creator it belongs to."""

    name: str
    rows: Row
    fields: Mapping[str, Kind]
    weight: int = 0
    key: str = "id"
    has_livemode: bool = True
    creator: str | None = None
    alive: Callable[[Row], ColumnElement[bool]] | None = None

    @functools.cached_property
    def source(self) -> str:
        """Its rows, as they stand in FROM."""
        return fragments.source(self.rows)

    @functools.cached_property
    def is_alive(self) -> fragments.OfRow | None:
        return fragments.of_row(self.alive) if self.alive else None


# -- the forms in which columns leave the database: JSON-ready, so that nothing is converted twice


def plain(name: str) -> Column:
    return Column((name,), lambda row: row.c[name])


def instant(name: str) -> Column:
    """An instant. As text: to PostgreSQL that is half the work of our form, which the assembler gives it."""
    return Column((name,), lambda row: instant_text(row.c[name]), form="instant")


def instant_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    return value.op("::")(text("text"))


def public_id(prefix: str) -> Column:
    return Column(("id",), lambda row: public_id_text(prefix, row.c.id), prefix=f"{prefix}_")


def public_id_text(prefix: str, value: ColumnElement[Any]) -> ColumnElement[str]:
    return literal_column(f"'{prefix}_'").op("||")(
        func.encode(func.uuid_send(value), literal_column("'hex'"))
    )


def array(name: str) -> Column:
    return Column((name,), lambda row: func.to_json(row.c[name]), form="json")


def whole(name: str) -> Order:
    """Order by a count that may be null: null is below 0."""
    return Order(name, "int", lambda row: func.coalesce(row.c[name], literal_column("-1", BigInteger)))
