"""The plan as one SQL statement: its skeleton is written here, around fragments that stand ready (see `fragments`).

Shape of a statement. The root's page is its rows. A list below is one array a column, gathered in a
lateral join (`array_agg`), which costs a third of building JSON in the database. Lists below lists
come as one JSON value of such columns. Every value leaves JSON-ready, so both arrive alike. Pages are
cut inside, before anything is joined; a page reads one row more than asked, which tells of a next page, and below
which nothing is read.

Every name in it is of our map or counted here; every value is a bind.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.types import Boolean, Double, TypeEngine

from graph.planner import binds, cursors, fragments, needs, plan, series
from graph.planner.entities import INSTANT
from graph.planner.layout import Layout, Slots, Statement
from graph.planner.mapping import Column, Entity, Lookup, Many, Reader, Series
from services import errors

PLACE = "place"  # where an id, a point of a series, or a row of a page stands among its like
KEY = "key"  # the order's value, as a page carries it
BODY = "body"  # of its cursor
_ID, _IDS = UUID(), ARRAY(UUID)
_LIVEMODE = Boolean()
_INTEGER, _SEED = Integer(), BigInteger()
_TYPES: dict[str, TypeEngine[Any]] = {
    "instant": INSTANT,
    "int": BigInteger(),
    "float": Double(),
    "text": Text(),
}
JSON_DEPTH = 2  # lists this deep, and deeper, come as JSON
JSON_CHUNK = 50  # a function takes at most 100 arguments
MOST_COLUMNS = 1_500
MOST_LINKS = 64  # joins beside one row: 126 take PostgreSQL most of a second to plan


class Compiler:
    """One statement in the making: its binds and its names. Rows go by their names, and all else is SQL text."""

    def __init__(self, *, restricted: bool) -> None:
        self.readers: list[Reader] = []
        self.checks: list[Reader] = []
        self.shared: list[str] = []
        self.aliases = 0
        self.around: list[series.Around] = []  # the series whose lists are being made
        self.restricted = restricted
        self.beside: Mapping[str, str] = {}  # what the root tells besides its rows
        self.shown: dict[str, str] = {}  # of pages with lists below: which of their rows are asked for

    def bind(self, reader: Reader, kind: TypeEngine[Any]) -> str:
        self.readers.append(reader)
        return f"${len(self.readers)}::{fragments.type_name(kind)}"

    def name(self, prefix: str) -> str:
        self.aliases += 1
        return f"{prefix}{self.aliases}"

    # -- who asks: bound once, where first needed

    @functools.cached_property
    def account_id(self) -> str:
        return self.bind(lambda read: read.account_id, _ID)

    @functools.cached_property
    def livemode(self) -> str:
        return self.bind(lambda read: read.livemode, _LIVEMODE)

    @functools.cached_property
    def allowed(self) -> str:
        return self.bind(lambda read: list(read.allowed_creators or ()), _IDS)

    # -- conditions

    def owned(self, entity: Entity, row: str) -> list[str]:
        """What every read of a tenant's table carries: account, world, and the token's creators."""
        conditions = [f"{row}.account_id = {self.account_id}"]
        if entity.has_livemode:
            conditions.append(f"{row}.livemode = {self.livemode}")
        if entity.is_alive:
            conditions.append(entity.is_alive(row))
        if self.restricted and entity.creator:
            conditions.append(f"{row}.{entity.creator} = any({self.allowed})")
        return conditions

    def selected(self, block: plan.Block, row: str, owner: str | None) -> list[str]:
        """All conditions of a list but its cursors."""
        assert block.entity is not None
        conditions = self.owned(block.entity, row)
        if isinstance(block.kind, Many):
            if owner in self.shown:
                conditions.append(self.shown[owner])
            if block.kind.here and owner is not None:
                conditions.append(f"{row}.{block.kind.there} = {owner}.{block.kind.here}")
            for name, rule in block.page.filters if block.page else ():
                value = self.bind(binds.filter_reader(block, name), rule.type)
                conditions.append(
                    rule.condition(row=row, value=value, account_id=self.account_id, livemode=self.livemode)
                )
        return conditions

    def bound(self, block: plan.Block, page: plan.Page, row: str, argument: str) -> tuple[str, str]:
        """The two sides of a comparison with a cursor: the row's place, and the cursor's."""
        reader = binds.cursor_reader(block, page, argument)
        value = self.bind(lambda read: binds.as_bound(page, reader(read).value), _TYPES[page.order.kind])
        id = self.bind(lambda read: reader(read).id, _ID)
        return f"({page.order.of(row)}, {row}.id)", f"({value}, {id})"

    # -- sets of rows

    def rows(self, block: plan.Block, depth: int, owner: str | None) -> tuple[str, Layout]:
        """The rows of a list: a query whose columns the layout knows."""
        layout = Layout(block, depth)
        slots = Slots()
        if isinstance(block.kind, Many):
            query, row = self.page(block, owner)
        elif isinstance(block.kind, Lookup):
            query, row = self.by_id(block, block.kind)
        else:
            query, row = self.series(block, block.kind, owner)
        if block.page and block.wants_cursors:
            seed = self.bind(binds.seed_reader(block, block.page), _SEED)
            layout.cursor = slots.add(cursors.checked(f"{row}.{BODY}", seed), form="cursor")
            layout.row = row
        joins: list[str] = []
        for members in itertools.chain.from_iterable(map(_members, block.outputs)):
            self.members(members, row, layout, slots, joins)
        if isinstance(block.kind, Series):
            self.around.pop()
        self.complete(layout, slots, row)
        columns = [f"{element} AS c{n}" for n, element in enumerate(slots.elements)]
        source = f"({query}) AS {row}" + "".join(f" LEFT OUTER JOIN {join} ON true" for join in joins)
        order = _order(block, row) if joins or layout.depth == 0 else ""
        return _select(columns, source, order=order), layout

    def complete(self, layout: Layout, slots: Slots, row: str) -> None:
        """What the assembler needs besides what was asked: something by which rows are known."""
        block = layout.block
        if isinstance(block.kind, Lookup):
            layout.key = slots.add(f"{row}.{PLACE}")
        elif layout.depth == 0 and self.beside:
            layout.key = slots.add("1")
        elif not slots.elements:
            slots.add("1")  # __typename alone: rows are counted all the same
        layout.width, layout.forms = len(slots.elements), tuple(slots.forms)
        if layout.width > MOST_COLUMNS:
            raise errors.QueryTooComplex(
                f"The operation reads more than {MOST_COLUMNS:,} columns of one object."
            )

    def page(self, block: plan.Block, owner: str | None) -> tuple[str, str]:
        """The page, cut before anything is joined to it."""
        page, entity = block.page, block.entity
        assert page is not None
        assert entity is not None
        row = self.name("t")
        conditions = self.selected(block, row, owner)
        for given, argument, beyond in ((page.after, "after", True), (page.before, "before", False)):
            if given:
                place, bound = self.bound(block, page, row, argument)
                conditions.append(f"{place} {'<' if page.descending == beyond else '>'} {bound}")
        columns = _columns(row, needs.needed(block) | {"id"})
        key = page.order.of(row)
        size = self.bind(lambda read: plan.size_of(block.kind, read.arguments(block.field)) + 1, _INTEGER)
        if block.wants_cursors:
            columns.append(f"{cursors.body(page, key, f'{row}.id')} AS {BODY}")
        columns.append(f"{key} AS {KEY}")
        order = f"{_sorted(page, key, f'{row}.id')}\n LIMIT {size}"
        query = _select(columns, f"{entity.source} AS {row}", conditions, order)
        return self.placed(page, query, size) if _has_lists_and_more(block) else (query, self.name("page"))

    def placed(self, page: plan.Page, query: str, size: str) -> tuple[str, str]:
        """The page with the place of each row in it: the one more than asked for needs no lists."""
        cut, row = self.name("cut"), self.name("page")
        place = f"row_number() OVER ({_sorted(page, f'{cut}.{KEY}', f'{cut}.id').strip()}) AS {PLACE}"
        self.shown[row] = f"{row}.{PLACE} < {size}"
        return _select([f"{cut}.*", place], f"({query}) AS {cut}"), row

    def by_id(self, block: plan.Block, kind: Lookup) -> tuple[str, str]:
        """A row each time an id is asked for, with its place among the ids: asked for twice is delivered twice."""
        entity = block.entity
        assert entity is not None
        row = self.name("t")
        columns, source = _columns(row, needs.needed(block)), f"{entity.source} AS {row}"
        if not kind.many:
            only = f"{row}.{entity.key} = {self.bind(lambda read: read.ids[0], _ID)}"
            one = _select([f"1 AS {PLACE}", *columns], source, [*self.owned(entity, row), only])
            return one, self.name("found")
        ids = self.bind(lambda read: list(read.ids), _IDS)
        wanted = self.name("wanted")
        source = (
            f"unnest({ids}) WITH ORDINALITY AS {wanted}(id, {PLACE}) "
            f"JOIN {source} ON {row}.{entity.key} = {wanted}.id"
        )
        several = _select([f"{wanted}.{PLACE}", *columns], source, self.owned(entity, row))
        return several, self.name("found")

    def series(self, block: plan.Block, kind: Series, owner: str | None) -> tuple[str, str]:
        own = series.Around(block.field, block.shape, self.around[-1] if self.around else None)
        self.around.append(own)
        return series.rows(self, kind, tuple(sorted(needs.needed(block))), own, owner), self.name("series")

    # -- what goes out

    def members(
        self, members: Iterable[plan.Member], row: str, layout: Layout, slots: Slots, joins: list[str]
    ) -> None:
        for member in members:
            if isinstance(member, plan.Leaf):
                in_cursor = layout.cursor if row == layout.row and _in_cursor(member.column, layout) else None
                layout.leaves[id(member)] = (
                    self.leaf(member.column, row, slots) if in_cursor is None else in_cursor
                )
            elif isinstance(member, plan.Nest):
                if member.embedded.present:
                    layout.leaves[id(member)] = self.leaf(member.embedded.present, row, slots)
                self.members(member.members, row, layout, slots, joins)
            elif isinstance(member, plan.Link):
                self.link(member, row, layout, slots, joins)
            elif isinstance(member, plan.Listed):
                self.listed(member, row, layout, slots, joins)

    def leaf(self, column: Column, row: str, slots: Slots) -> int:
        return slots.add(column.of(row), form=column.form, known_as=(row, id(column)))

    def link(self, member: plan.Link, row: str, layout: Layout, slots: Slots, joins: list[str]) -> None:
        """Another row, one at most: joined beside this one."""
        if len(joins) >= MOST_LINKS:
            raise errors.QueryTooComplex(
                f"The operation follows more than {MOST_LINKS} links from one object.",
                remedy="Ask for less at once, or split the operation.",
                limit=MOST_LINKS,
            )
        entity, there = member.entity, self.name("t")
        conditions = [
            *self.owned(entity, there),
            f"{there}.{member.one.there} = {row}.{member.one.here}",
        ]
        columns = _columns(there, needs.needed_members(member.members) | {entity.key})
        joined = self.name("one")
        joins.append(f"LATERAL ({_select(columns, f'{entity.source} AS {there}', conditions)}) AS {joined}")
        layout.leaves[id(member)] = slots.add(f"{joined}.{entity.key}", known_as=(joined, "key"))
        self.members(member.members, joined, layout, slots, joins)

    def listed(self, member: plan.Listed, row: str, layout: Layout, slots: Slots, joins: list[str]) -> None:
        """A list below: gathered to one row in a lateral join."""
        inner: Layout = Layout(member.block, layout.depth + 1)
        if member.block.wants_rows:
            query, inner = self.rows(member.block, layout.depth + 1, row)
            rows, gathered = self.name("rows"), self.name("list")
            arrays = [f"array_agg({rows}.c{n})" for n in range(inner.width)]
            if inner.depth < JSON_DEPTH:
                outputs = [f"{array} AS a{n}" for n, array in enumerate(arrays)]
                inner.arrays = tuple(slots.add(f"{gathered}.a{n}") for n in range(inner.width))
            else:
                outputs = [f"{_json_array(arrays)} AS whole"]
                inner.whole = slots.add(f"{gathered}.whole", form="json")
            joins.append(f"LATERAL ({_select(outputs, f'({query}) AS {rows}')}) AS {gathered}")
        layout.lists[id(member)] = inner
        for name, element in self.extras(member.block, row).items():
            setattr(inner, name, slots.add(element))

    def extras(self, block: plan.Block, owner: str | None) -> Mapping[str, str]:
        """What a list tells besides its rows: how many there are, and whether something lies beyond its cursors."""
        found: dict[str, str] = {}
        if block.wants_total:
            assert block.entity is not None
            row = self.name("t")
            counted = _select(
                ["count(*)"], f"{block.entity.source} AS {row}", self.selected(block, row, owner)
            )
            found["total"] = f"({counted})"
        page = block.page
        if (
            page and not block.wants_rows
        ):  # a cursor that is not looked at must be one of this list all the same
            given = [name for name, there in (("after", page.after), ("before", page.before)) if there]
            self.checks += [binds.cursor_reader(block, page, name) for name in given]
        if page and page.after and block.asks("hasPreviousPage"):
            found["before_exists"] = self.beyond(block, page, owner, "after")
        if page and page.before and block.asks("hasNextPage"):
            found["after_exists"] = self.beyond(block, page, owner, "before")
        return found

    def beyond(self, block: plan.Block, page: plan.Page, owner: str | None, argument: str) -> str:
        """Whether an entry stands at a cursor, or on its far side."""
        assert block.entity is not None
        row = self.name("t")
        place, bound = self.bound(block, page, row, argument)
        far = f"{place} {'>=' if page.descending == (argument == 'after') else '<='} {bound}"
        there = _select(["1"], f"{block.entity.source} AS {row}", [*self.selected(block, row, owner), far])
        return f"EXISTS ({there})"


def _has_lists_and_more(block: plan.Block) -> bool:
    """Whether a list of rows is asked for below each of its own, and one row more is read than asked for."""
    if not isinstance(block.kind, Many) or block.kind.single:
        return False
    return any(
        isinstance(member, plan.Listed) and member.block.wants_rows and isinstance(member.block.kind, Many)
        for members in itertools.chain.from_iterable(map(_members, block.outputs))
        for member in members
    )


def _members(output: plan.Output) -> Iterable[tuple[plan.Member, ...]]:
    if isinstance(output, plan.Nodes):
        return (output.members,)
    if isinstance(output, plan.Edges):
        return [entry for _, entry in output.entries if not isinstance(entry, str)]
    return ()


def _select(columns: Sequence[str], source: str, conditions: Sequence[str] = (), order: str = "") -> str:
    where = f" \nWHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {', '.join(columns)} \nFROM {source}{where}{order}"


def _columns(row: str, names: set[str]) -> list[str]:
    return [f"{row}.{name}" for name in sorted(names)]


def _sorted(page: plan.Page, key: str, id: str) -> str:
    way = "DESC" if page.descending != page.backward else "ASC"
    return f" ORDER BY {key} {way}, {id} {way}"


def _order(block: plan.Block, row: str) -> str:
    """Joins may mix up what a page or series had in order."""
    if block.page:
        return _sorted(block.page, f"{row}.{KEY}", f"{row}.id")
    if isinstance(block.kind, Series) and block.kind.placed:
        return f" ORDER BY {row}.{PLACE}"
    return ""


def _in_cursor(column: Column, layout: Layout) -> bool:
    """Whether a row's cursor holds it, too: its id, and the instant by which the list is ordered."""
    page = layout.block.page
    if page is None or layout.depth >= JSON_DEPTH:
        return bool(column.prefix)
    return bool(column.prefix) or page.order.is_instant(column)


def _json_array(elements: list[str]) -> str:
    chunks = [elements[n : n + JSON_CHUNK] for n in range(0, len(elements), JSON_CHUNK)]
    return f"json_build_array({', '.join(f'json_build_array({text})' for text in map(', '.join, chunks))})"


def compile_block(block: plan.Block, *, restricted: bool) -> Statement:
    """The whole read as one statement."""
    compiler = Compiler(restricted=restricted)
    extras = compiler.beside = compiler.extras(block, None)
    query, layout = compiler.rows(block, 0, None) if block.wants_rows else (None, Layout(block, 0))
    if extras:
        query = _with_extras(compiler, query, layout, extras)
    sql = query or "SELECT 1"  # __typename alone: nothing to read
    if compiler.shared:
        sql = f"WITH {', '.join(compiler.shared)} \n{sql}"
    return Statement(sql, tuple(compiler.readers), layout, tuple(compiler.checks))


def _with_extras(compiler: Compiler, query: str | None, layout: Layout, extras: Mapping[str, str]) -> str:
    """The root's extras beside its rows: one row stands even when the page is empty."""
    labelled = [f"{element} AS {name}" for name, element in extras.items()]
    for n, name in enumerate(extras):
        setattr(layout, name, layout.width + n)
    if query is None:
        return f"SELECT {', '.join(labelled)}"
    rows = compiler.name("rows")
    columns = [f"{rows}.c{n}" for n in range(layout.width)]
    return _select(
        [*columns, *labelled], f"(SELECT 1 AS one) AS one LEFT OUTER JOIN ({query}) AS {rows} ON true"
    )
