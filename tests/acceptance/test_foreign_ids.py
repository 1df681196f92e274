"""What belongs to others looks like what never was: the ways that tests of reads and writes by id do not go."""

import asyncio

import pytest

from services import accounts

COUNT = "{ creators { totalCount } }"
WAYS = {
    "account by node": "query($acc: ID!) { node(id: $acc) { id ... on Account { name } } }",
    "account among nodes": "query($acc: ID!, $crt: ID!) { nodes(ids: [$acc, $crt]) { id } }",
    "token by id": "mutation($crt: ID!) { createAccessToken(input: {allowedCreators: [$crt]}) { token } }",
    "token by name": "mutation($name: String!) { createAccessToken(input: {allowedUsernames: [{platform: TIKTOK, username: $name}]}) { token } }",
    "token by reference": "mutation($ref: String!) { createAccessToken(input: {allowedReferences: [$ref]}) { token } }",
    "complete a connect": 'mutation($state: String!) { completeConnect(input: {state: $state, code: "x"}) { creator { id } } }',
    "usage of a key": "query($key: ID!) { apiKey(id: $key) { usage { requests } } }",
    "creators by id": "query($ext: String!) { creators(filter: {externalId: [$ext]}) { totalCount nodes { id } } }",
    "creator by platform id": "query($ext: String!) { creatorBy(platform: TIKTOK, externalId: $ext) { id } }",
}  # fmt: skip


@pytest.fixture
async def foreign(service):
    """Another account with everything."""
    other = await service.another("rival")
    async with service.database.write() as session:
        await accounts.update(session, other.id, return_urls=["https://partner.example/oauth"])
    creator = await service.connected("sim.single", key=other.test.secret, reference="theirs")
    own = await service.begin(key=other.test.secret, redirectUri="https://partner.example/oauth")
    await service.rest()
    ext = (
        await service.data(
            "query($id: ID!) { creator(id: $id) { externalId } }", {"id": creator}, key=other.test.secret
        )
    )["creator"]
    return {
        "acc": f"acc_{other.id.hex}", "crt": creator, "name": "sim.single", "ref": "theirs", "state": own["state"],
        "key": f"key_{other.test.id.hex}", "ext": ext["externalId"],
    }  # fmt: skip


async def test_every_other_way_to_name_what_is_anothers_is_answered_as_for_what_never_was(service, foreign):
    nothing = "0" * 32
    unknown = {
        "acc": f"acc_{nothing}", "crt": f"crt_{nothing}", "name": "sim.nobody", "ref": "nothing", "state": "x" * len(foreign["state"]),
        "key": f"key_{nothing}", "ext": "nothing",
    }  # fmt: skip
    before = await service.counts("usage_events", "anomalies")
    for name, query in WAYS.items():
        for key in (service.test, service.live):
            expected = await service.ask(query, unknown, key=key)
            found = await service.ask(query, foreign, key=key)
            told = {**found.body, "extensions": None}, {**expected.body, "extensions": None}
            assert found.status == expected.status, name
            assert told[0] == told[1], name
            if key == service.test:
                assert found.raw == expected.raw, name
    assert await service.counts("usage_events", "anomalies", "ledger") == {
        k: v for k, v in before.items() if k != "ledger"
    }


async def test_a_narrower_key_is_narrower_at_the_next_request(service):
    key = await service.key(name="wide")
    assert (await service.ask(COUNT, key=key.secret)).status == 200
    narrow = (
        "mutation($id: ID!) { updateApiKey(input: {id: $id, scopes: [USAGE_READ]}) { apiKey { scopes } } }"
    )
    await service.data(narrow, {"id": f"key_{key.id.hex}"})
    assert (await service.ask(COUNT, key=key.secret)).reason == "SCOPE"
    away = await service.key(name="here")
    assert (await service.ask(COUNT, key=away.secret)).status == 200
    move = 'mutation($id: ID!) { updateApiKey(input: {id: $id, allowedIps: ["203.0.113.0/24"]}) { apiKey { allowedIps } } }'
    await service.data(move, {"id": f"key_{away.id.hex}"})
    assert (await service.ask(COUNT, key=away.secret)).reason == "IP"


async def test_rows_read_at_once_by_many_are_each_their_own(service):
    """Reads by id that come together share statements; what is another's stays what never was."""
    other = await service.another("rival")
    mine = await service.connected("sim.single", reference="mine")
    theirs = await service.connected("sim.single", key=other.test.secret, reference="theirs")
    query = "query($id: ID!) { creator(id: $id) { id reference } }"

    async def seen(number: int) -> dict | None:
        key, id = (service.test, other.test.secret)[number % 2], (mine, theirs, f"crt_{'0' * 32}")[number % 3]
        return (await service.data(query, {"id": id}, key=key))["creator"]

    found = await asyncio.gather(*(seen(number) for number in range(36)))
    assert found == [
        {0: {"id": mine, "reference": "mine"}, 1: {"id": theirs, "reference": "theirs"}}[number % 2]
        if number % 3 == number % 2
        else None
        for number in range(36)
    ]
