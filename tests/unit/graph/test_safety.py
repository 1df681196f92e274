"""Nothing a client sends reaches SQL text or generated source, but as a name that GraphQL's grammar allows."""

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.execution import coerced
from graph.planner import filters
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


def plan(text: str, variables: dict[str, Any] | None = None) -> tuple[Any, list[Any]]:
    operation = ENGINE.documents.operation(text, None)
    values = coerced(ENGINE, operation, variables or {})
    root = operation.roots(values)[0]
    read = CALLER.read(values)
    made = operation.prepared((root.key,), root, world.ROOTS[root.name], "Query", values).plan(read)
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


@settings(max_examples=50, derandomize=True, deadline=None, database=None)
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


@pytest.mark.parametrize("key", KEYS)
def test_response_keys_stand_in_the_source_as_literals_and_not_in_sql(key: str) -> None:
    made, _ = plan(
        f"{{ {key}: creators {{ {key}: nodes {{ {key}: id videos {{ {key}: edges {{ {key}: cursor }} }} }} }} }}"
    )
    plain, _ = plan("{ creators { nodes { id videos { edges { cursor } } } } }")
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
