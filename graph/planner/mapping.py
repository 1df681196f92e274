"""The words in which `entities` says which field is which column, and which connection is which table.

Everything here is plain data, so that a plan can be read, compared and cached.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from graphql.execution.values import VariableValues
from sqlalchemy import BigInteger, ColumnElement, FromClause, func, literal_column
from sqlalchemy.types import TypeEngine

from graph import pagination
from graph.planner.selection import Field


@dataclass
class Read:
    """What one request brings to a plan: who asks, with which variables, and when."""

    account_id: UUID
    livemode: bool
    now: datetime
    variables: VariableValues
    allowed_creators: tuple[UUID, ...] | None = None
    ids: tuple[UUID, ...] = ()
    _arguments: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def arguments(self, field: Field) -> Mapping[str, Any]:
        """A field's arguments, coerced once a request."""
        found = self._arguments.get(id(field))
        if found is None:
            found = self._arguments[id(field)] = field.arguments(self.variables)
        return found


Row = FromClause
Reader = Callable[[Read], Any]


@dataclass(frozen=True)
class Column:
    """A leaf: `sql` makes a JSON-ready value from the columns it `needs`; `is_json`: it arrives as JSON text."""

    needs: tuple[str, ...]
    sql: Callable[[Row], ColumnElement[Any]]
    is_json: bool = False


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


@dataclass(frozen=True)
class Filter:
    """One condition: `read` makes the bound value (None: no condition), `where` the SQL."""

    type: TypeEngine[Any]
    read: Callable[[Any, str], Any]
    where: Callable[[Row, Any, "Tenant"], ColumnElement[bool]]


@dataclass(frozen=True)
class Tenant:
    """The bound account and world, for conditions that look into another table."""

    account_id: Any
    livemode: Any


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

    `outer`: the request of the series in which this one is a list, if it is one.
    """

    owner: Any
    within: Any
    tenant: Tenant
    shape: Any
    columns: tuple[str, ...]
    asked: Field
    bind_read: Callable[[Reader, TypeEngine[Any]], Any]
    outer: "SeriesRequest | None" = None
    _made: dict[str, Any] = field(default_factory=dict)

    def bind(self, reader: Callable[[Mapping[str, Any], datetime], Any], kind: TypeEngine[Any]) -> Any:
        """A value made of the field's own arguments."""
        return self.bind_read(lambda read: reader(read.arguments(self.asked), read.now), kind)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What several parts of the statement share: a bound value, a set of rows."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]


@dataclass(frozen=True)
class Lookup:
    """Rows by id. `typed`: where an interface was asked for, each says its type. `many`: ids may be several."""

    entity: str
    typed: bool = True
    many: bool = True


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


# -- the forms in which columns leave the database: JSON-ready, so that nothing is converted twice


def plain(name: str) -> Column:
    return Column((name,), lambda row: row.c[name])


def instant(name: str) -> Column:
    """An instant as the contract writes it: UTC, milliseconds, Z."""
    return Column((name,), lambda row: instant_text(row.c[name]))


def instant_text(value: ColumnElement[Any]) -> ColumnElement[str]:
    return func.to_char(
        value.op("at time zone")(literal_column("'UTC'")), literal_column('\'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\'')
    )


def public_id(prefix: str, name: str = "id") -> Column:
    return Column((name,), lambda row: public_id_text(prefix, row.c[name]))


def public_id_text(prefix: str, value: ColumnElement[Any]) -> ColumnElement[str]:
    return literal_column(f"'{prefix}_'").op("||")(
        func.encode(func.uuid_send(value), literal_column("'hex'"))
    )


def array(name: str) -> Column:
    return Column((name,), lambda row: func.to_json(row.c[name]), is_json=True)


def whole(name: str) -> Order:
    """Order by a count that may be null: null is below 0."""
    return Order(name, "int", lambda row: func.coalesce(row.c[name], literal_column("-1", BigInteger)))
