"""What is kept of documents is bounded over all of them, and what was dropped is made again."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import resolvers
from graph import documents, schema
from graph.planner import reading
from graph.planner.entities import ROOTS
from graph.planner.mapping import Read
from graph.together import Together

ENGINE = schema.build_engine(resolvers.schema())
ASKED = "query Q%d($a: Boolean!, $b: Boolean!) { creators(first: 3) { nodes { id bio @include(if: $a) username @include(if: $b) } } }"


def planned(number: int, *, a: bool, b: bool) -> tuple[Any, Any, str]:
    """An operation, its prepared root, and the SQL of its plan."""
    operation = ENGINE.documents.operation(ASKED % number, None)
    values = operation.declared.read({"a": a, "b": b})
    root = operation.roots(values)[0]
    prepared = reading.prepared(root, ROOTS["creators"], "Query")
    read = Read(UUID(int=1), True, datetime(2026, 5, 1, tzinfo=UTC), values)
    return operation, prepared, prepared.plan(read).statement.sql


def test_selections_and_plans_of_all_documents_together_are_bounded(monkeypatch):
    monkeypatch.setattr(documents, "_SELECTIONS", Together(5))
    monkeypatch.setattr(reading, "_PLANS", Together(3))
    asked = [(number, a, b) for number in range(4) for a in (False, True) for b in (False, True)]
    made = [planned(number, a=a, b=b) for number, a, b in asked]
    operations = {id(operation): operation for operation, _, _ in made}
    assert len(operations) == 4
    assert sum(len(operation._roots) for operation in operations.values()) == 5
    assert sum(len(prepared._plans) for _, prepared, _ in made) == 3
    again = [planned(number, a=a, b=b)[2] for number, a, b in asked]
    assert again == [sql for _, _, sql in made]
    assert len(set(again)) == 4


def test_a_cache_that_is_gone_is_not_kept_for_its_entries():
    together, kept = Together(1), OrderedDict[str, int]()
    gone = OrderedDict(a=1)
    together.added(gone, "a")
    del gone
    for name in "bc":
        kept[name] = 1
        together.added(kept, name)
    assert list(kept) == ["c"]
