"""Plans cached, statements run, what was delivered counted."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from db.session import Connection
from graph import cost
from graph.planner import assemble, layout, plan
from graph.planner import compile as compiling
from graph.planner.mapping import Lookup, Many, Read, Series
from graph.planner.selection import Field

MOST_SHAPES = 64


@dataclass(frozen=True)
class Price:
    """What one block's rows cost: `each` thousandths times `times` occurrences of the type a row."""

    coordinate: str
    block: int
    times: int
    each: int


@dataclass(frozen=True)
class Plan:
    """A read, ready to run."""

    statement: layout.Statement
    assembler: assemble.Assembler
    prices: tuple[Price, ...]

    def arguments(self, read: Read) -> list[Any]:
        return [reader(read) for reader in self.statement.binds]

    def sizes(self, read: Read) -> list[int]:
        return [
            (plan.size_of(block.kind, read.arguments(block.field)) or 1) if block.page else 0
            for block in self.assembler.blocks
        ]


@dataclass
class Delivered:
    """What reads gave out: by schema coordinate, how many and for how many thousandths of a credit."""

    counts: dict[str, int] = field(default_factory=dict)
    thousandths: dict[str, int] = field(default_factory=dict)

    def add(self, coordinate: str, count: int, thousandths: int = 0) -> None:
        self.counts[coordinate] = self.counts.get(coordinate, 0) + count
        self.thousandths[coordinate] = self.thousandths.get(coordinate, 0) + thousandths

    def shares(self, charge: int) -> dict[str, list[int]]:
        """What usage rows tell: by coordinate, how many, and its share of the charge in thousandths.

        Shared by weight (evenly where nothing has any), to the last thousandth: shares sum to the charge.
        """
        if not charge:
            return {name: [count, 0] for name, count in self.counts.items()}
        weights = self.thousandths if self.total else dict.fromkeys(self.counts, 1)
        whole, so_far, given = sum(weights.values()), 0, 0
        shared: dict[str, list[int]] = {}
        for name, count in self.counts.items():
            so_far += weights[name]
            share = charge * cost.THOUSANDTHS * so_far // whole - given
            given += share
            shared[name] = [count, share]
        return shared

    def clear(self) -> None:
        """Nothing was delivered after all."""
        self.counts.clear()
        self.thousandths.clear()

    @property
    def total(self) -> int:
        return sum(self.thousandths.values())


class Prepared:
    """A field of a document with its plans, one a shape of its arguments."""

    def __init__(self, field: Field, kind: Many | Series | Lookup, parent_type: str) -> None:
        self.field, self.kind, self.parent_type = field, kind, parent_type
        self._shaping = tuple(plan.shaping(field, kind))
        self._plans: OrderedDict[Any, Plan] = OrderedDict()

    def plan(self, read: Read) -> Plan:
        """The plan for this request's arguments. Raises BadUserInput where they are out of bounds."""
        shape = (
            read.allowed_creators is not None,
            tuple(plan.shape_of(kind, read.arguments(field)) for field, kind in self._shaping),
        )
        found = self._plans.get(shape)
        if found is None:
            found = self._plans[shape] = self._make(read)
            if len(self._plans) > MOST_SHAPES:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(shape)
        return found

    def _make(self, read: Read) -> Plan:
        block = plan.block(self.field, self.kind, self.parent_type, read)
        statement = compiling.compile_block(block, restricted=read.allowed_creators is not None)
        assembler = assemble.generate(statement)
        return Plan(statement, assembler, tuple(_prices(assembler.blocks)))

    async def run(self, connection: Connection, read: Read, delivered: Delivered) -> Any:
        """One statement; answers the field's value under its response keys."""
        plan = self.plan(read)
        for check in plan.statement.checks:
            check(read)
        rows = await connection.fetch(plan.statement.sql, *plan.arguments(read))
        counts = [0] * len(plan.assembler.blocks)
        value = plan.assembler.run(rows, plan.sizes(read), counts)
        for price in plan.prices:
            count = counts[price.block] * price.times
            if count:
                delivered.add(price.coordinate, count, count * price.each)
        return value


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
