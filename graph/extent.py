"""How many values an operation may return, and how many of them graphql-core has to walk: known before it runs.

graphql-core walks all that a field returns in one go, in which no other request gets a turn: the payloads of mutations,
events, and what roots return that no plan reads. Planned roots are compiled; so may be more.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql.execution.values import VariableValues

from graph import limits, roots
from graph.context import Context
from graph.planner.entities import most_points
from graph.planner.selection import Field
from graph.planner.usage import MOST_BUCKETS
from services.platforms import coverage

MOST_MISSING = max(Counter(row.platform for row in coverage.COVERAGE).values())
# Lists that no page size cuts short. Members nobody counts: few accounts have as many.
ENTRIES: Mapping[str, Callable[[Mapping[str, Any]], int]] = {
    "Account.members": lambda _: 100,
    "Creator.history": most_points,
    "Creator.missingMetrics": lambda _: MOST_MISSING,
    "Query.nodes": lambda arguments: len(arguments["ids"]),
    "Usage.buckets": lambda _: MOST_BUCKETS,
    "Video.history": most_points,
}

Times = Callable[[Field, str], int]
"""How many of a page's entries are asked for, by field and coordinate; 1 of what is no page."""


@dataclass(frozen=True)
class Walk:
    """Over what an operation asks for with these variables."""

    times: Times
    variables: VariableValues

    def values(self, root_type: str, fields: Iterable[Field]) -> int:
        """How many, at most. Raises QueryTooComplex for more than may be, or than graphql-core may have to walk."""
        total = walked = 0
        for root in fields:
            asked = self._values(root, root_type, 1)
            total += asked
            walked += 0 if root_type == "Query" and _is_bounded_elsewhere(root) else asked
        _check("values that no plan reads", limits.WALKED, walked)
        _check("values", limits.RETURNED, total)
        return total

    def _values(self, field: Field, parent_type: str, count: int) -> int:
        """Those of a field that is delivered `count` times, and of all below it."""
        entries = count * self._entries(field, f"{parent_type}.{field.name}")
        is_page = field.type_name.endswith("Connection")
        asked = count if is_page else entries
        for inner in field.fields:
            # Of a page only the entries are many.
            once = is_page and inner.name not in {"nodes", "edges"}
            asked += self._values(inner, field.type_name, count if once else entries)
        return asked + max(
            (self._of_type(name, inner, entries) for name, inner in field.by_type.items()), default=0
        )

    def _of_type(self, type_name: str, fields: Iterable[Field], count: int) -> int:
        return sum(self._values(field, type_name, count) for field in fields)

    def _entries(self, field: Field, coordinate: str) -> int:
        if coordinate in ENTRIES:
            return ENTRIES[coordinate](field.arguments(self.variables))
        return self.times(field, coordinate)


def check_price(context: Context, field: Field, lines: int) -> None:
    """Raises QueryTooComplex where prices have so many lines, all that an operation asks for together."""
    context.walked += lines * sum(1 + len(told.fields) for told in field.named("fields"))
    _check("values that no plan reads", limits.WALKED, context.walked)


def _is_bounded_elsewhere(root: Field) -> bool:
    return root.name in roots.PLANNED or root.name.startswith("__")


def _check(what: str, limit: int, asked: int) -> None:
    if asked > limit:
        raise limits.refuse(what, limit, asked)
