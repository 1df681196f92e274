"""Plans cached, statements run, what was delivered counted."""

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from db.gathered import Several
from db.session import Connection
from graph import cost
from graph.planner import assemble, layout, plan
from graph.planner import compile as compiling
from graph.planner.mapping import Lookup, Many, Read, Series
from graph.planner.selection import Field
from graph.planner.several import for_several
from graph.together import Together

MOST_SHAPES = 64
_PLANS = Together(10_000)
"""Of all fields of all documents: 30 KB each."""


@dataclass(frozen=True)
class Price:
    """What one block's rows cost: `each` thousandths times `times` occurrences of the type a row."""

    coordinate: str
    block: int
    times: int
    each: int


@dataclass(frozen=True)
class Plan:
    """A read, ready to run. `for_several`: its SQL for several requests at once, where it reads one row alone."""

    statement: layout.Statement
    assembler: assemble.Assembler
    prices: tuple[Price, ...]
    for_several: Several | None = None

    def arguments(self, read: Read) -> list[Any]:
        return [reader(read) for reader in self.statement.binds]

    def sizes(self, read: Read) -> list[int]:
        return [
            (plan.size_of(block.kind, read.arguments(block.field)) or 1) if block.page else 0
            for block in self.assembler.blocks
        ]


Fetch = Callable[[Plan, Sequence[Any]], Awaitable[Any]]
"""Runs a plan's statement: a list of its rows."""


@dataclass(slots=True)
class Delivered:
    """What reads gave out: by schema coordinate, how many and for how many thousandths of a credit."""

    counts: dict[str, int] = field(default_factory=dict)
    thousandths: dict[str, int] = field(default_factory=dict)

    def add(self, coordinate: str, count: int, thousandths: int = 0) -> None:
        self.counts[coordinate] = self.counts.get(coordinate, 0) + count
        self.thousandths[coordinate] = self.thousandths.get(coordinate, 0) + thousandths

    def take(self, other: "Delivered") -> None:
        """Count what another counted, too."""
        for name, count in other.counts.items():
            self.add(name, count, other.thousandths[name])

    def shares(self, charge: int) -> str:
        """What usage rows tell, as JSON: by coordinate, how many, and its share of the charge in thousandths."""
        return _shares(tuple(self.counts.items()), tuple(self.thousandths.values()), charge)

    def clear(self) -> None:
        """Nothing was delivered after all."""
        self.counts.clear()
        self.thousandths.clear()

    @property
    def total(self) -> int:
        return sum(self.thousandths.values())


@functools.lru_cache(maxsize=4_096)
def _shares(counts: tuple[tuple[str, int], ...], thousandths: tuple[int, ...], charge: int) -> str:
    """Shared by weight (evenly where nothing has any), to the last thousandth: shares sum to the charge.

    Kept, because pages that are full are charged alike.
    """
    if not charge:
        return orjson.dumps({name: (count, 0) for name, count in counts}).decode()
    weights = thousandths if any(thousandths) else (1,) * len(counts)
    whole, so_far, given = sum(weights), 0, 0
    shared: dict[str, tuple[int, int]] = {}
    for (name, count), weight in zip(counts, weights, strict=True):
        so_far += weight
        share = charge * cost.THOUSANDTHS * so_far // whole - given
        given += share
        shared[name] = (count, share)
    return orjson.dumps(shared).decode()


class Prepared:
    """A field of a document with its plans, one a shape of its arguments."""

    def __init__(self, field: Field, kind: Many | Series | Lookup, parent_type: str) -> None:
        self.field, self.kind, self.parent_type = field, kind, parent_type
        self._shaping = tuple(plan.shaping(field, kind))
        self._plans: OrderedDict[Any, Plan] = OrderedDict()

    def plan(self, read: Read, *, packed: bool = False) -> Plan:
        """The plan for this request's arguments. Raises BadUserInput where they are out of bounds."""
        shape = (
            packed,
            read.allowed_creators is not None,
            tuple([plan.shape_of(kind, read.arguments(field)) for field, kind in self._shaping]),
        )
        found = self._plans.get(shape)
        if found is None:
            found = self._plans[shape] = self._make(read, packed=packed)
            _PLANS.added(self._plans, shape)
            if len(self._plans) > MOST_SHAPES:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(shape)
        return found

    def _make(self, read: Read, *, packed: bool) -> Plan:
        block = plan.block(self.field, self.kind, self.parent_type, read)
        statement = compiling.compile_block(block, restricted=read.allowed_creators is not None)
        assembler = assemble.generate(statement, packed=packed)
        one_row = _reads_one_row(self.kind) and not statement.layout.lists
        shared = for_several(statement.sql) if one_row else None
        return Plan(statement, assembler, tuple(_prices(assembler.blocks)), shared)

    async def run(
        self, fetch: Fetch, read: Read, delivered: Delivered, *, packed: bool = False, apart: bool = False
    ) -> Any:
        """One statement; answers the field's value under its response keys.

        `packed` where it becomes JSON as it is; `apart`: assembled in a thread.
        """
        plan = self.plan(read, packed=packed)
        for check in plan.statement.checks:
            check(read)
        rows = await fetch(plan, plan.arguments(read))
        counts = [0] * len(plan.assembler.blocks)
        make = plan.assembler.run
        if apart:  # threads take turns every 5 ms: the loop has its own, however much this is
            value = await asyncio.to_thread(make, rows, plan.sizes(read), counts)
        else:
            value = make(rows, plan.sizes(read), counts)
        for price in plan.prices:
            count = counts[price.block] * price.times
            if count:
                delivered.add(price.coordinate, count, count * price.each)
        return value


def on(connection: Connection) -> Fetch:
    """Statements run on one connection, one after the other."""
    return lambda plan, arguments: connection.fetch(plan.statement.sql, *arguments)


def _reads_one_row(kind: Many | Series | Lookup) -> bool:
    return not kind.many if isinstance(kind, Lookup) else kind.single and isinstance(kind, Many)


def prepared(field: Field, kind: Many | Series | Lookup, parent_type: str) -> Prepared:
    """The plans of a field; made once for each way in which it is read."""
    key = kind if isinstance(kind, Lookup) else None
    found: Prepared | None = field.plans.get(key)
    if found is None:
        found = field.plans[key] = Prepared(field, kind, parent_type)
    return found


def _prices(blocks: tuple[plan.Block, ...]) -> Iterator[Price]:
    for number, block in enumerate(blocks):
        times: dict[tuple[str, int], int] = {}
        for output in block.outputs:
            for coordinate, each in _occurrences(block, output):
                times[coordinate, each] = times.get((coordinate, each), 0) + 1
        for (coordinate, each), count in times.items():
            yield Price(coordinate, number, count, each)


def _occurrences(block: plan.Block, output: plan.Output) -> Iterator[tuple[str, int]]:
    """What one row of a list delivers by one of its outputs. An edge costs its node, asked for or not."""
    weight = block.entity.weight if block.entity else getattr(block.kind, "weight", 0)
    if isinstance(output, plan.Nodes):
        yield block.coordinate, weight
        yield from _linked(output.members)
    elif isinstance(output, plan.Edges):
        nodes = [entry for _, entry in output.entries if not isinstance(entry, str)]
        for _ in range(max(1, len(nodes))):
            yield block.coordinate, weight
        for members in nodes:
            yield from _linked(members)


def _linked(members: tuple[plan.Member, ...]) -> Iterator[tuple[str, int]]:
    for member in members:
        if isinstance(member, plan.Link):
            if member.entity.weight:
                assert not member.one.nullable, "a priced link must be there for every row"
                yield member.coordinate, member.entity.weight
            yield from _linked(member.members)
        elif isinstance(member, plan.Nest):
            yield from _linked(member.members)
