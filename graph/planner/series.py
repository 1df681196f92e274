"""The rows of a series as SQL text: SQLAlchemy writes each form of them once, a statement fills in what is its own.

A usage field with its lists is some dozens of queries: written anew for each plan they took 20 ms. A form is the
series with its shape and columns; what it leaves open are places: rows further out, binds, and rows that lists share.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, column, literal_column, table
from sqlalchemy.types import TypeEngine

from graph.planner import fragments
from graph.planner.mapping import Read, Reader, Series, SeriesRequest
from graph.planner.selection import Field

FORMS = 512
_PLACE = re.compile(r"place_(\d+)_")
_OWN, _OUTER = object(), object()  # what stands in a form for the fields of a plan


class Statement(Protocol):
    """The statement in the making."""

    shared: list[str]

    @property
    def account_id(self) -> str: ...
    @property
    def livemode(self) -> str: ...
    def bind(self, reader: Reader, kind: TypeEngine[Any]) -> str: ...
    def name(self, prefix: str) -> str: ...


@dataclass(eq=False)
class Around:
    """A series of a statement, for the lists in it: `made` is what they share by name."""

    asked: Field
    shape: Any
    outer: "Around | None" = None
    made: dict[tuple[str, str], str] = field(default_factory=dict)


def rows(statement: Statement, kind: Series, columns: tuple[str, ...], own: Around, owner: str | None) -> str:
    """The query of a series below the row `owner`, or of a root."""
    outer = own.outer.shape if own.outer else None
    form = _form(kind.rows, owner and kind.here, owner and kind.within, own.shape, columns, outer)
    return _Filling(statement, form.places, own, owner).text(form.text)


# -- a form


Place = Callable[["_Filling"], str]


@dataclass(frozen=True)
class _Form:
    text: str
    places: tuple[Place, ...]


@functools.lru_cache(maxsize=FORMS)
def _form(
    rows: Callable[[SeriesRequest], Any],
    here: str | None,
    within: str | None,
    shape: Any,
    columns: tuple[str, ...],
    outer_shape: Any,
) -> _Form:
    writer = _Writer()

    def request(asked: Any, shape: Any, part: _Part, outer: SeriesRequest | None = None) -> SeriesRequest:
        return SeriesRequest(
            owner=writer.place(lambda filling: f"{filling.owner}.{here}") if here else None,
            within=writer.place(lambda filling: f"{filling.owner}.{within}") if within else None,
            tenant=writer,
            shape=shape,
            columns=columns,
            asked=asked,
            bind_read=part.bind,
            share=part.share,
            once=part.once,
            outer=outer,
        )

    outer = request(_OUTER, outer_shape, _Part(writer, lambda filling: filling.outer))
    own = request(_OWN, shape, _Part(writer, lambda filling: filling.own), outer)
    return _Form(fragments.written(rows(own)), tuple(writer.places))


class _Writer:
    """Gives out places. It is the tenant, too."""

    def __init__(self) -> None:
        self.places: list[Place] = []

    def place(self, fill: Place, kind: TypeEngine[Any] | None = None) -> ColumnElement[Any]:
        return literal_column(self.token(fill), kind)

    def token(self, fill: Place) -> str:
        self.places.append(fill)
        return f"place_{len(self.places) - 1}_"

    @property
    def account_id(self) -> ColumnElement[Any]:
        return self.place(lambda filling: filling.statement.account_id)

    @property
    def livemode(self) -> ColumnElement[Any]:
        return self.place(lambda filling: filling.statement.livemode)


class _Part:
    """What is bound and shared by the series itself, or by the one around it."""

    def __init__(self, writer: _Writer, around: Callable[["_Filling"], Around]) -> None:
        self._writer, self._around = writer, around
        self._made: dict[str, Any] = {}
        self._name: str | None = None

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._made:
            before, self._name = self._name, name
            self._made[name] = make()
            self._name = before
        return self._made[name]

    def bind(self, reader: Reader, kind: TypeEngine[Any]) -> ColumnElement[Any]:
        def bound(filling: "_Filling") -> str:
            return filling.statement.bind(filling.reader(reader), kind)

        return self._writer.place(self._kept("bind", bound), kind)

    def share(self, query: Select[Any]) -> Any:
        text = fragments.written(query)

        def shared(filling: "_Filling") -> str:
            name = filling.statement.name("shared")
            filling.statement.shared.append(f"{name} AS MATERIALIZED ({filling.text(text)})")
            return name

        token = self._writer.token(self._kept("rows", shared))
        return table(token, *(column(each.name, each.type) for each in query.selected_columns))

    def _kept(self, what: str, fill: Place) -> Place:
        """Filled once a series of the statement, where it has a name."""
        name = self._name
        if name is None:
            return fill

        def kept(filling: "_Filling") -> str:
            made = self._around(filling).made
            if (name, what) not in made:
                made[name, what] = fill(filling)
            return made[name, what]

        return kept


# -- a statement's own


class _Filling:
    """A form filled for one series of a statement."""

    def __init__(
        self, statement: Statement, places: tuple[Place, ...], own: Around, owner: str | None
    ) -> None:
        self.statement, self.own, self.owner = statement, own, owner
        self._places, self._filled = places, dict[int, str]()
        self._fields = {_OWN: own.asked, _OUTER: own.outer.asked if own.outer else own.asked}

    @property
    def outer(self) -> Around:
        assert self.own.outer is not None
        return self.own.outer

    def text(self, form: str) -> str:
        return _PLACE.sub(self._fill, form)

    def reader(self, reader: Callable[[Any], Any]) -> Reader:
        return lambda read: reader(_Seen(read, self._fields))

    def _fill(self, found: re.Match[str]) -> str:
        place = int(found[1])
        if place not in self._filled:
            self._filled[place] = self._places[place](self)
        return self._filled[place]


class _Seen:
    """A request as a form's readers see it: the fields they know stand for those of a plan."""

    __slots__ = ("_fields", "_read")

    def __init__(self, read: Read, fields: Mapping[object, Field]) -> None:
        self._read, self._fields = read, fields

    @property
    def now(self) -> datetime:
        return self._read.now

    def arguments(self, asked: object) -> Mapping[str, Any]:
        return self._read.arguments(self._fields[asked])
