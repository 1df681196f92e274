"""The plan as one SQL statement: built once a plan with SQLAlchemy Core, rendered to text and binds.

Shape of a statement. The root's page is its rows. A list below is one array a column, gathered in a
lateral join (`array_agg`), which costs a third of building JSON in the database. Lists below lists
come as one JSON value of such columns. Every value leaves JSON-ready, so both arrive alike. Pages are
cut inside, before anything is joined; a page reads one row more than asked, which tells of a next page.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    func,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID, asyncpg
from sqlalchemy.types import Boolean, Double, TypeEngine

from graph.planner import binds, cursors, needs, plan
from graph.planner.entities import INSTANT
from graph.planner.layout import Layout, Slots, Statement
from graph.planner.mapping import Column, Entity, Lookup, Many, Reader, Series, SeriesRequest, Tenant
from services import errors

PLACE = "place"  # where an id, or a point of a series, stands among its like
KEY = "key"  # the order's value, as a page carries it
BODY = "body"  # of its cursor
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
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]


class Compiler:
    """One statement in the making: its binds and its names."""

    def __init__(self, *, restricted: bool) -> None:
        self.readers: dict[str, Reader] = {}
        self.checks: list[Reader] = []
        self.aliases = 0
        self.around: list[SeriesRequest] = []  # the series whose lists are being made
        self.restricted = restricted
        self.tenant = Tenant(
            self.bind(lambda read: read.account_id, UUID(), "account"),
            self.bind(lambda read: read.livemode, Boolean(), "livemode"),
        )

    def bind(self, reader: Reader, kind: TypeEngine[Any], name: str | None = None) -> Any:
        name = name or f"p{len(self.readers)}"
        self.readers[name] = reader
        return bindparam(name, type_=kind)

    def alias(self, table: FromClause) -> FromClause:
        self.aliases += 1
        return table.alias(f"t{self.aliases}")

    def name(self, prefix: str) -> str:
        self.aliases += 1
        return f"{prefix}{self.aliases}"

    # -- conditions

    def owned(self, entity: Entity, row: FromClause) -> list[ColumnElement[bool]]:
        """What every read of a tenant's table carries: account, world, and the token's creators."""
        conditions: list[ColumnElement[bool]] = [row.c.account_id == self.tenant.account_id]
        if entity.has_livemode:
            conditions.append(row.c.livemode == self.tenant.livemode)
        if entity.alive:
            conditions.append(entity.alive(row))
        if self.restricted and entity.creator:
            allowed = self.bind(lambda read: list(read.allowed_creators or ()), ARRAY(UUID), "allowed")
            conditions.append(row.c[entity.creator] == func.any(allowed))
        return conditions

    def selected(
        self, block: plan.Block, row: FromClause, owner: FromClause | None
    ) -> list[ColumnElement[bool]]:
        """All conditions of a list but its cursors."""
        assert block.entity is not None
        conditions = self.owned(block.entity, row)
        if isinstance(block.kind, Many):
            if block.kind.here and owner is not None:
                conditions.append(row.c[block.kind.there or ""] == _outer(owner, block.kind.here))
            for name, rule in block.page.filters if block.page else ():
                conditions.append(
                    rule.where(row, self.bind(binds.filter_reader(block, name), rule.type), self.tenant)
                )
        return conditions

    def bound(self, block: plan.Block, page: plan.Page, row: FromClause, argument: str) -> tuple[Any, Any]:
        """The two sides of a comparison with a cursor: the row's place, and the cursor's."""
        reader = binds.cursor_reader(block, page, argument)
        value = self.bind(lambda read: binds.as_bound(page, reader(read).value), _TYPES[page.order.kind])
        id = self.bind(lambda read: reader(read).id, UUID())
        return tuple_(page.order.key(row), row.c.id), tuple_(value, id)

    # -- sets of rows

    def rows(self, block: plan.Block, depth: int, owner: FromClause | None) -> tuple[Select[Any], Layout]:
        """The rows of a list: a select whose columns the layout knows."""
        layout = Layout(block, depth)
        slots = Slots()
        if isinstance(block.kind, Many):
            query, row = self.page(block, owner)
        elif block.entity is not None:
            query, row = self.by_id(block, block.entity)
        else:
            request = self.request(block, owner)
            query = row = block.kind.rows(request).subquery(self.name("series"))  # type: ignore[union-attr]
            self.around.append(request)
        joins: list[FromClause] = []
        for output in block.outputs:
            self.output(output, row, layout, slots, joins)
        if isinstance(block.kind, Series):
            self.around.pop()
        self.complete(layout, slots, row)
        source: Any = query
        for join in joins:
            source = source.outerjoin(join, true())
        named = [element.label(f"c{n}") for n, element in enumerate(slots.elements)]
        statement = select(*named).select_from(source)
        return _in_order(statement, block, row) if joins or layout.depth == 0 else statement, layout

    def complete(self, layout: Layout, slots: Slots, row: FromClause) -> None:
        """What the assembler needs besides what was asked: cursors, and something by which rows are known."""
        block = layout.block
        if block.page and block.wants_cursors:
            layout.cursor = slots.add(
                cursors.written(
                    block.page, row.c[BODY], self.bind(binds.seed_reader(block, block.page), BigInteger())
                )
            )
        if isinstance(block.kind, Lookup):
            layout.key = slots.add(row.c[PLACE])
        elif block.entity is not None and (layout.depth == 0 or not slots.elements):
            layout.key = slots.add(row.c[block.entity.key], known_as="key")
        elif not slots.elements:
            slots.add(literal_column("1"))  # __typename alone: rows are counted all the same
        layout.width, layout.is_json = len(slots.elements), tuple(slots.is_json)
        if layout.width > MOST_COLUMNS:
            raise errors.QueryTooComplex(
                f"The operation reads more than {MOST_COLUMNS:,} columns of one object."
            )

    def page(self, block: plan.Block, owner: FromClause | None) -> tuple[FromClause, FromClause]:
        """The page, cut before anything is joined to it."""
        page, entity = block.page, block.entity
        assert page is not None
        assert entity is not None
        row = self.alias(entity.rows)
        conditions = self.selected(block, row, owner)
        for given, argument, beyond in ((page.after, "after", True), (page.before, "before", False)):
            if given:
                place, bound = self.bound(block, page, row, argument)
                conditions.append(place < bound if page.descending == beyond else place > bound)
        columns: list[ColumnElement[Any]] = [row.c[name] for name in sorted(needs.needed(block) | {"id"})]
        key = page.order.key(row)
        size = self.bind(lambda read: plan.size_of(block.kind, read.arguments(block.field)) + 1, Integer())
        if block.wants_cursors:
            columns.append(cursors.body(page, key, row.c.id).label(BODY))
        chosen = select(*columns, key.label(KEY)).where(*conditions)
        cut = chosen.order_by(*_sorted(page, key, row.c.id)).limit(size).subquery(self.name("page"))
        return cut, cut

    def by_id(self, block: plan.Block, entity: Entity) -> tuple[FromClause, FromClause]:
        """A row each time an id is asked for, with its place among the ids: asked for twice is delivered twice."""
        row = self.alias(entity.rows)
        columns = [row.c[name] for name in sorted(needs.needed(block))]
        if not block.kind.many:  # type: ignore[union-attr]
            only = row.c[entity.key] == self.bind(lambda read: read.ids[0], UUID())
            one = select(literal_column("1").label(PLACE), *columns).where(*self.owned(entity, row), only)
            found = one.subquery(self.name("found"))
            return found, found
        ids = func.unnest(self.bind(lambda read: list(read.ids), ARRAY(UUID)))
        wanted = ids.table_valued("id", with_ordinality=PLACE).render_derived(name=self.name("wanted"))
        cut = select(wanted.c[PLACE], *columns).select_from(
            wanted.join(row, row.c[entity.key] == wanted.c.id)
        )
        found = cut.where(*self.owned(entity, row)).subquery(self.name("found"))
        return found, found

    def request(self, block: plan.Block, owner: FromClause | None) -> SeriesRequest:
        kind: Any = block.kind
        return SeriesRequest(
            owner=_outer(owner, kind.here) if kind.here and owner is not None else None,
            within=_outer(owner, kind.within) if kind.within and owner is not None else None,
            tenant=self.tenant,
            shape=block.shape,
            columns=tuple(sorted(needs.needed(block))),
            asked=block.field,
            bind_read=self.bind,
            outer=self.around[-1] if self.around else None,
        )

    # -- what goes out

    def output(
        self, output: plan.Output, row: FromClause, layout: Layout, slots: Slots, joins: list[FromClause]
    ) -> None:
        if isinstance(output, plan.Nodes):
            self.members(output.members, row, layout, slots, joins)
        elif isinstance(output, plan.Edges):
            for _, entry in output.entries:
                if not isinstance(entry, str):
                    self.members(entry, row, layout, slots, joins)

    def members(
        self,
        members: tuple[plan.Member, ...],
        row: FromClause,
        layout: Layout,
        slots: Slots,
        joins: list[FromClause],
    ) -> None:
        for member in members:
            if isinstance(member, plan.Leaf):
                layout.leaves[id(member)] = self.leaf(member.column, row, slots)
            elif isinstance(member, plan.Nest):
                if member.embedded.present:
                    layout.leaves[id(member)] = self.leaf(member.embedded.present, row, slots)
                self.members(member.members, row, layout, slots, joins)
            elif isinstance(member, plan.Link):
                self.link(member, row, layout, slots, joins)
            elif isinstance(member, plan.Listed):
                self.listed(member, row, layout, slots, joins)

    def leaf(self, column: Column, row: FromClause, slots: Slots) -> int:
        return slots.add(column.sql(row), is_json=column.is_json, known_as=(row.description, id(column)))

    def link(
        self, member: plan.Link, row: FromClause, layout: Layout, slots: Slots, joins: list[FromClause]
    ) -> None:
        """Another row, one at most: joined beside this one."""
        if len(joins) >= MOST_LINKS:
            raise errors.QueryTooComplex(
                f"The operation follows more than {MOST_LINKS} links from one object.",
                remedy="Ask for less at once, or split the operation.",
                limit=MOST_LINKS,
            )
        there = self.alias(member.entity.rows)
        conditions = [
            *self.owned(member.entity, there),
            there.c[member.one.there] == _outer(row, member.one.here),
        ]
        columns = sorted(needs.needed_members(member.members) | {member.entity.key})
        joined = select(*(there.c[name] for name in columns)).where(*conditions).lateral(self.name("one"))
        joins.append(joined)
        layout.leaves[id(member)] = slots.add(
            joined.c[member.entity.key], known_as=(joined.description, "key")
        )
        self.members(member.members, joined, layout, slots, joins)

    def listed(
        self, member: plan.Listed, row: FromClause, layout: Layout, slots: Slots, joins: list[FromClause]
    ) -> None:
        """A list below: gathered to one row in a lateral join."""
        inner: Layout = Layout(member.block, layout.depth + 1)
        outputs: list[tuple[str, ColumnElement[Any]]] = []
        if member.block.wants_rows:
            query, inner = self.rows(member.block, layout.depth + 1, row)
            rows = query.subquery(self.name("rows"))
            gathered = [func.array_agg(column) for column in rows.c]
            if inner.depth == 1:
                outputs = [(f"a{n}", element) for n, element in enumerate(gathered)]
            else:
                outputs = [("whole", _json_array(gathered))]
            source = select(*(element.label(name) for name, element in outputs)).select_from(rows)
            gathered_row = source.lateral(self.name("list"))
            joins.append(gathered_row)
            if inner.depth == 1:
                inner.arrays = tuple(slots.add(gathered_row.c[name]) for name, _ in outputs)
            else:
                inner.whole = slots.add(gathered_row.c.whole, is_json=True)
        layout.lists[id(member)] = inner
        for name, element in self.extras(member.block, row).items():
            setattr(inner, name, slots.add(element))

    def extras(self, block: plan.Block, owner: FromClause | None) -> Mapping[str, ColumnElement[Any]]:
        """What a list tells besides its rows: how many there are, and whether something lies beyond its cursors."""
        found: dict[str, ColumnElement[Any]] = {}
        if block.wants_total:
            assert block.entity is not None
            row = self.alias(block.entity.rows)
            found["total"] = (
                select(func.count())
                .select_from(row)
                .where(*self.selected(block, row, owner))
                .scalar_subquery()
            )
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

    def beyond(
        self, block: plan.Block, page: plan.Page, owner: FromClause | None, argument: str
    ) -> ColumnElement[Any]:
        """Whether an entry stands at a cursor, or on its far side."""
        assert block.entity is not None
        row = self.alias(block.entity.rows)
        place, bound = self.bound(block, page, row, argument)
        far = place >= bound if page.descending == (argument == "after") else place <= bound
        return select(literal_column("1")).where(*self.selected(block, row, owner), far).exists()


def _outer(row: FromClause, name: str) -> ColumnElement[Any]:
    """A column of a row further out. By name: SQLAlchemy would put the row's own select into this one again."""
    return literal_column(f"{row.description}.{name}", row.c[name].type)


def _sorted(
    page: plan.Page, key: ColumnElement[Any], id: ColumnElement[Any]
) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return (key.desc(), id.desc()) if page.descending != page.backward else (key.asc(), id.asc())


def _in_order(statement: Select[Any], block: plan.Block, row: FromClause) -> Select[Any]:
    """Joins may mix up what a page or series had in order."""
    if block.page:
        return statement.order_by(*_sorted(block.page, row.c[KEY], row.c.id))
    if isinstance(block.kind, Series) and block.kind.placed:
        return statement.order_by(row.c[PLACE])
    return statement


def _json_array(elements: list[Any]) -> ColumnElement[Any]:
    chunks = [elements[n : n + JSON_CHUNK] for n in range(0, len(elements), JSON_CHUNK)]
    return func.json_build_array(*(func.json_build_array(*chunk) for chunk in chunks))


def compile_block(block: plan.Block, *, restricted: bool) -> Statement:
    """The whole read as one statement."""
    compiler = Compiler(restricted=restricted)
    extras = compiler.extras(block, None)
    if block.wants_rows:
        query, layout = compiler.rows(block, 0, None)
    else:
        query, layout = None, Layout(block, 0)
    if extras:
        query, layout = _with_extras(compiler, query, layout, extras)
    if query is None:  # __typename alone: nothing to read
        query = select(literal_column("1"))
    compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    names = compiled.positiontup or []
    return Statement(
        str(compiled), tuple(compiler.readers[name] for name in names), layout, tuple(compiler.checks)
    )


def _with_extras(
    compiler: Compiler, query: Select[Any] | None, layout: Layout, extras: Mapping[str, ColumnElement[Any]]
) -> tuple[Select[Any], Layout]:
    """The root's extras beside its rows: one row stands even when the page is empty."""
    labelled = [element.label(name) for name, element in extras.items()]
    for n, name in enumerate(extras):
        setattr(layout, name, layout.width + n)
    if query is None:
        return select(*labelled), layout
    rows = query.subquery(compiler.name("rows"))
    one = select(literal_column("1").label("one")).subquery("one")
    return select(*rows.c, *labelled).select_from(one.outerjoin(rows, true())), layout
