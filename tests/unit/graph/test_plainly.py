"""What is told valid at a glance is valid: every rule of graphql-core is broken, and documents in every way."""

import random
import re
from pathlib import Path

import pytest
from graphql import parse, specified_rules, validate
from graphql.error import GraphQLSyntaxError

import resolvers
from graph import plainly
from graph.schema import executable

CORE = executable(resolvers.schema())
CASES = Path(__file__).parents[2] / "planner"
PLAIN = (
    *(path.read_text(encoding="utf-8") for path in sorted(CASES.glob("*.graphql"))),
    "mutation M($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }",
    """query ($n: Int = 3, $with: Boolean!, $p: Platform!, $after: String) {
      creators(first: $n, after: $after, filter: {platform: [$p]}) { nodes { id ...A @include(if: $with) ...B } }
      first: creators(first: 1) { edges { cursor @skip(if: $with) node { ... { id id key: username } ...A } } } }
    fragment A on Creator { id username videos(last: 2) { nodes { ...C } } }
    fragment B on Node { id __typename ... on Creator { stats { likes } } }
    fragment C on Video { id creator { __typename __typename } }""",
)  # fmt: skip
BROKEN = {
    "ExecutableDefinitionsRule": "{ plans { name } } type A { a: Int }",
    "UniqueOperationNamesRule": "query A { plans { name } } query A { plans { name } }",
    "LoneAnonymousOperationRule": "{ plans { name } } query A { plans { name } }",
    "SingleFieldSubscriptionsRule": 'subscription { a: syncProgress(id: "1") { id } b: syncProgress(id: "1") { id } }',
    "KnownTypeNamesRule": "query ($a: Unknown) { creators { nodes { ... on Nobody { id } } } }",
    "FragmentsOnCompositeTypesRule": "{ creators { nodes { platform ... on Platform { id } } } }",
    "VariablesAreInputTypesRule": "query ($a: Creator) { creators(after: $a) { totalCount } }",
    "ScalarLeafsRule": "{ creators }",
    "FieldsOnCorrectTypeRule": "{ creators { nodes { nothing } } }",
    "UniqueFragmentNamesRule": "{ plans { ...A } } fragment A on Plan { name } fragment A on Plan { name }",
    "KnownFragmentNamesRule": "{ plans { ...A } }",
    "NoUnusedFragmentsRule": "{ plans { name } } fragment A on Plan { name }",
    "PossibleFragmentSpreadsRule": "{ plans { ... on Video { id } } }",
    "NoFragmentCyclesRule": "{ plans { ...A } } fragment A on Plan { ...B } fragment B on Plan { ...A }",
    "UniqueVariableNamesRule": "query ($a: Int, $a: Int) { creators(first: $a) { totalCount } }",
    "NoUndefinedVariablesRule": "{ creators(first: $a) { totalCount } }",
    "NoUnusedVariablesRule": "query ($a: Int) { plans { name } }",
    "KnownDirectivesRule": "{ plans { name @unknown } }",
    "UniqueDirectivesPerLocationRule": "{ plans { name @skip(if: true) @skip(if: true) } }",
    "DeferStreamDirectiveOnRootField": "mutation { ... @defer { createAccessToken(input: {}) { token } } }",
    "DeferStreamDirectiveOnValidOperationsRule": 'subscription { syncProgress(id: "1") { ... @defer { id } } }',
    "DeferStreamDirectiveLabel": "query ($a: String) { plans { ... @defer(label: $a) { name } } }",
    "StreamDirectiveOnListField": "{ creators @stream(initialCount: 0) { totalCount } }",
    "KnownArgumentNamesRule": "{ plans(nothing: 1) { name } }",
    "UniqueArgumentNamesRule": "{ creators(first: 1, first: 1) { totalCount } }",
    "ValuesOfCorrectTypeRule": '{ creators(first: "1") { totalCount } }',
    "ProvidedRequiredArgumentsRule": "{ creator { id } }",
    "VariablesInAllowedPositionRule": "query ($a: String) { creators(first: $a) { totalCount } }",
    "OverlappingFieldsCanBeMergedRule": "{ creators { nodes { stats { a: likes } } nodes { stats { a: views } } } }",
    "UniqueInputFieldNamesRule": "{ creators(filter: {followersMin: 1, followersMin: 2}) { totalCount } }",
    "MaxIntrospectionDepthRule": "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
}
# No schema of ours can break it: it has all three.
UNBREAKABLE = {"KnownOperationTypesRule"}
TOKEN = re.compile(r'"[^"]*"|\.\.\.|[$@]?\w+|\S')
MORE = (
    "$n", "$with", "$unknown", "@skip(if: true)", "@include(if: $with)", "@skip", "@other", "null", "true", "-1", "1.5",
    "TIKTOK", '"text"', "[", "]", "{", "}", "(", ")", "...", "... on Creator", "...A", "... on Node", "on", "!", ":",
    "first: 1", "id", "nodes", "{ id }", "__typename", "__schema", "alias:", "filter: {}", "platform: TIKTOK", "query",
)  # fmt: skip
MUTANTS = 6_000


def is_plain(text: str) -> bool:
    return plainly.is_valid(CORE, parse(text))


@pytest.mark.parametrize("text", PLAIN)
def test_documents_as_they_are_written_are_told_at_a_glance(text: str) -> None:
    assert is_plain(text)
    assert validate(CORE, parse(text)) == []


def test_a_document_that_breaks_a_rule_is_never_told_valid() -> None:
    rules = {rule.__name__: rule for rule in specified_rules}
    assert set(rules) == set(BROKEN) | UNBREAKABLE, "graphql-core has other rules: does the glance know them?"
    for name, text in BROKEN.items():
        assert validate(CORE, parse(text), [rules[name]]), f"{name} finds nothing in its document"
        assert not is_plain(text), name


def test_whatever_is_told_valid_at_a_glance_graphql_core_finds_valid() -> None:
    chance = random.Random(5)
    words = [token for text in PLAIN for token in TOKEN.findall(text)]
    told = 0
    for _ in range(MUTANTS):
        tokens = TOKEN.findall(chance.choice(PLAIN))
        for _ in range(chance.randint(1, 3)):
            place, drop = chance.randrange(len(tokens)), chance.randint(0, 2)
            tokens[place : place + drop] = [chance.choice(chance.choice((words, MORE)))] * chance.randint(
                0, 1
            )
        text = " ".join(tokens)
        try:
            document = parse(text)
        except GraphQLSyntaxError:
            continue
        if plainly.is_valid(CORE, document):
            told += 1
            assert validate(CORE, document) == [], text
    assert told > MUTANTS / 50


def test_a_glance_takes_in_few_values_wherever_they_stand() -> None:
    listed = "creators(filter: {{username: [{}]}}) {{ totalCount }}"
    assert is_plain("{" + listed.format('"a"' * 100) + "}")
    assert not is_plain("{" + listed.format('"a"' * plainly.MOST_NODES) + "}")
    spread = "".join(f"a{n}: nodes {{ ...F }}" for n in range(10))
    below = f"fragment F on Creator {{ videos(filter: {{platform: [{'TIKTOK ' * 30}]}}) {{ totalCount }} }}"
    assert not is_plain(f"{{ creators {{ {spread} }} }} {below}")
