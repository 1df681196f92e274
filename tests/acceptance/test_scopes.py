"""What a key may: a scope that is missing anywhere refuses the whole operation before anything runs."""

import resolvers
from services import key_terms

SCHEMA = resolvers.engine()
NEEDED = {
    "Query.nodes": {"CREATORS_READ", "VIDEOS_READ"}, "Query.node": {"CREATORS_READ"},
}  # fmt: skip


def without(scope):
    """Every scope but this one and its _WRITE."""
    return [held for held in key_terms.SCOPES if held not in {scope, scope.replace("_READ", "_WRITE")}]


def needed(coordinate):
    scope = SCHEMA.policy.scopes.get(coordinate)
    return NEEDED.get(coordinate, set()) | ({scope} if scope else set())


async def refused(service, query, variables, scope, key):
    answer = await service.ask(query, variables, key=key)
    assert (answer.status, answer.code, answer.reason) == (403, "FORBIDDEN", "SCOPE"), (query, answer.body)
    assert answer.errors[0]["extensions"]["scope"] == scope
    assert scope in answer.errors[0]["message"]
    assert "data" not in answer.body


async def test_every_root_field_without_its_scope_is_403_before_anything_runs(service, roots):
    things = await service.things(service.test)
    await service.rest()
    lacking = {scope: (await service.key(scopes=without(scope))).secret for scope in key_terms.SCOPES}
    before = await service.counts("usage_events", "api_keys", "ledger")
    checked = set()
    for coordinate, query in roots.items():
        for scope in needed(coordinate):
            await refused(service, query, things, scope, lacking[scope])
            checked.add(scope)
    assert checked >= set(SCHEMA.policy.scopes.values())
    assert await service.counts("usage_events", "api_keys", "ledger") == before
    assert {name for name in SCHEMA.policy.scopes if name.startswith(("Query.", "Mutation."))} <= set(roots)


async def test_a_types_scope_is_needed_on_every_path_to_it(service):
    things = await service.things(service.test)
    videos = (await service.key(scopes=["VIDEOS_READ"])).secret
    creators = (await service.key(scopes=["CREATORS_READ"])).secret
    nothing = (await service.key(scopes=["USAGE_READ"])).secret
    for query, scope, key in (
        ("{ videos { nodes { creator { id } } } }", "CREATORS_READ", videos),
        ("{ videos { edges { node { creator { id } } } } }", "CREATORS_READ", videos),
        ("{ creators { nodes { videos { nodes { id } } } } }", "VIDEOS_READ", creators),
        ("{ creators { nodes { videos { totalCount } } } }", "VIDEOS_READ", creators),
        ("{ creators { nodes { videos { edges { cursor } } } } }", "VIDEOS_READ", creators),
        ("query($syn: ID!) { node(id: $syn) { id } }", "CREATORS_READ", videos),
        ("query($crt: ID!) { node(id: $crt) { id } }", "CREATORS_READ", videos),
        ("query($vid: ID!) { node(id: $vid) { id } }", "VIDEOS_READ", creators),
        ("query($vid: ID!) { node(id: $vid) { __typename } }", "VIDEOS_READ", creators),
        ("query($vid: ID!, $crt: ID!) { nodes(ids: [$crt, $vid]) { id } }", "VIDEOS_READ", creators),
        ("query($key: ID!) { node(id: $key) { id } }", "KEYS_READ", creators),
        ("{ account { members { id } } }", "KEYS_READ", creators),
        ("{ viewer { account { members { id } } } }", "KEYS_READ", creators),
        ("{ viewer { keyName } creators { totalCount } }", "CREATORS_READ", nothing),
        ("fragment F on Video { creator { id } } { videos { nodes { ...F } } }", "CREATORS_READ", videos),
    ):
        await refused(service, query, things, scope, key)
    free = await service.ask("query($vid: ID!) { node(id: $vid) { id } }", things, key=videos)
    assert free.data["node"] == {"id": things["vid"]}
    assert (await service.ask("{ viewer { scopes } }", key=nothing)).data["viewer"]["scopes"] == [
        "USAGE_READ"
    ]
    assert (await service.ask("{ account { name } }", key=nothing)).status == 200


async def test_a_write_scope_includes_its_read_and_one_missing_scope_stops_a_whole_mutation(service):
    writer = (await service.key(scopes=["CREATORS_WRITE", "KEYS_WRITE"])).secret
    assert (
        await service.ask("{ creators { totalCount } apiKeys { nodes { id } } }", key=writer)
    ).status == 200
    before = await service.counts("usage_events", "ledger")
    await refused(
        service,
        'mutation { a: createApiKey(input: {name: "k", mode: TEST}) { secret } b: createAccessToken(input: {}) { token } }',
        None,
        "TOKENS_WRITE",
        writer,
    )
    assert await service.counts("usage_events", "ledger") == before


async def test_no_key_makes_another_with_more_than_it_has(service):
    small = (await service.key(scopes=["KEYS_WRITE", "CREATORS_READ"])).secret
    make = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { scopes mode } } }"
    more = await service.ask(
        make, {"input": {"name": "k", "mode": "TEST", "scopes": ["VIDEOS_READ"]}}, key=small
    )
    assert (more.code, more.reason) == ("FORBIDDEN", "SCOPE")
    live = await service.ask(
        make, {"input": {"name": "k", "mode": "LIVE", "scopes": ["CREATORS_READ"]}}, key=small
    )
    assert (live.code, live.reason) == ("FORBIDDEN", "MODE")
    assert (await service.ask("{ apiKeys(mode: LIVE) { nodes { id } } }")).reason == "MODE"


async def test_a_key_made_without_scopes_reads(service):
    make = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey { scopes mode } } }"
    given = {"input": {"name": "k", "mode": "TEST"}}
    default = (await service.data(make, given))["createApiKey"]["apiKey"]
    assert sorted(default["scopes"]) == ["CREATORS_READ", "USAGE_READ", "VIDEOS_READ"]
