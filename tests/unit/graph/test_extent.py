"""What graphql-core has to walk is bounded, and what is compiled may be more."""

import pytest

import resolvers
from graph import extent, limits, quote
from services import errors

ENGINE = resolvers.engine()
ROOTS = (
    '{{ connectAttempt(state: "a") {{ creator {{ {} }} }} }}',
    'mutation {{ syncCreator(input: {{id: "a"}}) {{ sync {{ creator {{ {} }} }} }} }}',
    'subscription {{ syncProgress(id: "a") {{ creator {{ {} }} }} }}',
)


def quoted(text: str, **given: str) -> quote.Quote:
    operation = ENGINE.documents.operation(text, None)
    return quote.of(ENGINE.policy, operation, operation.read(given))


def refused(text: str, **given: str) -> int:
    with pytest.raises(errors.QueryTooComplex, match="values") as caught:
        quoted(text, **given)
    assert caught.value.extra["limit"] == limits.WALKED == 10_000
    return int(caught.value.extra["asked"])


@pytest.mark.parametrize("root", ROOTS)
def test_what_graphql_core_has_to_walk_is_bounded(root: str) -> None:
    # 205 values an entry of the outer page: 100 objects of one value each below it
    page = "videos(first: {}) {{ totalCount nodes {{ id likes creator {{ videos(first: 100) {{ nodes {{ id }} }} }} }} }}"
    quoted(root.format(page.format(45)))
    assert 10_000 < refused(root.format(page.format(50))) < 11_000


def test_what_is_compiled_may_be_more() -> None:
    text = "{ viewer { mode } creators(first: 100) { nodes { videos(first: 100) { nodes { id likes views } } } } }"
    assert quoted(text).nodes == 10_100


def test_lists_that_are_counted_are_the_schemas() -> None:
    for coordinate in extent.ENTRIES:
        kind, name = coordinate.split(".")
        assert name in ENGINE.core.type_map[kind].fields


@pytest.mark.parametrize(
    ("arguments", "points"),
    [
        ("", 31),
        ('(to: "2026-01-01T00:00:00Z", granularity: DAY)', 31),
        ("(granularity: HOUR)", 721),
        ('(from: "2026-01-01T00:00:00Z")', 1_000),
    ],
)
def test_a_history_counts_as_the_points_that_it_may_have(arguments: str, points: int) -> None:
    text = ROOTS[0].format(f"videos(first: 100) {{ nodes {{ history{arguments} {{ at likes views }} }} }}")
    assert refused(text) == 3 + 100 * (1 + (1 + 3) * points)  # each point is an object of three values


def test_a_history_counts_as_its_variables_say_also_where_others_came_before() -> None:
    series = "videos(first: 5) { nodes { history(from: $from, granularity: $step) { at likes views } } }"
    text = f"query ($from: DateTime, $step: Granularity = DAY) {ROOTS[0].format(series)}"
    quoted(text)
    refused(text, **{"from": "2026-01-01T00:00:00Z"})
    refused(text, step="HOUR")
    quoted(text)


LARGE = "{{ creators(first: 100) {{ nodes {{ videos(first: 100) {{ nodes {{ {} }} }} }} }} }}"


def test_what_an_operation_may_return_is_counted_and_bounded() -> None:
    # a page, its 100 creators, their pages, 100 videos each of two values
    assert quoted(LARGE.format("id likes")).values == 1 + 100 + 100 + 10_000 * 3
    aliased = " ".join(f"a{n}: likes" for n in range(98))
    assert quoted(LARGE.format(aliased)).values == 201 + 10_000 * 99
    with pytest.raises(errors.QueryTooComplex, match="values 1,010,201; at most 1,000,000"):
        quoted(LARGE.format(f"{aliased} likes kind"))
    with pytest.raises(errors.QueryTooComplex, match="values"):
        quoted(LARGE.format("history { at views likes }"))


def test_objects_by_id_count_as_the_largest_that_they_may_be() -> None:
    some = ", ".join(f'"vid_{n:032x}"' for n in range(50))
    text = f"{{ nodes(ids: [{some}]) {{ id ... on Video {{ likes }} ... on Creator {{ username bio }} }} }}"
    assert quoted(text).values == 50 * 4
