"""Which path an operation takes: planned roots the compiled one, and what fails there is told, and read again."""

import pytest
import structlog

from graph import compiled
from graph.roots import PLANNED

PATH = {"X-Debug": "path"}
FRAGMENTS = """
fragment Page on CreatorConnection { pageInfo { endCursor } nodes { id } }
fragment Whose on Creator { id name: username stats { followers } grant { status } }"""
LISTS = """query($crt: ID!, $yes: Boolean!) {
  __typename
  mine: creators(first: 2) { totalCount ...Page edges { cursor node { ...Whose } } }
  one: creator(id: $crt) { ...Whose videos(first: 1) { totalCount nodes { id creator { id } } } }
  creator(id: $crt) { id }
  creator(id: $crt) { ...Whose @include(if: $yes) bio @skip(if: $yes) }
  by: creatorBy(platform: TIKTOK, username: "sim.single") { ...Whose history(granularity: HOUR) { at } }
  videos { totalCount pageInfo { hasNextPage } }
  keys: apiKeys(first: 3) { nodes { id status } }
  plans { name }
}"""
OBJECTS = """query($crt: ID!, $vid: ID!, $syn: ID!, $key: ID!) {
  video(id: $vid) { id ... on Video { creator { ...Whose } } }
  sync(id: $syn) { id status creator { id ...InPart } }
  any: nodes(ids: [$crt, $vid, $syn, $key, $crt]) {
    __typename id ...Whose ... on Video { title } ... on Sync { status } ... on ApiKey { name }
  }
  lone: node(id: $key) { ... on ApiKey { hint } }
  apiKey(id: $key) { name createdBy { email } }
  account { name members { email } plan { name } }
  again: creators(last: 1) { ...Page }
}
fragment InPart on Creator { ... on Creator { bio id } }"""


async def asked(service, query, things):
    """The answer to an operation, of the things those it declares."""
    wanted = {name: value for name, value in things.items() if f"${name}:" in query}
    return await service.ask(query, wanted, key=service.live, headers=PATH)


async def test_every_planned_root_takes_the_compiled_path_and_answers(service, path, roots):
    things = await service.things(service.live)
    for name in PLANNED:
        answer = await asked(service, roots[f"Query.{name}"], things)
        assert answer.data[name], name
        assert answer.headers["X-Execution-Path"] == path, name


@pytest.mark.parametrize("query", [LISTS, OBJECTS])
async def test_several_planned_roots_take_the_compiled_path_together(service, path, query):
    things, query = {**await service.things(service.live), "yes": True}, query + FRAGMENTS
    answer = await asked(service, query, things)
    assert (answer.body.get("errors"), answer.headers.get("X-Execution-Path")) == (None, path)
    # Beside a root that is not planned they are answered alike.
    other = await asked(service, query.replace(") {", ") { viewer { mode } ", 1), things)
    assert other.headers["X-Execution-Path"] == "ordinary"
    assert list(other.data.items()) == [("viewer", {"mode": "LIVE"}), *answer.data.items()]
    assert other.credits["charged"] == answer.credits["charged"]


@pytest.mark.read_twice
async def test_what_fails_compiled_alone_is_answered_and_told_without_its_words(service, path, monkeypatch):
    def broken(*_given):
        raise RuntimeError("sim.secret")

    monkeypatch.setattr(compiled, "_reader", broken)
    with structlog.testing.capture_logs() as log:
        answer = await service.ask("{ creators { nodes { id } } }", headers={**PATH, "X-Request-Id": "an-id"})
    assert (answer.data, answer.headers["X-Execution-Path"]) == ({"creators": {"nodes": []}}, "ordinary")
    told = {"event": "compiled.failed", "kind": "RuntimeError", "request_id": "an-id", "log_level": "warning"}
    assert [line for line in log if line["event"] == "compiled.failed"] == [told] * (path == "compiled")


async def test_what_fails_on_both_paths_is_told_by_the_answer_alone(service):
    with structlog.testing.capture_logs() as log:
        assert (await service.ask('{ creator(id: "nonsense") { id } }')).code == "BAD_USER_INPUT"
    assert not [line for line in log if line["event"] == "compiled.failed"]
