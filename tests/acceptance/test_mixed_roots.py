"""Roots that are planned beside some that are not, or that fail: answered and charged as if graphql-core executed them all."""

import json

import pytest

from graph import compiled, running

COUNTED = "select coordinates::text from usage_events order by at desc, id desc limit 1"
MIXED = (
    "{ viewer { mode } creators(first: 5) { nodes { id videos(first: 3) { totalCount nodes { id likes } } } } }",
    "{ creators { totalCount } rateLimit { limit } again: creators(first: 1) { edges { cursor node { platform } } } }",
    '{ __typename t: __type(name: "Plan") { name } plans { name } a: __typename }',
    (
        "{ ...A ...A @include(if: true) viewer { mode } } fragment A on Query { plans { name } ...B viewer { kind } }"
        " fragment B on Query { v: videos(first: 2) { nodes { creator { username } } } c: credits { limit } }"
    ),
    "{ viewer { mode } plans @skip(if: true) { name } }",
    '{ connectAttempt(state: "nobody") { status } creators { nodes { username } } viewer { account { name } } }',
    '{ a: creators(first: 1) { totalCount } p: price(query: "{ plans { name } }") { max base } }',
)
FAILING = (  # a root that may be null, and one that may not: nothing is told then
    '{ viewer { mode } creator(id: "nonsense") { id } plans { name } videos { nodes { id } } }',
    '{ creators { nodes { id } } a: creator(id: "nonsense") { id } b: creatorBy(platform: TIKTOK) { id } }',
    '{ node(id: "nonsense") { id } creators { nodes { id } } connectAttempt(state: "nobody") { status } }',
    '{ plans { name } price(query: "{") { max } }',
    "{ creators { nodes { id } } apiKeys(mode: TEST) { nodes { id } } viewer { mode } }",
    "{ creators { nodes { id } } apiKeys(mode: TEST) { nodes { id } } }",
)


async def answered(service, text):
    """All that is told of an operation, and all that is written down of it."""
    headers = {"X-Debug": "path", "X-Credits-Receipt": "1"}
    before = (await service.ledger())[1]
    answer = await service.ask(text, key=service.live, headers=headers)
    await service.settled()
    counted = json.loads(await service.value(COUNTED))
    told = {
        "status": answer.status,
        "data": json.dumps(answer.body["data"]),  # in its order
        "errors": answer.body.get("errors"),
        "charged": (answer.credits["charged"], answer.credits["max"], (await service.ledger())[1] - before),
        "receipt": sorted(answer.credits["fields"], key=lambda line: line["coordinate"]),
        "counted": {name: count for name, (count, _) in counted.items()},
    }
    return told, answer.headers["X-Execution-Path"]


@pytest.fixture
async def connected(service):
    for name in ("sim.twenty", "sim.single"):
        await service.connected(name, key=service.live)
    return service


async def test_mixed_roots_are_answered_and_charged_as_by_graphql_core(connected, monkeypatch):
    both = [await answered(connected, text) for text in MIXED + FAILING]
    monkeypatch.setattr(compiled, "part", lambda _fields: ())
    for text, (told, path) in zip(MIXED + FAILING, both, strict=True):
        expected, _ = await answered(connected, text)
        assert told == expected, text
        assert path == "ordinary", text


async def test_graphql_core_is_given_neither_what_is_compiled_nor_what_stands_beside_what_fails(
    connected, monkeypatch, path
):
    given, execute = [], running.execute
    monkeypatch.setattr(
        running,
        "execute",
        lambda schema, document, **more: given.append(document) or execute(schema, document, **more),
    )
    for text, left in (
        (MIXED[0], ["viewer"]),
        (FAILING[0], ["viewer", "creator"]),
        (FAILING[5], ["apiKeys"]),
    ):
        given.clear()
        await connected.ask(text, key=connected.live)
        asked = [[node.name.value for node in one.definitions[0].selection_set.selections] for one in given]
        if path == "compiled":
            assert asked == [left]
        else:
            assert len(asked) == 1
            assert asked[0] != left
