"""Documents asked for by their hash: Apollo's APQ, and those an account trusts."""

import asyncio
import hashlib
import json
import tracemalloc
import uuid

import pytest

from graph import ids, persisted
from services import trusted

QUERY = "query Who { viewer { mode } }"
OTHER = "query Rate { rateLimit { limit } }"
FOLLOW = "subscription Follow { creatorUpdated { id } }"
ROTATE = "mutation($id: ID!) { rotateApiKey(input: {id: $id}) { secret } }"
MADE_BY_KEY = 'mutation { createApiKey(input: {name: "child", mode: TEST}) { secret } }'
MINT = "mutation { createAccessToken(input: {}) { token } }"


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def apq(text):
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text)}}


async def send(service, body, *, key="", **headers):
    return await service.send(json=body, headers={"X-API-Key": key or service.test} | headers)


async def trust(service, *texts, account_id=None):
    async with service.database.write() as session:
        return [
            await trusted.store(session, account_id or service.account.id, "a.graphql", text)
            for text in texts
        ]


async def test_apollos_protocol_not_found_then_sent_then_found(service):
    asked = {"extensions": apq(QUERY)}
    for accept, status in (("application/json", 200), ("application/graphql-response+json", 400)):
        answer = await send(service, asked, Accept=accept)
        assert (answer.status, answer.code, answer.errors[0]["message"]) == (
            status, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound",
        )  # fmt: skip
        assert "data" not in answer.body
    assert (await send(service, asked | {"query": QUERY})).data == {"viewer": {"mode": "TEST"}}
    assert (await send(service, asked)).data == {"viewer": {"mode": "TEST"}}
    parameters = {"extensions": json.dumps(apq(QUERY))}
    got = await service.send("GET", params=parameters, headers={"X-API-Key": service.test})
    assert got.data == {"viewer": {"mode": "TEST"}}
    stranger = await service.another()
    assert (await send(service, asked, key=stranger.test.secret)).code == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_hash_that_is_not_the_texts_or_no_hash_is_refused(service):
    for extensions in (
        {"persistedQuery": {"version": 1, "sha256Hash": sha256(OTHER)}},
        {"persistedQuery": {"version": 2, "sha256Hash": sha256(QUERY)}},
        {"persistedQuery": {"version": 1, "sha256Hash": "x" * 64}},
        {"persistedQuery": {"version": 1}}, {"persistedQuery": 1},
    ):  # fmt: skip
        answer = await send(service, {"query": QUERY, "extensions": extensions})
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert (await send(service, {"extensions": {"persistedQuery": None}})).code == "BAD_REQUEST"
    assert (await send(service, {"documentId": "md5:1"})).code == "BAD_REQUEST"


def test_what_is_kept_is_bounded_by_the_memory_it_takes():
    """Short texts too, whose places take more than they do, and texts of wide characters."""
    for text in ("x", "x" * 10_000, "\N{CLAPPER BOARD}" * 5_000):
        kept = persisted.Kept(most_bytes=1_000_000)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            for n in range(5_000):
                kept.put((uuid.uuid4(), n.to_bytes(32)), text + str(n))
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert 300_000 < after - before < 1_100_000, text[:1]
    kept.put(("account", b"last"), "x")
    assert kept.get(("account", b"last"))
    kept.put(("account", b"long"), "x" * 40_000)
    assert kept.get(("account", b"long")) is None


async def test_a_trusted_document_is_asked_by_its_id_on_every_transport(service):
    query, follow = await trust(service, QUERY, FOLLOW)
    assert (await send(service, {"documentId": query})).data == {"viewer": {"mode": "TEST"}}
    assert (await send(service, {"extensions": apq(QUERY)})).data == {"viewer": {"mode": "TEST"}}
    assert (await send(service, {"documentId": "sha256:" + "0" * 64})).code == "PERSISTED_QUERY_NOT_FOUND"
    got = await service.send("GET", path=f"/graphql?documentId={query}", headers={"X-API-Key": service.test})
    assert got.data == {"viewer": {"mode": "TEST"}}
    headers = {"X-API-Key": service.test, "Accept": "text/event-stream"}
    async with service.http.get(f"{service.url}/graphql?documentId={follow}", headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
    async with service.http.ws_connect(
        f"{service.url}/graphql", protocols=["graphql-transport-ws"], headers={"X-API-Key": service.test}
    ) as ws:
        await ws.send_json({"type": "connection_init"})
        assert (await ws.receive_json())["type"] == "connection_ack"
        await ws.send_json({"type": "subscribe", "id": "1", "payload": {"documentId": query}})
        assert (await ws.receive_json())["payload"]["data"] == {"viewer": {"mode": "TEST"}}
    stranger = await service.another()
    assert (
        await send(service, {"documentId": query}, key=stranger.test.secret)
    ).code == "PERSISTED_QUERY_NOT_FOUND"


async def test_a_key_held_to_trusted_documents_asks_nothing_else_nor_do_its_children(service):
    mine, _, mint, child, rotate = await trust(service, QUERY, FOLLOW, MINT, MADE_BY_KEY, ROTATE)
    made = await service.key(trusted_only=True)
    answer = await send(service, {"documentId": child}, key=made.secret)
    made_by_it = answer.data["createApiKey"]["secret"]
    token = (await send(service, {"documentId": mint}, key=made.secret)).data["createAccessToken"]["token"]
    for secret in (made.secret, made_by_it, token):
        assert (await send(service, {"documentId": mine}, key=secret)).data == {"viewer": {"mode": "TEST"}}
        assert (await send(service, {"query": QUERY}, key=secret)).status == 200
        for body in (
            {"query": OTHER},
            {"query": OTHER, "extensions": apq(OTHER)},
            {"extensions": apq(OTHER)},
        ):
            answer = await send(service, body, key=secret)
            assert (answer.status, answer.code, answer.reason) == (403, "FORBIDDEN", "DOCUMENT")
    rotated = await send(
        service, {"documentId": rotate, "variables": {"id": ids.write("ApiKey", made.id)}}, key=made.secret
    )
    answer = await send(service, {"query": OTHER}, key=rotated.data["rotateApiKey"]["secret"])
    assert answer.reason == "DOCUMENT"


@pytest.fixture
def command(service, shell):
    """Runs a command; answers its exit code and what it told."""

    async def run(*arguments):
        given = {"database_url": service.address, "data_dir": service.data_dir}
        code, out, err = await shell.run(*arguments, "--json", **given)
        return code, json.loads(out or err.splitlines()[-1])

    return run


async def test_a_document_that_is_trusted_no_more_is_asked_nowhere(service, other, command):
    """By its id, by its hash, and by keys held to trusted documents; in processes that kept it too."""
    kept, removed = await trust(service, OTHER, QUERY)
    held = (await service.key(trusted_only=True)).secret
    stranger = await service.another()
    (theirs,) = await trust(service, QUERY, account_id=stranger.id)
    ways = ({"documentId": removed}, {"extensions": apq(QUERY)})
    for place in (service, other):
        for key in (service.test, held):
            await send(place, {"query": QUERY, "extensions": apq(QUERY)}, key=key)
            assert [(await send(place, way, key=key)).status for way in ways] == [200, 200]
    account = ids.write("Account", service.account.id)
    code, told = await command("documents", "remove", removed, "sha256:" + "0" * 64, "--account", account)
    assert (code, "trusted document" in json.dumps(told)) == (1, True)
    assert (await command("documents", "remove", "nonsense", "--account", account))[0] == 1
    assert (await send(service, {"documentId": removed})).status == 200
    code, gone = await command("documents", "remove", removed, "--account", account)
    assert (code, gone) == (0, [{"id": removed, "name": "a.graphql"}])
    for place in (service, other):
        for way in ways:
            async with asyncio.timeout(30):
                while "data" in (answer := await send(place, way)).body:
                    await asyncio.sleep(0.02)
            assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        assert (await send(place, {"query": QUERY}, key=held)).reason == "DOCUMENT"
        assert (await send(place, {"documentId": kept})).status == 200
        assert (await send(place, {"documentId": theirs}, key=stranger.test.secret)).status == 200


async def test_the_operator_uploads_documents_and_makes_keys_held_to_them(service, command, tmp_path):
    folder = tmp_path / "documents"
    (folder / "deep").mkdir(parents=True)
    (folder / "who.graphql").write_text(QUERY)
    (folder / "deep" / "rate.graphql").write_text(OTHER)
    account = ids.write("Account", service.account.id)
    code, shown = await command("documents", "upload", str(folder), "--account", account)
    assert (code, {row["name"]: row["id"] for row in shown}) == (
        0, {"who.graphql": f"sha256:{sha256(QUERY)}", "deep/rate.graphql": f"sha256:{sha256(OTHER)}"},
    )  # fmt: skip
    code, listed = await command("documents", "list", "--account", account)
    assert (code, [row["name"] for row in listed]) == (0, ["deep/rate.graphql", "who.graphql"])
    (folder / "bad.graphql").write_text("{ nothing }")
    code, told = await command("documents", "upload", str(folder / "bad.graphql"), "--account", account)
    assert (code, "bad.graphql" in json.dumps(told)) == (1, True)
    code, made = await command(
        "keys", "create", "--account", account, "--name", "page", "--mode", "test", "--trusted-only"
    )
    assert code == 0
    assert (await send(service, {"documentId": shown[0]["id"]}, key=made["secret"])).status == 200
    assert (await send(service, {"query": "{ plans { name } }"}, key=made["secret"])).reason == "DOCUMENT"
