"""What SQLAlchemy says in SQL: written once a process, with places for the names that a statement gives its rows.

Making expressions anew for each plan, and rendering them, took half the time of a document's first use. Nothing
here knows a request: an expression that holds a value instead of a place for one is refused.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, ColumnElement, FromClause, Subquery, bindparam, literal_column
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.sql.operators import and_
from sqlalchemy.types import TypeEngine

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]
_PLACES = {name: f"place_of_{name}" for name in ("row", "value", "account_id", "livemode")}

OfRow = Callable[[str], str]
"""SQL of any row of its kind, by the row's name."""


class _Columns:
    """Any column of the row whose name is not known yet: of no table, so that no query below puts it into its FROM."""

    def __getattr__(self, name: str) -> ColumnElement[Any]:
        return literal_column(f"{_PLACES['row']}.{name}")

    __getitem__ = __getattr__


@dataclass(frozen=True)
class _AnyRow:
    c: _Columns


@dataclass(frozen=True)
class _AnyTenant:
    account_id: ColumnElement[Any]
    livemode: ColumnElement[Any]


ROW: Any = _AnyRow(_Columns())
TENANT = _AnyTenant(literal_column(_PLACES["account_id"]), literal_column(_PLACES["livemode"]))


def written(element: ClauseElement) -> str:
    """An expression or a query as text. Raises ValueError where a value stands in it."""
    compiled = element.compile(dialect=_DIALECT)
    if compiled.params:
        raise ValueError(f"Values have their places, and are bound there: {compiled}")
    return str(compiled)


def of_row(make: Callable[[Any], ColumnElement[Any]]) -> OfRow:
    """What `make` says of a row."""
    text = _with_places(written(make(ROW)))
    return lambda row: text.format(row=row)


def source(rows: FromClause) -> str:
    """A table, or a query in its parentheses."""
    return f"({written(rows.element)})" if isinstance(rows, Subquery) else rows.description


def condition(
    make: Callable[[Any, Any, Any], ColumnElement[bool]], kind: TypeEngine[Any]
) -> Callable[..., str]:
    """What `make` says of a row, a bound value and the tenant: by `row`, `value`, `account_id`, `livemode`."""
    made = make(ROW, literal_column(_PLACES["value"], kind), TENANT)
    return _with_places(written(made.self_group(against=and_))).format


def _with_places(text: str) -> str:
    text = text.replace("{", "{{").replace("}", "}}")
    for name, place in _PLACES.items():
        text = text.replace(place, f"{{{name}}}")
    return text


@functools.lru_cache(maxsize=128)
def type_name(kind: TypeEngine[Any]) -> str:
    """A bound value's type, as the driver has to be told."""
    rendered = str(bindparam("value", type_=kind).compile(dialect=_DIALECT))
    return rendered.partition("::")[2]
