"""Limits of documents: each number at its edge, and no document is slow to refuse."""

import contextlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from graph import limits, pagination, quote
from graph.documents import DocumentRefused
from graph.planner import arguments, reading, selection
from graph.planner import compile as compiling
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


def planned(text: str, variables: dict[str, Any] | None = None) -> quote.Quote:
    """All that happens to a document before anything is read."""
    operation = ENGINE.documents.operation(text, None)
    values = operation.declared.read(variables or {})
    roots = operation.roots(values)
    quoted = quote.make(ENGINE.policy, "Query", roots, values)
    for root in roots:
        if root.name in world.ROOTS:
            reading.prepared(root, world.ROOTS[root.name], "Query").plan(CALLER.read(values))
    return quoted


def _deep(levels: int) -> str:
    """A document of so many levels, leaf counted."""
    names = ["creators", "nodes"]
    while len(names) < levels - 1:
        names += ["videos(first: 1)", "nodes", "creator"]
    names = names[: levels - 1]
    leaf = {"nodes": "__typename", "videos(first: 1)": "totalCount", "creators": "totalCount"}.get(
        names[-1], "id"
    )
    return "{" + "{".join(names) + "{" + leaf + "}" * levels


def _introspection(levels: int) -> str:
    names = ["__schema", "types", "fields", "type"] + ["ofType"] * (levels - 5)
    return "{" + "{".join(names) + "{name" + "}" * levels


def _tokens(count: int) -> str:
    """A document of exactly so many tokens, within all other limits: directives, spreads, and strings in a list."""
    spread = "...F@skip(if:false) " * 100 + "...F " * 50
    values = '"a" ' * (count - 26 - 100 * 9 - 50 * 2)
    return f"{{creators(filter:{{username:[{values}]}}){{totalCount nodes{{{spread}}}}}}}fragment F on Creator{{id}}"


def _fields(count: int) -> str:
    """A document of exactly so many fields: a fragment of 27 under many aliases, and the rest."""
    below = (
        "id platform externalId reference username displayName bio avatarUrl profileUrl verified "
        "stats{followers following likes views videoCount engagementRate}"
        "videos(first:1){nodes{id title description url views likes comments shares}}"
    )
    times, rest = divmod(count - 2, 28)
    spread = "".join(f"a{n}:nodes{{...F}}" for n in range(times))
    names = " ".join(f"b{n}:name" for n in range(rest))
    return f"{{creators(first:1){{{spread}}}plans{{{names}}}}}fragment F on Creator{{{below}}}"


def _side_by_side(count: int) -> str:
    fragments = "".join(f"fragment F{n} on Plan{{name}}" for n in range(count))
    return "{plans{" + "".join(f"...F{n} " for n in range(count)) + "}}" + fragments


def _directed(count: int) -> str:
    """So many directives in one document, on spreads, which are no repeated fields."""
    return "{plans{" + "...F@skip(if:false) " * count + "}}fragment F on Plan{name}"


def _listed(count: int) -> str:
    """So many values in the lists of one document, in an object's and in a variable's default."""
    values = '"a" ' * (count - 1)
    return f'query($a:[String!]=["b"]){{creators(filter:{{username:[{values}]}}){{totalCount}}a:creators(filter:{{username:$a}}){{totalCount}}}}'


def _bytes(count: int) -> str:
    text = "{plans{name}}"
    return text + "#" + "x" * (count - len(text) - 1)


EDGES: list[tuple[str, Callable[[int], str], int]] = [
    ("depth", _deep, limits.DEPTH),
    ("introspection depth", _introspection, limits.INTROSPECTION_DEPTH),
    (
        "aliases",
        lambda n: "{plans{" + " ".join(f"a{i}:name" for i in range(n - 1)) + " __typename}}",
        limits.ALIASES,
    ),
    ("root fields", lambda n: "{" + " ".join("plans{name}" for _ in range(n)) + "}", limits.ROOT_FIELDS),
    ("tokens", _tokens, limits.TOKENS),
    ("bytes", _bytes, limits.DOCUMENT_BYTES),
    ("fragments", _side_by_side, limits.FRAGMENTS),
    ("spread fragments", lambda n: "{plans{" + "...F " * n + "}}fragment F on Plan{name}", limits.SPREADS),
    ("directives", _directed, limits.DIRECTIVES),
    ("values in lists", _listed, limits.LISTED),
    ("repeated fields", lambda n: "{plans{name" + " name" * n + "}}", limits.REPEATS),
]


@pytest.mark.parametrize(("what", "make", "limit"), EDGES, ids=[edge[0] for edge in EDGES])
def test_a_document_at_the_limit_passes_and_one_more_is_refused(
    what: str, make: Callable[[int], str], limit: int
) -> None:
    ENGINE.documents.operation(make(limit), None)
    with pytest.raises(errors.QueryTooComplex) as caught:
        ENGINE.documents.operation(make(limit + 1), None)
    assert f"has {what}" in caught.value.message
    assert caught.value.extra == {"limit": limit, "asked": limit + 1}


def test_limits_are_the_numbers_the_contract_says() -> None:
    said = (limits.DEPTH, limits.INTROSPECTION_DEPTH, limits.ALIASES, limits.ROOT_FIELDS, limits.TOKENS)
    assert said == (15, 20, 100, 10, 2_000)
    assert (limits.DOCUMENT_BYTES, limits.NODES, limits.VALIDATION_ERRORS) == (32_768, 20_000, 5)


def test_limits_that_no_honest_client_meets_are_the_numbers_the_docs_say() -> None:
    said = (
        limits.FIELDS,
        limits.FRAGMENTS,
        limits.SPREADS,
        limits.DIRECTIVES,
        limits.LISTED,
        limits.COMPARISONS,
    )
    assert said == (2_000, 100, 200, 100, 1_000, 20_000)


def test_two_thousand_merged_fields_may_be_selected_and_no_more() -> None:
    operation = ENGINE.documents.operation(_fields(limits.FIELDS), None)
    operation.roots(operation.declared.read({}))
    with pytest.raises(errors.QueryTooComplex) as caught:
        planned(_fields(limits.FIELDS + 1))
    assert caught.value.extra == {"limit": limits.FIELDS, "asked": limits.FIELDS + 1}


def test_twenty_thousand_objects_may_be_asked_for_and_no_more() -> None:
    # 2 * 100 creators + 2 * 100 * 99 videos are 20,000
    pair = "a: creators(first: 100) {{ nodes {{ videos(first: 99) {{ nodes {{ id }} }} }} }} b: creators(first: 100) {{ nodes {{ videos(first: {}) {{ nodes {{ id }} }} }} }}"
    assert planned("{" + pair.format(99) + "}").nodes == limits.NODES
    with pytest.raises(errors.QueryTooComplex, match=r"objects"):
        planned("{" + pair.format(100) + "}")


def test_depth_hides_behind_no_fragment() -> None:
    with pytest.raises(errors.QueryTooComplex, match="depth 16"):
        inner = _deep(13).removeprefix("{creators{nodes").removesuffix("}}")
        planned("{creators{nodes{videos(first:1){nodes{creator{...F}}}}}} fragment F on Creator" + inner)


def _doubling(kind: str, leaf: str, start: str) -> str:
    spread = "".join(f" fragment F{n} on {kind} {{ ...F{n + 1} ...F{n + 1} }}" for n in range(60))
    return f"{start}{spread} fragment F60 on {kind} {{ {leaf} }}"


def _links(levels: int) -> str:
    spread = "".join(
        f" fragment F{n} on ApiKey {{ replaces {{ ...F{n + 1} }} replacedBy {{ ...F{n + 1} }} }}"
        for n in range(levels)
    )
    return f"{{ apiKeys(first: 1) {{ nodes {{ ...F0 }} }} }}{spread} fragment F{levels} on ApiKey {{ id }}"


def _merging(times: int) -> str:
    inner = "".join(
        f" fragment F{n} on Creator {{ "
        + f"videos {{ nodes {{ creator {{ ...F{n + 1} }} }} }} " * times
        + "}"
        for n in range(4)
    )
    return "{ creators { nodes { ...F0 } } }" + inner + " fragment F4 on Creator { id }"


def _calls_to_judge(text: str) -> int:
    """How many calls it takes to plan a document, or to refuse it: its length, which no busy machine moves."""
    made = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        with contextlib.suppress(errors.QueryTooComplex, DocumentRefused):
            planned(text)
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize(
    "text",
    [
        _doubling("Creator", "id", "{ creators { nodes { ...F0 } } }"),
        _doubling("Query", "plans { name }", "{ ...F0 }"),
        _doubling("Creator", "x: id", "{ creators { nodes { ...F0 } } }"),
        _links(10),
        _merging(20),
        "{" + "plans{name}" * 480 + "}",
        "{creators{nodes{" + "id " * 1_900 + "}}}",
        "{creators{nodes{" + "videos{nodes{creator{" * 200 + "id" + "}" * 600 + "}}}",
        "{creators{nodes{" + "...{" * 600 + "id" + "}" * 600 + "}}}",
        "{creators(filter:{username:" + "[" * 900 + "]" * 900 + "}){totalCount}}",
        "{creators{nodes{...F0}}}" + "".join(f"fragment F{n} on Creator{{...F{n + 1}}}" for n in range(240)) + "fragment F240 on Creator{id}",
    ],
    ids=["fragments", "root fragments", "aliases", "links", "merging", "roots", "leaves", "nested", "inline", "lists", "chain"],
)  # fmt: skip
def test_no_document_keeps_the_loop_busy(text: str) -> None:
    assert _calls_to_judge(text) < 200_000


def test_fragments_that_are_compared_each_with_each_are_refused_while_that_is_quick() -> None:
    beside = _side_by_side(100).replace("{name}", "{name apiAccess monthlyCredits maxWebsockets}")
    again = (
        beside.replace("{plans{", "{plans{...@include(if:true){__typename}", 1) + "query Another{plans{name}}"
    )
    with pytest.raises(errors.QueryTooComplex) as caught:
        ENGINE.documents.operation(again.replace("{plans", "query One{plans", 1), "One")
    assert caught.value.extra["limit"] == limits.COMPARISONS


def test_a_fragment_under_many_aliases_has_its_arguments_and_directives_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[object] = []
    reader, included = arguments.reader, selection.included
    monkeypatch.setattr(arguments, "reader", lambda kind, node: read.append(node) or reader(kind, node))
    monkeypatch.setattr(selection, "included", lambda node, given: read.append(node) or included(node, given))
    below = "videos(first:1,filter:{platform:[TIKTOK]})@include(if:true){totalCount}"
    spread = "".join(f"a{n}:nodes{{...F}}" for n in range(90))
    planned(f"{{creators(first:1){{{spread}}}}}fragment F on Creator{{{below}}}")
    assert len(read) < 100  # 90 are `nodes`


def test_sixty_doublings_are_one_creator() -> None:
    assert planned(_doubling("Creator", "id", "{ creators { nodes { ...F0 } } }")).max == 20


def test_links_from_one_object_are_few_enough_to_plan() -> None:
    planned(_links(5))
    with pytest.raises(errors.QueryTooComplex) as caught:
        planned(_links(6))
    assert caught.value.extra["limit"] == compiling.MOST_LINKS


# -- pages


@pytest.mark.parametrize(
    "given", ["first: 0", "first: 101", "first: -1", "last: 0", "last: 101", "last: -1", "first: 1, last: 1"]
)
@pytest.mark.parametrize(
    "make",
    ["{{ creators({}) {{ totalCount }} }}", "{{ creators {{ nodes {{ videos({}) {{ totalCount }} }} }} }}"],
)
def test_a_page_of_a_wrong_size_is_refused_by_name(make: str, given: str) -> None:
    with pytest.raises(errors.BadUserInput) as caught:
        planned(make.format(given))
    assert caught.value.extra["argument"] == given.split(":", maxsplit=1)[0]


@pytest.mark.parametrize(
    "given",
    [
        "first: 1",
        "first: 100",
        "last: 100",
        "first: null",
        "first: null, last: 5",
        "orderBy: null, filter: null",
    ],
)
def test_sizes_within_bounds_and_nulls_are_accepted(given: str) -> None:
    planned(f"{{ creators({given}) {{ nodes {{ id }} }} }}")


def test_without_first_and_last_a_page_has_twenty() -> None:
    assert pagination.DEFAULT == 20
    assert planned("{ creators { nodes { id } } }").max == 20


# -- errors


def test_at_most_five_validation_errors_are_told() -> None:
    with pytest.raises(DocumentRefused) as caught:
        ENGINE.documents.operation("{plans{" + " ".join(f"x{n}" for n in range(50)) + "}}", None)
    assert len(caught.value.found) <= limits.VALIDATION_ERRORS + 1


@pytest.mark.parametrize(
    "text",
    [
        "{creatorz{nodes{id}}}",
        "{creators{nodes{usernam}}}",
        "{creators(orderBy:{field:FOLOWERS}){totalCount}}",
        "{creators(frist:1){totalCount}}",
        "{creators(filter:{usernam:[]}){totalCount}}",
        "{creators{nodes{...on Creater{id}}}}",
        "query($x:Strin){plans{name}}",
        "{plans @skipp(if:true){name}}",
        "{creators{nodes{...Missing}}}",
        '{creators(first:"1"){totalCount}}',
    ],
)
def test_no_error_suggests_what_the_schema_has(text: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        ENGINE.documents.operation(text, None)
    told = " ".join(error.message for error in caught.value.found)
    assert "Did you mean" not in told
    assert "Python" not in told
    assert "sys." not in told


def test_a_number_of_five_thousand_digits_is_refused_in_our_words() -> None:
    for argument in ("first: {}", "filter: {{followersMin: {}}}", "filter: {{username: {}}}"):
        with pytest.raises(DocumentRefused) as caught:
            ENGINE.documents.operation("{creators(" + argument.format("9" * 5_000) + "){totalCount}}", None)
        assert "set_int_max_str_digits" not in caught.value.message
        assert len(caught.value.message) < 6_000


def test_operations_of_one_document_may_use_a_variable_name_differently() -> None:
    text = "query A($x: [String!]) { creators(filter: {username: $x}) { totalCount } } query B($x: Boolean!) { plans @skip(if: $x) { name } }"
    operation = ENGINE.documents.operation(text, "A")
    values = operation.declared.read({"x": ["a"]})
    assert [root.name for root in operation.roots(values)] == ["creators"]


def test_introspection_is_read_by_graphql_core_and_free() -> None:
    assert planned('{ __schema { types { name } } t: __type(name: "Creator") { name } __typename }').max == 0
