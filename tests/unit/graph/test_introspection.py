"""Introspection: what clients ask passes and is told once, and what would take long is refused before it runs."""

import time

import pytest
from graphql import ExecutionResult, execute, get_introspection_query, parse

import resolvers
from graph import introspection, limits
from graph.documents import Documents
from graph.schema import executable
from services import errors

CORE = executable(resolvers.schema())
LARGEST = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    one_of=True,
)
USUAL = {
    "graphql-js": LARGEST,
    "Apollo": get_introspection_query(type_depth=7, one_of=True).replace("IntrospectionQuery", "Apollo"),
    "GraphiQL": get_introspection_query(type_depth=9, input_value_deprecation=True),
    "federation": "{ __schema { types { kind name possibleTypes { name } } } }",
    "one type": "query ($name: String!) { __type(name: $name) { name fields { name args { name } type { kind name ofType { kind name } } } } }",
}
TOO_MUCH = {
    "roots": "{" + "".join(f"a{n}:__schema{{...S}}" for n in range(10)) + "}fragment S on __Schema{types{fields{type{fields{args{name}}}}}}",
    "aliases": "{__schema{types{" + "".join(f"a{n}:fields{{description}}" for n in range(90)) + "}}}",
}  # fmt: skip


def answer(text: str, variables: dict[str, str] | None = None) -> ExecutionResult:
    result = execute(CORE, parse(text), variable_values=variables)
    assert isinstance(result, ExecutionResult)
    return result


def values(told: object) -> int:
    """How many fields were told, at any depth."""
    if isinstance(told, dict):
        return len(told) + sum(values(inner) for inner in told.values())
    return sum(values(inner) for inner in told) if isinstance(told, list) else 0


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL)
def test_what_clients_ask_of_a_schema_passes(text: str) -> None:
    Documents(CORE).operation(text, None)


def test_the_largest_usual_question_leaves_room_for_the_schema_to_grow() -> None:
    told = values(answer(LARGEST).data)
    assert told < limits.INTROSPECTED * 0.9


@pytest.mark.parametrize("text", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_would_tell_too_many_values_is_refused_before_it_runs(text: str) -> None:
    began = time.thread_time()
    with pytest.raises(errors.QueryTooComplex, match=r"introspected values|repeated") as caught:
        Documents(CORE).operation(text, None)
    assert caught.value.extra["limit"] == limits.INTROSPECTED
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize("text", USUAL.values(), ids=USUAL)
def test_the_count_is_never_below_what_is_told(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = values(answer(text, {"name": "Creator"}).data)
    monkeypatch.setattr(limits, "INTROSPECTED", told - 3)  # roots themselves are not counted
    with pytest.raises(errors.QueryTooComplex, match="introspected values"):
        Documents(CORE).operation(text, None)


def test_an_answer_is_kept_for_its_document_operation_and_variables_alone() -> None:
    kept = introspection.Kept()
    one = introspection.place(b"a", None, {"name": "Creator"})
    kept.keep(one, ExecutionResult({"a": 1}))
    found = kept.find(one)
    assert found is not None
    assert found.data is not None
    for other in (
        (b"b", None, {"name": "Creator"}),
        (b"a", "A", {"name": "Creator"}),
        (b"a", None, {"name": "Video"}),
    ):
        assert kept.find(introspection.place(*other)) is None


def test_few_answers_are_kept_and_no_large_ones() -> None:
    kept = introspection.Kept()
    for n in range(introspection.MOST_KEPT + 1):
        kept.keep(bytes([n]), ExecutionResult({}))
    kept.keep(b"large", ExecutionResult({"a": "x" * introspection.LARGEST_KEPT}))
    assert kept.find(bytes([0])) is None
    assert kept.find(b"large") is None
    assert kept.find(bytes([1])) is not None
