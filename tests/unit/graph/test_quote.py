"""Quotes: what an operation may cost, known before it runs, for every form of asking."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from graphql import GraphQLObjectType

import resolvers
from graph import quote


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
WHOLE = resolvers.engine()
PRICED = {"Creator": 1_000, "Video": 100, "Usage": 1_000}
# Whatever is delivered of these adds nothing to a price; connections, edges and payloads cost what is in them.
NAMED_FREE = {
    "Account", "ApiKey", "ConnectAttempt", "CountryUsage", "CreatorStats", "CreatorStatsPoint", "Credits",
    "Erasure", "FieldPrice", "FieldUsage", "Grant", "KeyUsage", "Member", "MemberUsage", "MissingMetric",
    "PageInfo", "Plan", "Price", "PublicVideo", "RateLimit", "Sync", "SyncError", "UsageAnomaly",
    "UsageBucket", "VideoStatsPoint", "Viewer",
}  # fmt: skip
CREATOR = "crt_" + "0" * 31 + "1"
VIDEO = "vid_" + "0" * 31 + "1"


def quoted(text: str, variables: dict[str, Any] | None = None, name: str | None = None) -> quote.Quote:
    """By the cache, as requests are."""
    operation = ENGINE.documents.operation(text, name)
    return quote.of(ENGINE.policy, operation, operation.declared.read(variables or {}))


def test_every_object_type_is_priced_or_named_free() -> None:
    weights = WHOLE.policy.weights
    roots = {
        kind.name for kind in (WHOLE.core.query_type, WHOLE.core.mutation_type, WHOLE.core.subscription_type)
    }
    own = {
        name
        for name, kind in WHOLE.core.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__") and name not in roots
    }
    wraps = {name for name in own if name.endswith(("Connection", "Edge", "Payload"))}
    assert {name: weights[name] for name in own if name in weights} == PRICED
    assert own - wraps - PRICED.keys() == NAMED_FREE
    assert {name for name in weights if "." in name} == {"Mutation.syncCreator", "Mutation.fetchVideo"}


@pytest.mark.parametrize(
    ("text", "credits"),
    [
        ("{ plans { name } }", 0),
        ("{ __typename }", 0),
        ("{ creators { totalCount } }", 1),
        ("{ creators { pageInfo { endCursor } __typename } }", 1),
        ("{ creators(first: 7) { nodes { id } } }", 7),
        ("{ creators(last: 7) { edges { cursor } } }", 7),
        ("{ creators(first: 7) { edges { __typename } } }", 7),
        ("{ creators(first: 7) { edges { node { id } } nodes { id } } }", 14),
        ("{ creators(first: 7) { edges { a: node { id } b: node { id } } } }", 14),
        ("{ a: creators(first: 7) { nodes { id } } b: creators(first: 5) { nodes { id } } }", 12),
        ("{ creators(first: 2) { nodes { videos(first: 5) { nodes { id } } } } }", 3),
        ("{ creators(first: 2) { nodes { a: videos(first: 5) { nodes { id } } b: videos(first: 6) { edges { cursor } } } } }", 5),
        ("{ creators(first: 2) { nodes { videos(first: 5) { nodes { creator { id } } } } } }", 13),
        ("{ creators(first: 2) { nodes { history { at } grant { status } stats { likes } syncs { nodes { id } } } } }", 2),
        ("{ videos(first: 11) { nodes { id } } }", 2),
        ("{ apiKeys { nodes { id } } account { members { id } } }", 1),
        (f'{{ node(id: "{CREATOR}") {{ id }} }}', 1),
        (f'{{ nodes(ids: ["{CREATOR}", "{CREATOR}", "{VIDEO}"]) {{ id }} }}', 3),
        (f'{{ nodes(ids: ["{VIDEO}"]) {{ id ... on Creator {{ videos(first: 100) {{ nodes {{ id }} }} }} }} }}', 1),
        ("{ creators(first: 3) { nodes { ...F } ...G } } fragment F on Creator { id } fragment G on CreatorConnection { nodes { id } }", 3),
        ("{ creators(first: 3) { nodes @skip(if: true) { id } totalCount } }", 1),
    ],
)  # fmt: skip
def test_each_occurrence_costs_its_weight(text: str, credits: int) -> None:
    assert quoted(text).max == credits


def test_a_cached_quote_is_of_the_sizes_asked_for() -> None:
    text = "query ($n: Int = 3) { creators(first: $n) { nodes { id } } }"
    assert [quoted(text, given).max for given in ({}, {"n": 9}, {"n": None}, {}, {"n": 9})] == [
        3,
        9,
        20,
        3,
        9,
    ]


@pytest.mark.parametrize("bad", ["crt_1", "crt_" + "G" * 32, "crt_", "vid", ""])
def test_a_malformed_id_leaves_no_quote_behind_that_needs_fewer_scopes(bad: str) -> None:
    one = f"query ($id: ID!) {{ node(id: $id) {{ id }} }} # {bad}"
    many = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ id }} }} # {bad}"
    assert quoted(one, {"id": bad}).scopes == set()
    assert quoted(one, {"id": CREATOR}).scopes == {"CREATORS_READ"}
    assert quoted(many, {"ids": [bad]}).scopes == set()
    assert quoted(many, {"ids": [CREATOR]}).scopes == {"CREATORS_READ"}
    assert quoted(many, {"ids": [VIDEO, CREATOR]}).max == 2


def test_a_variable_name_used_otherwise_by_another_operation_is_no_size() -> None:
    text = (
        "query A($x: [String!]) { creators(first: 2, filter: {username: $x}) { nodes { id } } } "
        "query B($x: Int) { creators(first: $x) { nodes { id } } } "
        "query C($x: ID!) { creator(id: $x) { id } }"
    )
    assert quoted(text, {"x": ["a", "b"]}, "A").max == 2
    assert quoted(text, {"x": 5}, "B").max == 5
    assert quoted(text, {"x": CREATOR}, "C").max == 1
