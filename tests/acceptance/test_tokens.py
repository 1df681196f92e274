"""Access tokens over HTTP: what a page in a browser may see with one, and when it stops."""

import asyncio
import json
import re

import jwt
import pytest

from services import api_keys

MINT = "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { token expiresAt } }"
COUNT = "{ creators { totalCount } }"

# Every way to data that starts at the account, and what it tells of one of two creators.
WAYS = {
    "creators": "{ creators { nodes { id username } edges { node { id } } totalCount } }",
    "creators counted": "{ creators { totalCount } }",
    "creators filtered": '{ creators(filter: {search: "sim", platform: [TIKTOK]}) { nodes { id } totalCount } }',
    "creators backwards": "{ creators(last: 5) { nodes { id } pageInfo { hasPreviousPage } } }",
    "videos": "{ videos(first: 100) { nodes { id creator { id } } totalCount } }",
    "videos counted": "{ videos { totalCount } }",
    "videos searched": "{ videos(filter: {viewsMin: 0}, orderBy: {field: VIEWS, direction: DESC}) { nodes { id } totalCount } }",
    "nested": "{ creators { nodes { id videos { nodes { id creator { id } } totalCount } syncs { nodes { id creator { id } } } history { at followers } } } }",
}  # fmt: skip
# Every way to data that names it, and what takes its place when it is another's.
NAMED = {
    "creator": "query($crt: ID!) { creator(id: $crt) { id } }",
    "creatorBy username": "query($name: String!) { creatorBy(platform: TIKTOK, username: $name) { id } }",
    "creatorBy externalId": "query($ext: String!) { creatorBy(platform: TIKTOK, externalId: $ext) { id } }",
    "creatorBy reference": "query($ref: String!) { creatorBy(platform: TIKTOK, reference: $ref) { id } }",
    "video": "query($vid: ID!) { video(id: $vid) { id } }",
    "sync": "query($syn: ID!) { sync(id: $syn) { id } }",
    "node creator": "query($crt: ID!) { node(id: $crt) { id } }",
    "node video": "query($vid: ID!) { node(id: $vid) { id } }",
    "node sync": "query($syn: ID!) { node(id: $syn) { id } }",
    "nodes": "query($crt: ID!, $vid: ID!, $syn: ID!) { nodes(ids: [$vid, $crt, $syn, $crt]) { id } }",
    "filter by id": "query($crt: ID!) { videos(filter: {creatorIds: [$crt]}) { totalCount nodes { id } } }",
    "filter by name": "query($name: String!) { creators(filter: {username: [$name]}) { totalCount nodes { id } } }",
    "filter by reference": "query($ref: String!) { creators(filter: {reference: [$ref]}) { totalCount nodes { id } } }",
    "filter by externalId": "query($ext: String!) { creators(filter: {externalId: [$ext]}) { totalCount nodes { id } } }",
    "syncCreator": "mutation($crt: ID!) { syncCreator(input: {id: $crt}) { joined } }",
    "disconnectCreator": "mutation($crt: ID!) { disconnectCreator(input: {id: $crt}) { disconnected } }",
}
# What tells of others by its nature.
CLOSED = {
    "connectCreator": "mutation { connectCreator(input: {platform: TIKTOK}) { state } }",
    "completeConnect": 'mutation { completeConnect(input: {state: "x", code: "y"}) { creator { id } } }',
    "connectAttempt": 'query { connectAttempt(state: "x") { status } }',
    "usage": "{ usage { requests } }",
    "members": "{ account { members { id } } }",
    "members by viewer": "{ viewer { account { members { id } } } }",
    "members by node": "query($acc: ID!) { node(id: $acc) { ... on Account { members { email } } } }",
    "apiKeys": "{ apiKeys { nodes { id } } }",
    "apiKey": "query($key: ID!) { apiKey(id: $key) { id } }",
    "key by node": "query($key: ID!) { node(id: $key) { id } }",
    "createAccessToken": "mutation { createAccessToken(input: {}) { token } }",
    "createApiKey": 'mutation { createApiKey(input: {name: "k", mode: TEST}) { secret } }',
    "rotateApiKey": "mutation($key: ID!) { rotateApiKey(input: {id: $key}) { secret } }",
    "updateApiKey": 'mutation($key: ID!) { updateApiKey(input: {id: $key, name: "n"}) { apiKey { id } } }',
    "revokeApiKey": "mutation($key: ID!) { revokeApiKey(input: {id: $key}) { apiKey { id } } }",
}


async def mint(service, key="", **given):
    return (await service.data(MINT, {"input": given}, key=key))["createAccessToken"]["token"]


def sent(token):
    return {"Authorization": f"Bearer {token}"}


async def ask(service, token, query, variables=None):
    return await service.ask(query, variables, key=None, headers=sent(token))


@pytest.fixture
async def two(service):
    """Two creators of one account: what each is named by."""
    service.work()
    found = []
    for name in ("sim.single", "sim.twenty"):
        creator = await service.connected(name, reference=f"ref-{name}")
        more = (await service.data(
            "query($id: ID!) { creator(id: $id) { externalId videos { nodes { id } } syncs { nodes { id } } } }", {"id": creator}
        ))["creator"]  # fmt: skip
        found.append({
            "crt": creator, "name": name, "ref": f"ref-{name}", "ext": more["externalId"],
            "vid": more["videos"]["nodes"][0]["id"], "syn": more["syncs"]["nodes"][0]["id"],
        })  # fmt: skip
    await service.rest()
    return found


def ids_in(value):
    """Every public id of creators, videos and syncs in an answer."""
    return set(re.findall(r"(?:crt|vid|syn)_[0-9a-f]{32}", json.dumps(value)))


async def test_a_token_for_one_creator_sees_that_one_on_every_way_and_counts_only_it(service, two):
    mine, other = two
    token = await mint(service, allowedCreators=[mine["crt"]])
    whole = {name: await service.data(query) for name, query in WAYS.items()}
    belonging = ids_in(await service.data(
        "query($id: ID!) { creator(id: $id) { id videos(first: 100) { nodes { id } } syncs { nodes { id } } } }", {"id": mine["crt"]}
    ))  # fmt: skip
    for name, query in WAYS.items():
        data = (await ask(service, token, query)).data
        assert ids_in(data) <= belonging, name
        assert other["name"] not in json.dumps(data), name
    for root in ("creators", "videos"):
        counted = (await ask(service, token, WAYS[f"{root} counted"])).data[root]["totalCount"]
        assert (counted, whole[f"{root} counted"][root]["totalCount"]) == (
            (1, 2) if root == "creators" else (1, 21)
        )
    told = (await ask(service, token, "{ viewer { kind allowedCreators expiresAt scopes mode } }")).data[
        "viewer"
    ]
    assert told["kind"] == "ACCESS_TOKEN"
    assert told["allowedCreators"] == [mine["crt"]]
    assert not [scope for scope in told["scopes"] if scope.startswith(("KEYS", "TOKENS", "WEBHOOKS"))]


async def test_to_a_token_others_creators_are_as_unknown_as_those_that_never_were(service, two):
    mine, other = two
    token = await mint(service, allowedCreators=[mine["crt"]])
    unknown = {name: f"{name}_{'0' * 32}" for name in ("crt", "vid", "syn")} | {
        "name": "no",
        "ref": "no",
        "ext": "no",
    }
    before = await service.counts("usage_events", "ledger", "api_keys")
    for name, query in NAMED.items():
        expected, found = await ask(service, token, query, unknown), await ask(service, token, query, other)
        assert (found.status, found.raw) == (expected.status, expected.raw), name
        if "mutation" in query:
            assert found.code == "NOT_FOUND", name
        else:
            good = await ask(service, token, query, mine)
            assert (
                mine["crt"] in good.raw.decode()
                or mine["vid"] in good.raw.decode()
                or mine["syn"] in good.raw.decode()
            ), name
    assert await service.counts("usage_events", "ledger", "api_keys") == before


async def test_what_tells_of_others_and_what_makes_credentials_is_closed_to_tokens(service, two):
    token = await mint(service, allowedCreators=[two[0]["crt"]])
    free = await mint(service)
    ids = {"acc": f"acc_{service.account.id.hex}", "key": f"key_{service.account.test.id.hex}"}
    before = await service.counts("usage_events", "ledger", "anomalies")
    for name, query in CLOSED.items():
        refused = await ask(service, token, query, ids)
        assert (refused.status, refused.code) == (403, "FORBIDDEN"), name
        assert refused.reason in {"CREATOR", "SCOPE"}, name
        assert refused.body.keys() >= {"errors"}
        assert "data" not in refused.body
        if any(word in query for word in ("Key", "key", "members", "Token")):
            also = await ask(service, free, query, ids)
            assert (also.status, also.reason) == (403, "SCOPE"), name
    assert await service.counts("usage_events", "ledger", "anomalies") == before


async def test_creators_are_named_by_id_name_or_reference_and_resolved_when_it_is_made(service, two):
    mine, _other = two
    for given in (
        {"allowedCreators": [mine["crt"]]}, {"allowedReferences": [mine["ref"]]},
        {"allowedUsernames": [{"platform": "TIKTOK", "username": mine["name"]}]},
        {"allowedCreators": [mine["crt"]], "allowedReferences": [mine["ref"]]},
    ):  # fmt: skip
        token = await mint(service, **given)
        assert ids_in((await ask(service, token, "{ creators { nodes { id } } }")).data) == {mine["crt"]}
    nobody = await mint(service, allowedCreators=[])
    assert (await ask(service, nobody, COUNT)).data["creators"]["totalCount"] == 0
    everybody = await mint(service, allowedCreators=None)
    assert (await ask(service, everybody, COUNT)).data["creators"]["totalCount"] == 2
    foreign = await service.another()
    for key, given in (
        ("", {"allowedCreators": [f"crt_{'0' * 32}"]}), ("", {"allowedCreators": [mine["crt"], f"crt_{'0' * 32}"]}),
        (service.live, {"allowedCreators": [mine["crt"]]}), (foreign.test.secret, {"allowedCreators": [mine["crt"]]}),
        (foreign.test.secret, {"allowedReferences": [mine["ref"]]}), ("", {"allowedReferences": ["no"]}),
        ("", {"allowedUsernames": [{"platform": "YOUTUBE", "username": mine["name"]}]}),
        ("", {"allowedReferences": ["\0"]}), ("", {"allowedUsernames": [{"platform": "TIKTOK", "username": "x\0"}]}),
    ):  # fmt: skip
        refused = await service.ask(MINT, {"input": given}, key=key)
        assert refused.code in {"NOT_FOUND", "BAD_USER_INPUT"}, given
    wrong = await service.ask(MINT, {"input": {"allowedCreators": [mine["vid"]]}})
    assert wrong.code == "BAD_USER_INPUT"
    many = await service.ask(MINT, {"input": {"allowedCreators": [mine["crt"]] * 101}})
    assert many.code == "BAD_USER_INPUT"


async def test_an_erased_creator_is_gone_from_a_token_and_its_return_is_somebody_new(service, two):
    mine, _ = two
    token = await mint(service, allowedReferences=[mine["ref"]])
    assert (await ask(service, token, COUNT)).data["creators"]["totalCount"] == 1
    await service.disconnect(mine["crt"])
    assert (await ask(service, token, COUNT)).data["creators"]["totalCount"] == 0
    assert (await ask(service, token, NAMED["creator"], mine)).data == {"creator": None}
    await service.connect(mine["name"], reference=mine["ref"])
    assert (await service.data(COUNT))["creators"]["totalCount"] == 2
    assert (await ask(service, token, COUNT)).data["creators"]["totalCount"] == 0


@pytest.mark.parametrize("given", [{"expiresIn": 0}, {"expiresIn": -1}, {"expiresIn": 86_401}, {"expiresIn": 2**31 - 1},
                                   {"maxWebsockets": 0}, {"maxWebsockets": -1}, {"scopes": ["KEYS_WRITE"]}, {"scopes": []}])  # fmt: skip
async def test_a_token_out_of_bounds_is_not_made(service, given):
    refused = await service.ask(MINT, {"input": given})
    assert refused.code in {"BAD_USER_INPUT", "FORBIDDEN"}, refused.body


async def test_a_number_past_32_bits_is_refused_as_such(service):
    assert (await service.ask(MINT, {"input": {"expiresIn": 2**31}})).code == "BAD_USER_INPUT"


async def test_places_a_token_is_taken_from_over_http(service):
    token = await mint(service)
    forged = token[:-86] + ("B" if token[-86] == "A" else "A") + token[-85:]  # another signature
    viewer = "{ viewer { kind } }"
    for headers, path, status in (
        (sent(token), "/graphql", 200), ({"X-API-Key": token}, "/graphql", 200), ({}, f"/graphql?access_token={token}", 401),
        ({}, f"/graphql?jwtKey={token}", 401), (sent(forged), "/graphql", 401), (sent(token + "="), "/graphql", 401),
        ({**sent(token), "X-API-Key": "nonsense"}, "/graphql", 401), ({**sent("a.b.c"), "X-API-Key": token}, "/graphql", 200),
    ):  # fmt: skip
        answer = await service.send(path=path, json={"query": viewer}, headers=headers)
        assert answer.status == status, (headers.keys(), path)
        assert token not in answer.raw.decode()
    wrong = await ask(service, forged, viewer)
    assert (wrong.errors[0]["message"], wrong.reason) == ("Invalid access token", "MALFORMED")
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")
    receipt_like = jwt.encode({"sub": "x"}, "k" * 64, "HS256")
    assert (await ask(service, receipt_like, viewer)).reason == "MALFORMED"


async def test_a_disconnects_receipt_is_no_token(service, two):
    receipt = (await service.disconnect(two[0]["crt"])).data["disconnectCreator"]["receipt"]
    assert (await ask(service, receipt, COUNT)).reason == "MALFORMED"


async def test_a_token_is_dead_at_the_next_answer_after_its_key(service):
    keys = [await service.key() for _ in range(3)]
    live = [await service.key("LIVE") for _ in range(2)]
    held = {key.id: await mint(service, key.secret) for key in (*keys, *live)}
    for token in held.values():
        assert (await ask(service, token, COUNT)).status == 200
    async with service.database.write() as session:
        await api_keys.revoke(session, service.account.id, keys[0].id)
    await service.execute("update api_keys set expires_at = now() where id = $1", keys[1].id)
    await service.execute(
        "update api_keys set retiring_since = now(), retires_at = now() where id = $1", keys[2].id
    )
    for key, reason in zip(keys, ("REVOKED", "EXPIRED", "EXPIRED"), strict=True):
        for _ in range(2):
            dead = await ask(service, held[key.id], COUNT)
            assert (dead.status, dead.reason, dead.errors[0]["message"]) == (
                401,
                reason,
                "Invalid access token",
            )
            assert "data" not in dead.body
    await service.execute("update accounts set canceled_at = now()")
    for key in live:
        dead = await ask(service, held[key.id], COUNT)
        assert (dead.status, dead.reason) == (403, "PLAN")


async def test_tokens_and_receipts_verify_across_a_rotation_made_on_another_machine(service, two, shell):
    token = await mint(service)
    receipt = (await service.disconnect(two[0]["crt"])).data["disconnectCreator"]["receipt"]
    before = (await service.send("GET", "/.well-known/jwks.json")).body["keys"]

    # Without CREATOR_GRAPH_SECRET_KEYS both take the sealing key from the data directory.
    async def rotate(overlap):
        given = {"database_url": service.address, "data_dir": service.data_dir}
        code, out, err = await shell.run("signing", "rotate", "--overlap-seconds", overlap, "--json", **given)
        assert code == 0, err
        return json.loads(out)

    made = await rotate("3600")
    assert made["status"] == "SIGNING"
    after = {key["kid"]: key for key in (await service.send("GET", "/.well-known/jwks.json")).body["keys"]}
    assert set(after) == {before[0]["kid"], made["kid"]}
    new = await mint(service)
    assert jwt.get_unverified_header(new)["kid"] == made["kid"]
    for one in (token, new):
        assert (await ask(service, one, COUNT)).status == 200
        verified = jwt.decode(
            one,
            jwt.PyJWK(after[jwt.get_unverified_header(one)["kid"]]).key,
            ["EdDSA"],
            audience="creator-graph",
        )
        assert verified["iss"] == service.url
    gone = (await service.disconnect(two[1]["crt"])).data["disconnectCreator"]["receipt"]
    for one in (receipt, gone):
        assert (
            jwt.decode(one, jwt.PyJWK(after[jwt.get_unverified_header(one)["kid"]]).key, ["EdDSA"])["act"]
            == "disconnect"
        )
    assert all("d" not in key for key in after.values())
    # After a leak: at once, on the machine that serves too.
    await rotate("0")
    async with asyncio.timeout(60):
        while (await ask(service, token, COUNT)).status == 200:
            await asyncio.sleep(0.02)
    assert (await ask(service, new, COUNT)).reason == "MALFORMED"


async def test_a_token_says_who_asked_in_usage_and_is_charged_to_its_key(service):
    token = await mint(service, service.live)
    charged = await ask(service, token, "{ credits { remaining } }")
    assert charged.credits["charged"] == 1
    row = await service.one(
        "select key_id, credits from usage_events where operation_hash is not null order by at desc limit 1"
    )
    assert (row["key_id"], row["credits"]) == (service.account.live.id, 1)
