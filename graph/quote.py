"""The price of an operation before it runs: an upper bound on the coerced variables, and what it may lead to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphql.execution.values import VariableValues

from graph import beside, cost, extent, ids, limits, pagination
from graph.documents import Operation
from graph.planner import plan
from graph.planner.selection import Field
from graph.policy import FREE, NOT_FOR_SOME_CREATORS, TELLS_OF_CHARGES, Policy
from services import errors

MOST_QUOTES = 64
# Lists that are no connections: as many as `first` says. What stands below their entries may have a price.
LED_BY_FIRST = frozenset(
    f"Usage.{name}" for name in ("byKey", "byMember", "byField", "byCountry", "anomalies")
)


@dataclass(frozen=True)
class Line:
    """One priced place: response path, how many at most, thousandths of a credit at most."""

    path: str
    count: int
    thousandths: int


@dataclass
class Quote:
    """`max` and `base` in credits; `nodes`: objects at most, `values`: theirs; `scopes`: all that the operation needs.

    `tells_of_others`: what in it a token held to certain creators may not ask. `usual`: where the price is fixed, so that
    no answer can change it, and the answer does not tell of charges.
    """

    lines: list[Line] = field(default_factory=list)
    nodes: int = 0
    values: int = 0
    scopes: set[str] = field(default_factory=set)
    tells_of_others: set[str] = field(default_factory=set)
    tells_of_charges: bool = False
    base: int = 0
    max: int = 0
    usual: beside.Usual | None = None


@dataclass(frozen=True)
class _Walk:
    policy: Policy
    variables: VariableValues
    quote: Quote

    def field(self, field: Field, parent_type: str, path: str, count: int) -> None:
        """A field that is delivered at most `count` times."""
        coordinate = f"{parent_type}.{field.name}"
        self.scope(coordinate)
        self.line(path, count, self.policy.weights.get(coordinate, 0))
        if field.by_type:
            self.nodes(field, path)
            return
        self.object(field.type_name, field.fields, path, count * self.times(field, coordinate))

    def object(self, type_name: str, fields: Sequence[Field], path: str, count: int) -> None:
        self.scope(type_name)
        if type_name.endswith("Connection"):
            self.connection(type_name, fields, path, count)
            return
        self.line(path, count, self.policy.weights.get(type_name, 0))
        self.quote.nodes += count if type_name in ids.PREFIXES else 0
        if self.quote.nodes > limits.NODES:
            raise limits.refuse("objects", limits.NODES, self.quote.nodes)
        for inner in fields:
            if inner.name != "__typename":
                self.field(inner, type_name, f"{path}.{inner.key}", count)

    def connection(self, type_name: str, fields: Sequence[Field], path: str, count: int) -> None:
        """`count` entries in all pages together; an edge costs its node, asked for or not."""
        node_type = type_name.removesuffix("Connection")
        self.scope(node_type)
        for inner in fields:
            below = f"{path}.{inner.key}"
            if inner.name == "nodes":
                self.object(node_type, inner.fields, below, count)
            elif inner.name == "edges":
                nodes = list(inner.named("node"))
                for node in nodes:
                    self.object(node_type, node.fields, f"{below}.{node.key}", count)
                if not nodes:
                    self.object(node_type, (), below, count)

    def nodes(self, field: Field, path: str) -> None:
        """Node and nodes: the ids say which types."""
        arguments = field.arguments(self.variables)
        given = arguments["ids"] if "ids" in arguments else [arguments["id"]]
        if len(given) > pagination.MOST:  # each that is none costs an exception
            raise errors.BadUserInput(f"`ids` takes at most {pagination.MOST} ids.", argument="ids")
        for type_name, count in _count_types(given):
            self.object(type_name, field.by_type[type_name], path, count)

    def times(self, field: Field, coordinate: str) -> int:
        sized = coordinate in self.policy.paged or coordinate in LED_BY_FIRST
        return plan.sized(field.arguments(self.variables))[1] if sized else 1

    def scope(self, coordinate: str) -> None:
        if coordinate in NOT_FOR_SOME_CREATORS:
            self.quote.tells_of_others.add(coordinate)
        if coordinate in TELLS_OF_CHARGES:
            self.quote.tells_of_charges = True
        needed = self.policy.scopes.get(coordinate)
        if needed:
            self.quote.scopes.add(needed)

    def line(self, path: str, count: int, weight: int) -> None:
        if weight and count:
            self.quote.lines.append(Line(path, count, count * weight))


def _count_types(given: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Types of ids that can be read; the resolver refuses the others with their place."""
    counts: dict[str, int] = {}
    for id in given:
        try:
            type_name, _ = ids.read_any(id, "ids")
        except errors.BadUserInput:
            continue
        counts[type_name] = counts.get(type_name, 0) + 1
    yield from counts.items()


def of(policy: Policy, operation: Operation, variables: VariableValues) -> Quote:
    """The quote of an operation, made once for all requests that can cost no more than each other."""
    key = operation.sized(variables)
    found = operation.quotes.get(key)
    if found is None:
        found = operation.quotes[key] = make(
            policy, operation.root_type, operation.roots(variables), variables
        )
        if len(operation.quotes) > MOST_QUOTES:
            operation.quotes.popitem(last=False)
    quote: Quote = found
    return quote


def make(policy: Policy, root_type: str, roots: Sequence[Field], variables: VariableValues) -> Quote:
    """The quote of an operation. Raises BadUserInput for page sizes out of bounds, QueryTooComplex for too much."""
    quote = Quote()
    walk = _Walk(policy, variables, quote)
    maximum = 0
    for root in roots:
        if root.name.startswith("__"):
            continue
        before = sum(line.thousandths for line in quote.lines)
        walk.field(root, root_type, root.key, 1)
        if f"{root_type}.{root.name}" in FREE:
            continue
        quote.base = 1
        if root_type == "Mutation":  # each mutation field settles its own
            maximum += cost.credits(sum(line.thousandths for line in quote.lines) - before)
    quote.values = extent.Walk(walk.times, variables).values(root_type, roots)
    total = sum(line.thousandths for line in quote.lines)
    quote.max = maximum if root_type == "Mutation" else (cost.credits(total) if quote.base else 0)
    if root_type == "Query" and quote.max == quote.base == beside.PRICE and not quote.tells_of_charges:
        quote.usual = beside.Usual()
    return quote
