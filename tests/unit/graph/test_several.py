"""A statement for several requests: only where every bind is a plain value."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

import resolvers
from graph.planner.mapping import Read, lookup
from graph.planner.reading import prepared
from graph.planner.several import for_several


def test_binds_become_columns_of_a_row_a_request() -> None:
    told = for_several("SELECT a FROM t\nWHERE id = $2::UUID AND (b = $1::VARCHAR OR id = $2::UUID)")
    assert told is not None
    assert told.sql == (
        "SELECT one.*, runs.number\n"
        "FROM unnest($1::VARCHAR[], $2::TEXT::UUID[]) WITH ORDINALITY AS runs (p1, p2, number)\n"
        "CROSS JOIN LATERAL (SELECT a FROM t\nWHERE id = runs.p2 AND (b = runs.p1 OR id = runs.p2)) AS one"
    )
    assert told.noted == (False, True)  # texts may need quotes in PostgreSQL's notation of a list


@pytest.mark.parametrize(
    "bind", ["$1::UUID[]", "$1", "$1::TIMESTAMP WITH TIME ZONE", "$2::UUID", "$1::UUID AND $3::UUID"]
)
def test_what_does_not_stand_in_an_array_as_it_stands_alone_is_read_alone(bind: str) -> None:
    assert for_several(f"SELECT a FROM t WHERE {bind}") is None


@pytest.mark.parametrize(
    ("text", "together"),
    [
        ("{ creator(id: $id) { id username stats { likes } grant { status } } }", True),
        ("{ creator(id: $id) { id videos(first: 1) { nodes { id } } } }", False),
        ("{ creator(id: $id) { id history { at } } }", False),
    ],
)
def test_a_row_by_id_is_read_together_and_with_lists_below_it_alone(text: str, *, together: bool) -> None:
    operation = resolvers.engine().documents.operation(f"query ($id: ID!) {text}", None)
    values = operation.declared.read({"id": f"crt_{'0' * 32}"})
    (root,) = operation.roots(values)
    read = Read(UUID(int=1), True, datetime.now(UTC), values, None, (UUID(int=0),))
    plan = prepared(root, lookup("Creator", typed=False, many=False), "Query").plan(read)
    assert (plan.for_several is not None) == together
    held = Read(UUID(int=1), True, datetime.now(UTC), values, (UUID(int=2),), (UUID(int=0),))
    plan = prepared(root, lookup("Creator", typed=False, many=False), "Query").plan(held)
    assert plan.for_several is None  # a token's creators are an array
