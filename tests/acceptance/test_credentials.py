"""Who is let in: the places a credential may stand, what is told about a wrong one, and the two worlds."""

from datetime import UTC, datetime, timedelta

from services import api_keys, key_format

VIEWER = "{ viewer { keyName mode } }"
PLACES = ("X-API-Key", "Authorization", "api_key")


async def ask(service, query=VIEWER, **places):
    """Ask with a credential in each of the places named; underscores for X-API-Key."""
    headers, path = {}, "/graphql"
    for place, secret in places.items():
        if place == "key":
            headers["X-API-Key"] = secret
        elif place == "bearer":
            headers["Authorization"] = f"Bearer {secret}"
        elif place == "scheme":
            headers["Authorization"] = secret
        else:
            path += f"{'&' if '?' in path else '?'}{place}={secret}"
    return await service.send(path=path, json={"query": query}, headers=headers)


def told(answer):
    return (answer.status, answer.code, answer.reason, answer.errors[0]["message"])


MISSING = (401, "UNAUTHENTICATED", "MISSING", "API key is required")
MALFORMED = (401, "UNAUTHENTICATED", "MALFORMED", "Invalid API key")
UNKNOWN = (401, "UNAUTHENTICATED", "UNKNOWN", "Invalid API key")
REVOKED = (401, "UNAUTHENTICATED", "REVOKED", "Invalid API key")
EXPIRED = (401, "UNAUTHENTICATED", "EXPIRED", "API key has expired. Please generate a new one.")


async def test_a_key_is_taken_from_each_of_the_three_places_and_refused_in_each(service):
    stranger = key_format.mint("TEST")
    for place in ("key", "bearer", "api_key", "apiKey"):
        good = await ask(service, **{place: service.test})
        assert good.data["viewer"] == {"keyName": "First test key", "mode": "TEST"}
        assert ("Warning" in good.headers) == place.startswith("api")
        assert told(await ask(service, **{place: stranger})) == UNKNOWN
        assert told(await ask(service, **{place: service.test[:-1] + "!"})) == MALFORMED
        assert told(await ask(service, **{place: "nonsense"})) == MALFORMED
        assert told(await ask(service, **{place: ""})) == MISSING
    for scheme in ("Basic Zm9vOmJhcg==", "Digest x", "Bearer", service.test, "BearerX " + service.test):
        assert told(await ask(service, scheme=scheme)) == MISSING
        assert (await ask(service, scheme=scheme, api_key=service.test)).status == 200
    assert (await ask(service, scheme=f"bearer {service.test}")).status == 200
    answer = await service.send(json={"query": VIEWER}, headers={"x-ApI-kEy": service.test})
    assert answer.status == 200


async def test_the_first_place_that_is_not_empty_decides(service):
    stranger = key_format.mint("TEST")
    places = ("key", "bearer", "api_key")
    for n, first in enumerate(places):
        for second in places[n + 1 :]:
            assert told(await ask(service, **{first: stranger, second: service.test})) == UNKNOWN
            assert told(await ask(service, **{first: "x", second: service.test})) == MALFORMED
            assert (await ask(service, **{first: service.test, second: stranger})).status == 200
            assert (await ask(service, **{first: "", second: service.test})).status == 200
    both = await ask(service, key=service.live, bearer=service.test, api_key=service.test)
    assert both.data["viewer"]["mode"] == "LIVE"


async def test_every_refusal_of_a_credential_says_what_to_do_and_asks_for_one(service):
    missing = await service.ask(VIEWER, key=None)
    assert missing.headers["WWW-Authenticate"].startswith("Bearer")
    assert missing.body.keys() == {"errors"}
    assert missing.errors[0]["extensions"]["remedy"]
    assert missing.headers["X-Request-Id"]
    secret = service.test
    for accept in ("application/json", "application/graphql-response+json"):
        answer = await service.ask(VIEWER, key=secret[:-1] + "!", headers={"Accept": accept})
        assert told(answer) == MALFORMED
        assert answer.headers["Content-Type"].startswith(accept)
        assert secret[:-1] not in answer.raw.decode()


async def test_a_key_that_ends_is_refused_at_once_though_it_was_just_used(service):
    ending, expiring = (
        await service.key(),
        await service.key(expires_at=datetime.now(UTC) + timedelta(hours=1)),
    )
    count = "{ creators { totalCount } }"
    for key in (ending, expiring):
        assert (await service.ask(count, key=key.secret)).status == 200
    async with service.database.write() as session:
        await api_keys.revoke(session, service.account.id, ending.id)
    await service.execute("update api_keys set expires_at = now() where id = $1", expiring.id)
    for _ in range(3):
        refused = [await service.ask(count, key=key.secret) for key in (ending, expiring)]
        assert [told(answer) for answer in refused] == [REVOKED, EXPIRED]
        assert all(answer.body.keys() == {"errors"} for answer in refused)
        assert all(answer.headers["WWW-Authenticate"] for answer in refused)


async def test_an_ip_allow_list_holds_against_the_peer_and_believes_trusted_proxies_only(service, serving):
    here = await service.key(name="here", allowed_ips=["127.0.0.0/8"])
    there = await service.key(name="there", allowed_ips=["203.0.113.0/24", "2001:db8::/32"])
    assert (await service.ask(VIEWER, key=here.secret)).status == 200
    for header in ({}, {"X-Forwarded-For": "203.0.113.9"}, {"Forwarded": "for=203.0.113.9"}):
        refused = await service.ask(VIEWER, key=there.secret, headers=header)
        assert (refused.status, refused.code, refused.reason) == (403, "FORBIDDEN", "IP")


async def test_behind_a_trusted_proxy_the_right_most_untrusted_hop_counts(serving):
    service = await serving(trusted_proxies=("127.0.0.0/8",))
    key = (await service.key(allowed_ips=["203.0.113.0/24", "2001:db8::/32"])).secret
    for hops, status in (
        ("203.0.113.9", 200), ("198.51.100.1, 203.0.113.9", 200), ("203.0.113.9, 198.51.100.1", 403),
        ("203.0.113.9, 127.0.0.1", 200), ("2001:db8::7", 200), ("nonsense", 403), ("", 403),
    ):  # fmt: skip
        assert (await service.ask(VIEWER, key=key, headers={"X-Forwarded-For": hops})).status == status, hops


async def test_a_canceled_account_loses_live_at_once_and_keeps_test(service):
    count = "{ creators { totalCount } }"
    assert (await service.ask(count, key=service.live)).status == 200
    await service.update(canceled=True)
    for _ in range(2):
        refused = await service.ask(count, key=service.live)
        assert (refused.status, refused.code, refused.reason) == (403, "FORBIDDEN", "PLAN")
        assert refused.errors[0]["message"] == "API access is not enabled for this account."
    assert (await service.ask(count, key=service.test)).status == 200
    await service.update(canceled=False)
    service.house.services.callers.forget_all()
    assert (await service.ask(count, key=service.live)).status == 200


READS = {
    "creator": "query($crt: ID!) { creator(id: $crt) { id } }",
    "node creator": "query($crt: ID!) { node(id: $crt) { id } }",
    "nodes": "query($crt: ID!, $vid: ID!, $syn: ID!) { nodes(ids: [$crt, $vid, $syn]) { id } }",
    "video": "query($vid: ID!) { video(id: $vid) { id } }",
    "node video": "query($vid: ID!) { node(id: $vid) { id } }",
    "sync": "query($syn: ID!) { sync(id: $syn) { id } }",
    "node sync": "query($syn: ID!) { node(id: $syn) { id } }",
    "apiKey": "query($key: ID!) { apiKey(id: $key) { id } }",
    "node apiKey": "query($key: ID!) { node(id: $key) { id } }",
    "connectAttempt": "query($state: String!) { connectAttempt(state: $state) { status } }",
    "creatorBy": "query($ref: String!) { creatorBy(platform: TIKTOK, reference: $ref) { id } }",
    "syncCreator": "mutation($crt: ID!) { syncCreator(input: {id: $crt}) { joined } }",
    "disconnectCreator": "mutation($crt: ID!) { disconnectCreator(input: {id: $crt}) { disconnected } }",
    "rotateApiKey": "mutation($key: ID!) { rotateApiKey(input: {id: $key}) { secret } }",
    "updateApiKey": 'mutation($key: ID!) { updateApiKey(input: {id: $key, name: "x"}) { apiKey { id } } }',
    "revokeApiKey": "mutation($key: ID!) { revokeApiKey(input: {id: $key}) { apiKey { id } } }",
    "filter": "query($crt: ID!) { videos(filter: {creatorIds: [$crt]}) { totalCount nodes { id } } }",
}


async def ids_of(service, secret, reference):
    begun = await service.begin(key=secret, reference=reference)
    await service.land(await service.decide(begun["authUrl"], "sim.single"))
    found = await service.data(
        """query($state: String!) { connectAttempt(state: $state) { creator { id } sync { id } }
        apiKeys { nodes { id } } }""",
        {"state": begun["state"]},
        key=secret,
    )
    await service.synced(found["connectAttempt"]["sync"]["id"], key=secret)
    video = await service.data("{ videos { nodes { id } } }", key=secret)
    return {
        "crt": found["connectAttempt"]["creator"]["id"], "syn": found["connectAttempt"]["sync"]["id"],
        "vid": video["videos"]["nodes"][0]["id"], "key": found["apiKeys"]["nodes"][0]["id"],
        "state": begun["state"], "ref": reference,
    }  # fmt: skip


async def test_unknown_foreign_and_other_mode_ids_look_alike_byte_for_byte(service):
    service.work()
    other = await service.another()
    unknown = {name: f"{name}_{'0' * 32}" for name in ("crt", "vid", "syn", "key")} | {
        "state": "x" * 43,
        "ref": "no",
    }
    foreign = await ids_of(service, other.test.secret, "foreign")
    live = await ids_of(service, service.live, "live")
    test = await ids_of(service, service.test, "test")
    for name, query in READS.items():
        expected = await service.ask(query, unknown)
        for ids in (foreign, live):
            answer = await service.ask(query, ids)
            assert (answer.status, answer.raw) == (expected.status, expected.raw), name
        from_live = await service.ask(query, test, key=service.live)
        assert {**from_live.body, "extensions": None} == {**expected.body, "extensions": None}, name
        if "mutation" in query:
            assert expected.code == "NOT_FOUND"
    for secret, mine in ((service.live, live), (service.test, test), (other.test.secret, foreign)):
        everything = await service.data(
            "{ creators { nodes { id livemode } totalCount } videos { nodes { creator { id } } } apiKeys { nodes { mode } } }",
            key=secret,
        )
        assert [node["id"] for node in everything["creators"]["nodes"]] == [mine["crt"]]
        assert {node["livemode"] for node in everything["creators"]["nodes"]} == {secret == service.live}
        assert {node["creator"]["id"] for node in everything["videos"]["nodes"]} == {mine["crt"]}
        assert {node["mode"] for node in everything["apiKeys"]["nodes"]} == {
            "LIVE" if secret == service.live else "TEST"
        }
        for name in ("creator", "video", "sync", "apiKey", "connectAttempt", "creatorBy"):
            answer = await service.ask(READS[name], mine, key=secret)
            assert answer.data[name] is not None, name
