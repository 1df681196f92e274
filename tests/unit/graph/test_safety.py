"""Nothing a client sends reaches SQL text or generated source, but as a name that GraphQL's grammar allows."""

import ast
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import literal_column
from sqlalchemy.dialects import postgresql

from graph.planner import filters, fragments, mapping, reading
from graph.planner.entities import ENTITIES, ROOTS
from services import errors


def _load(name: str) -> ModuleType:
    """A helper of the planner's tests: tests are no package."""
    known = f"planner_tests_{name}"
    if known not in sys.modules:
        path = Path(__file__).parents[2] / "planner" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec
        assert spec.loader
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


world = _load("world")
ENGINE = world.make_engine()
CALLER = world.Caller(world.UUID(int=1))
NASTY = (
    "'; drop table creators; --",
    "$1",
    "\\'",
    '"',
    "%s %(x)s {0}",
    "\u2028\n",
    ":name",
    "/* */",
    "''||''",
)


def plan(
    text: str, variables: dict[str, Any] | None = None, *, packed: bool = False
) -> tuple[Any, list[Any]]:
    operation = ENGINE.documents.operation(text, None)
    values = operation.declared.read(variables or {})
    root = operation.roots(values)[0]
    read = CALLER.read(values)
    made = reading.prepared(root, world.ROOTS[root.name], "Query").plan(read, packed=packed)
    return made, made.arguments(read)


FILTERED = """query ($s: String!, $t: String!, $l: [String!]) { creators(first: 3, filter: {
  username: [$t], reference: $l, externalId: $l, search: $s}) { nodes { id } } }"""


@pytest.mark.parametrize("text", NASTY)
def test_strings_are_bound_and_never_written_into_sql(text: str) -> None:
    plain, _ = plan(FILTERED, {"s": "x", "t": "plain", "l": ["plain"]})
    made, arguments = plan(FILTERED, {"s": f"x {text}", "t": text, "l": [text]})
    assert made is plain
    assert made.statement.sql == plain.statement.sql
    assert [text] in arguments


@settings(max_examples=50)
@given(text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40))
def test_literals_in_the_document_are_bound_too(text: str) -> None:
    written = json.dumps(text).replace("\\u007f", "\x7f")
    made, arguments = plan(
        f'{{ creators(filter: {{username: [{written}, "canary-7f3a"]}}) {{ nodes {{ id }} }} }}'
    )
    assert [text, "canary-7f3a"] in arguments
    assert "canary" not in made.statement.sql + made.assembler.source


KEYS = (
    "loads",
    "items",
    "s0",
    "__class__",
    "_",
    "None",
    "list_0",
    "sizes",
    "__import__",
    "class",
    "lambda",
    "a" * 200,
)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_response_keys_stand_in_the_source_as_literals_or_remarks_and_not_in_sql(
    key: str, packed: bool
) -> None:
    made, _ = plan(
        f"{{ {key}: creators {{ {key}: nodes {{ {key}: id videos {{ {key}: edges {{ {key}: cursor }} }} }} }} }}",
        packed=packed,
    )
    plain, _ = plan("{ creators { nodes { id videos { edges { cursor } } } } }", packed=packed)
    assert made.statement.sql == plain.statement.sql
    tree, other = ast.parse(made.assembler.source), ast.parse(plain.assembler.source)
    assert [type(node) for node in ast.walk(tree)] == [type(node) for node in ast.walk(other)]
    assert {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} == {
        n.id for n in ast.walk(other) if isinstance(n, ast.Name)
    }


def test_every_value_of_a_request_is_a_bind() -> None:
    made, arguments = plan(
        '{ videos(last: 7, filter: {viewsMin: 123456, publishedAfter: "2024-01-02T03:04:05Z", platform: [TIKTOK]}) '
        '{ nodes { history(from: "2025-04-16T07:08:09Z", granularity: HOUR) { at } } } }'
    )
    assert 123456 in arguments
    for written in ("123456", "2024-01-02", "TIKTOK", "2025-04-16", str(CALLER.account_id)):
        assert written not in made.statement.sql
    assert "livemode = $" in made.statement.sql


def _columns(kinds: Mapping[str, mapping.Kind], seen: set[int]) -> Iterator[mapping.Column]:
    """Every column that can be asked for, once or more."""
    for kind in kinds.values():
        if isinstance(kind, mapping.Column):
            yield kind
        elif isinstance(kind, mapping.Embedded | mapping.Series) and id(kind) not in seen:
            seen.add(id(kind))
            yield from _columns(kind.fields, seen)
            if isinstance(kind, mapping.Embedded) and kind.present:
                yield kind.present


def test_names_that_stand_in_statements_as_they_are_need_no_quotes() -> None:
    kinds = [entity.fields for entity in ENTITIES.values()]
    columns = [column for fields in (*kinds, ROOTS) for column in _columns(fields, set())]
    names = {name for column in columns for name in column.needs}
    names |= {name for entity in ENTITIES.values() for name in entity.rows.c.keys()}  # noqa: SIM118 -- pairs
    quote = postgresql.dialect().identifier_preparer.quote
    assert len(names) > 50
    assert {name for name in names if quote(name) != name} == set()


def test_what_is_written_once_for_all_requests_can_hold_no_value() -> None:
    assert fragments.of_row(lambda row: row.c.views.is_(None))("t1") == "t1.views IS NULL"
    assert fragments.of_row(lambda row: row.c.a.op("||")(literal_column("'{}'")))("t") == "t.a || '{}'"
    for holding in (lambda row: row.c.views == 5, lambda row: row.c.title.in_(["plain"])):
        with pytest.raises(ValueError, match="Values have their places"):
            fragments.of_row(holding)


def test_series_of_one_form_bind_what_each_was_asked_for() -> None:
    text = """{{ usage(from: "{0}") {{ requests byKey(first: {1}) {{ requests apiKey {{ usage(from: "{2}") {{ requests
      byField(first: {3}) {{ calls }} buckets(granularity: DAY) {{ at }} }} }} }} byField(first: 7) {{ calls }} }} }}"""
    asked = (
        ("2025-05-02T00:00:00Z", 11, "2025-05-03T00:00:00Z", 12),
        ("2025-05-04T00:00:00Z", 21, "2025-05-05T00:00:00Z", 22),
    )
    (made, one), (again, other) = (plan(text.format(*values)) for values in asked)
    assert made.statement.sql == again.statement.sql
    assert again is not made
    for values, binds, others in zip(asked, (one, other), (other, one), strict=True):
        instants = {datetime.fromisoformat(value) for value in values if isinstance(value, str)}
        mine = {*instants, *(value for value in values if isinstance(value, int)), 7}
        assert mine <= set(binds)
        assert not (mine - {7}) & set(others)
    assert made.statement.sql.count(" AS MATERIALIZED ") == 4, (
        "rows are read once a usage field, hours and fields each"
    )


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_postgresql_cannot_hold_is_refused_by_name(text: str) -> None:
    with pytest.raises(errors.BadUserInput):
        plan(FILTERED, {"s": "x", "t": text, "l": None})


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("jane.doe", "'jane.doe':*"),
        ("jane doe", "'jane':* & 'doe':*"),
        ("it's & !x | (y) \\", "'it':* & 's':* & '!x':* & '(y)':*"),
        ("'':* <-> z", "'z':*"),
        ("हिन्दी", "'हिन्दी':*"),
        ("🎉 ... _", None),
    ],
)
def test_searches_are_quoted_words_and_no_operators(text: str, query: str | None) -> None:
    assert filters.prefix_query(text, "search") == query
