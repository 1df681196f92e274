"""Idempotency-Key: done once, answered as often as it is asked; nothing of it stands in clear."""

import asyncio
from urllib.parse import parse_qsl, urlsplit

import pytest

from services import credits, idempotency

MAKE = """mutation($name: String!) { createApiKey(input: {name: $name, mode: LIVE, expiresAt: "2031-05-01T00:00:00Z"}) {
  secret apiKey { id name hint mode status createdAt expiresAt scopes replaces { id } } __typename } }"""
SYNC = """mutation($id: ID!, $wait: Int! = 0) { syncCreator(input: {id: $id, waitSeconds: $wait}) { joined sync {
  id status queuedAt trigger creator { id username displayName platform videos(first: 2) { nodes { id title publishedAt } } } } } }"""
CONNECT = """mutation { connectCreator(input: {platform: TIKTOK, redirectUri: "https://partner.example/oauth"}) {
  authUrl state expiresAt } __typename }"""
COMPLETE = """mutation($state: String!, $code: String!) { completeConnect(input: {state: $state, code: $code}) {
  creator { __typename id username connectedAt stats { followers } } sync { id trigger } } }"""
ROTATE = "mutation($id: ID!) { rotateApiKey(input: {id: $id, overlapSeconds: 60}) { secret apiKey { id replaces { id status } } } }"
DISCONNECT = """mutation($id: ID!) { disconnectCreator(input: {id: $id}) {
  disconnected disconnectedId revocation receipt erased { creators videos storedAnswers } } }"""


def keyed(key):
    return {"Idempotency-Key": key}


async def twice(service, key, query, variables=None, **more):
    """The first answer and its replay, which must be alike and free."""
    first = await service.ask(query, variables, key=service.live, headers=keyed(key), **more)
    assert "errors" not in first.body, first.body
    assert "Idempotent-Replayed" not in first.headers
    before = await service.ledger()
    again = await service.ask(query, variables, key=service.live, headers=keyed(key), **more)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert again.data == first.data
    assert (again.credits["charged"], again.headers["X-Credits-Charged"]) == (0, "0")
    assert await service.ledger() == before
    return first


async def test_every_mutation_that_takes_a_key_is_done_once_and_answered_alike(service):
    begun = (await twice(service, "connect", CONNECT)).data["connectCreator"]
    location = await service.decide(begun["authUrl"], "sim.twenty")
    code = dict(parse_qsl(urlsplit(location).query))["code"]
    done = await twice(service, "complete", COMPLETE, {"state": begun["state"], "code": code})
    creator_id = done.data["completeConnect"]["creator"]["id"]
    service.work()
    await service.synced(done.data["completeConnect"]["sync"]["id"], key=service.live)
    synced = (await twice(service, "sync", SYNC, {"id": creator_id})).data["syncCreator"]
    assert not synced["joined"]
    await service.synced(synced["sync"]["id"], key=service.live)
    waited = (await twice(service, "waited", SYNC, {"id": creator_id, "wait": 10})).data["syncCreator"]
    assert waited["sync"]["status"] == "SUCCEEDED"
    made = (await twice(service, "make", MAKE, {"name": "a"})).data["createApiKey"]
    await twice(service, "rotate", ROTATE, {"id": made["apiKey"]["id"]})
    assert await service.value("select count(*) from api_keys where livemode") == 3
    assert await service.value("select count(*) from syncs") == 3
    await service.idle()  # the last sync's job is counted where it still lies in the queue
    gone = (await twice(service, "gone", DISCONNECT, {"id": creator_id})).data["disconnectCreator"]
    assert gone["erased"]["storedAnswers"] == 3  # of completeConnect and both syncs
    kept = await service.tables_of("idempotent_answers")
    assert {row["key"] for row in kept} == {"connect", "make", "rotate", "gone"}
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []


async def test_the_same_key_with_another_request_is_refused(service):
    await service.ask(MAKE, {"name": "a"}, key=service.live, headers=keyed("k"))
    other = (await service.key("LIVE")).secret
    for query, variables, key in (
        (MAKE, {"name": "b"}, service.live), (MAKE + " ", {"name": "a"}, service.live), (MAKE, {"name": "a"}, other),
    ):  # fmt: skip
        answer = await service.ask(query, variables, key=key, headers=keyed("k"))
        assert (answer.status, answer.code) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert "data" not in answer.body
        assert answer.credits["charged"] == 0
    # Another world's keys are its own.
    made = await service.ask(MAKE.replace("LIVE", "TEST"), {"name": "a"}, headers=keyed("k"))
    assert made.data["createApiKey"]["secret"]


async def test_while_the_first_runs_the_second_is_told_to_wait_and_nothing_happens_twice(service):
    answers = await asyncio.gather(
        *(service.ask(MAKE, {"name": "a"}, key=service.live, headers=keyed("k")) for _ in range(20))
    )
    fresh = [one for one in answers if one.status == 200 and "Idempotent-Replayed" not in one.headers]
    replayed = [one for one in answers if "Idempotent-Replayed" in one.headers]
    waiting = [one for one in answers if one.status == 409]
    assert len(fresh) == 1
    assert len(replayed) + len(waiting) == 19
    for one in waiting:
        assert (one.code, one.headers["Retry-After"]) == ("CONFLICT", "1")
    assert {one.data["createApiKey"]["secret"] for one in (*fresh, *replayed)} == {
        fresh[0].data["createApiKey"]["secret"]
    }
    assert await service.value("select count(*) from api_keys where name = 'a'") == 1


async def test_a_failed_mutation_frees_its_key(service):
    bad = await service.ask(MAKE, {"name": ""}, key=service.live, headers=keyed("k"))
    assert bad.code == "BAD_USER_INPUT"
    assert await service.value("select count(*) from idempotent_answers") == 0
    made = await service.ask(MAKE, {"name": "a"}, key=service.live, headers=keyed("k"))
    assert made.data["createApiKey"]["secret"]
    await service.update(credits=1)
    poor = await service.ask(MAKE, {"name": "b"}, key=service.live, headers=keyed("poor"))
    assert poor.code == "CREDITS_EXHAUSTED"
    await service.update(credits=100)
    made = await service.ask(MAKE, {"name": "b"}, key=service.live, headers=keyed("poor"))
    assert made.data["createApiKey"]["secret"]


async def test_a_lease_that_ran_out_is_taken_over_and_the_slower_one_cannot_commit(service):
    vault, database = service.house.services.vault, service.database
    row = (service.account.id, True, "k", b"same")
    first = await idempotency.claim(database, vault, *row)
    await service.execute("update idempotent_answers set lease_until = now() - interval '1 second'")
    slow = idempotency.Claim(*first.row, await service.value("select lease_until from idempotent_answers"))
    second = await idempotency.claim(database, vault, *row)
    assert second.lease_until > first.lease_until
    with pytest.raises(idempotency.errors.Conflict):
        async with database.write() as session:
            await idempotency.keep(session, vault, slow, "{}")
    async with database.write() as session:
        await idempotency.keep(session, vault, second, '{"a": 1}')
    await idempotency.free(database, second)  # too late: it is done
    assert await idempotency.claim(database, vault, *row) == '{"a": 1}'
    with pytest.raises(idempotency.errors.IdempotencyKeyReused):
        await idempotency.claim(database, vault, *row[:3], b"other")
    await service.execute("update idempotent_answers set created_at = now() - interval '25 hours'")
    assert isinstance(await idempotency.claim(database, vault, *row[:3], b"other"), idempotency.Claim)


async def test_what_takes_no_key_says_so(service):
    make = 'createApiKey(input: {name: "k", mode: LIVE}) { secret }'
    for query, key in (
        (f"mutation {{ a: {make} b: {make} }}", "k"), ("mutation { __typename }", "k"),
        ('mutation { revokeApiKey(input: {id: "x"}) { apiKey { id } } }', "k"),
        ("mutation { createAccessToken(input: {}) { token } }", "k"),
        (f"mutation {{ {make} }}", "x" * 256), (f"mutation {{ {make} }}", ""), (f"mutation {{ {make} }}", "naïve"),
    ):  # fmt: skip
        answer = await service.ask(query, key=service.live, headers=keyed(key))
        assert (answer.code, answer.errors[0]["extensions"]["argument"]) == (
            "BAD_USER_INPUT",
            "Idempotency-Key",
        )
        assert "data" not in answer.body
    assert await service.value("select count(*) from api_keys") == 2
    # A read may be sent again anyway.
    assert (await service.ask("{ viewer { mode } }", headers=keyed("k"))).status == 200
    made = await service.ask(f"mutation {{ {make} __typename }}", key=service.live, headers=keyed("x" * 255))
    assert made.data["__typename"] == "Mutation"


async def test_nothing_kept_under_a_key_stands_in_clear(service):
    begun = await service.ask(CONNECT, key=service.live, headers=keyed("c"))
    made = await service.ask(MAKE, {"name": "findme"}, key=service.live, headers=keyed("m"))
    dump = (await service.dump())["idempotent_answers"]
    for secret in (
        begun.data["connectCreator"]["state"],
        made.data["createApiKey"]["secret"],
        "findme",
        "authUrl",
    ):
        assert secret not in dump
    assert await service.value("select count(*) from idempotent_answers where answer is not null") == 2


async def test_a_key_that_has_ended_is_not_answered_again(service):
    await service.ask(MAKE, {"name": "a"}, key=service.live, headers=keyed("k"))
    await service.execute("update api_keys set revoked_at = now() where id = $1", service.account.live.id)
    again = await service.ask(MAKE, {"name": "a"}, key=service.live, headers=keyed("k"))
    assert (again.status, again.reason, "data" in again.body) == (401, "REVOKED", False)
