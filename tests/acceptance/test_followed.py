"""Followers: judged anew at each event, told what happens between two looks, let go when they answer no more."""

import asyncio
import contextlib
import hashlib
import json
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from graph import subscriptions
from server import received, sockets

PROGRESS = "subscription($id: ID!) { syncProgress(id: $id) { status } }"
CHANGED = "subscription($ids: [ID!]) { creatorUpdated(ids: $ids) { username videos { totalCount } } }"
UPDATE = "mutation($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id } } }"
SYNC = "mutation($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }"
VIEWER = "query Who { viewer { mode } }"


@contextlib.asynccontextmanager
async def connected(service, key=None, **more):
    headers = {"X-API-Key": key or service.test}
    url, protocols = f"{service.url}/graphql", ["graphql-transport-ws"]
    async with service.http.ws_connect(url, protocols=protocols, headers=headers, **more) as ws:
        await ws.send_json({"type": "connection_init"})
        assert (await ws.receive_json())["type"] == "connection_ack"
        yield ws


async def subscribe(ws, query="", variables=None, **more):
    payload = {"query": query, "variables": variables or {}, **more}
    await ws.send_json({"type": "subscribe", "id": "1", "payload": payload})


async def heard(ws, seconds=60):
    async with asyncio.timeout(seconds):
        return await ws.receive_json()


async def expired(service, key):
    """The key ends at an instant that it was given while it stood, and that has come."""
    for seconds in (0.5, 2, 8, 32):  # where the machine is slow it has come too soon, and is refused
        end = datetime.now(UTC) + timedelta(seconds=seconds)
        answer = await service.ask(UPDATE, {"input": {"id": key, "expiresAt": end.isoformat()}})
        if "errors" not in answer.body:
            await asyncio.sleep((end - datetime.now(UTC)).total_seconds() + 0.01)
            return
    raise AssertionError(answer.body)


@pytest.mark.parametrize("change", ["scopes", "allowedIps", "expiresAt"])
async def test_what_a_key_may_no_longer_is_withheld_at_the_next_event(service, change):
    creator = await service.connected("sim.single")
    made = await service.key()
    given = {"scopes": ["CREATORS_READ"], "allowedIps": ["192.0.2.0/24"]}
    async with connected(service, made.secret) as ws:
        await subscribe(ws, CHANGED, {"ids": [creator]})
        assert (await heard(ws))["payload"]["data"]["creatorUpdated"]["username"] == "sim.single"
        if change == "expiresAt":
            await expired(service, f"key_{made.id.hex}")
        else:
            await service.data(UPDATE, {"input": {"id": f"key_{made.id.hex}", change: given[change]}})
        await service.data(SYNC, {"id": creator})
        async with asyncio.timeout(60):
            last = await ws.receive()
        if change == "scopes":  # the key is good for less; what it may not, ends
            told = json.loads(last.data)
            assert (told["type"], told["payload"][0]["extensions"]["scope"]) == ("error", "VIDEOS_READ")
        elif last.type is aiohttp.WSMsgType.TEXT:
            assert json.loads(last.data)["type"] == "error"
            assert (await ws.receive()).data == 4401
        else:
            assert last.data == 4401


async def test_a_plan_that_is_canceled_ends_what_follows_in_live_mode_and_leaves_test_mode(service):
    """At once, though no event comes: the key's account changed."""
    creator = await service.connected("sim.single")
    live = await service.connected("sim.single", key=service.live)
    async with connected(service, service.live) as paid, connected(service) as tried:
        for ws, id in ((paid, live), (tried, creator)):
            await subscribe(ws, CHANGED, {"ids": [id]})
            assert (await heard(ws))["type"] == "next"
        async with service.http.post(
            f"{service.url}/graphql",
            json={"query": CHANGED, "variables": {"ids": [live]}},
            headers={"X-API-Key": service.live, "Accept": "text/event-stream"},
        ) as streamed:
            await service.update(canceled=True)
            async with asyncio.timeout(60):
                assert (await paid.receive()).data == 4401
                assert '"reason":"PLAN"' in await streamed.text()
        await tried.send_json({"type": "subscribe", "id": "2", "payload": {"query": VIEWER}})
        assert (await heard(tried))["payload"]["data"] == {"viewer": {"mode": "TEST"}}


@pytest.mark.parametrize("when", ["before the first look", "between the first look and its answer"])
async def test_what_happens_around_the_first_look_is_told(service, monkeypatch, when):
    """Also where no later hint comes: what was told meanwhile waits for the follower."""
    attempt = await service.connect("sim.single")
    sync, look, looks = attempt["sync"]["id"], subscriptions.Stream._read, []

    async def slowly(self, context, event):
        looks.append(event)
        value = await look(self, context, event) if when.startswith("between") else None
        if len(looks) == 1:
            service.work()
            assert (await service.synced(sync))["status"] == "SUCCEEDED"
            await service.rest()
        return value or await look(self, context, event)

    monkeypatch.setattr(subscriptions.Stream, "_read", slowly)
    async with connected(service) as ws:
        await subscribe(ws, PROGRESS, {"id": sync})
        told = []
        while (message := await heard(ws))["type"] == "next":
            told.append(message["payload"]["data"]["syncProgress"]["status"])
    assert told == (["SUCCEEDED"] if when.startswith("before") else ["QUEUED", "SUCCEEDED"])
    assert message["type"] == "complete"


async def test_who_answers_no_ping_is_let_go_and_the_place_is_free(service, monkeypatch):
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.2)
    await service.update(max_websockets=1)
    async with connected(service, autoping=False) as silent:
        async with asyncio.timeout(60):
            while await service.value("select count(*) from open_sockets"):
                await asyncio.sleep(0.05)
        monkeypatch.setattr(sockets, "PING_SECONDS", 1)  # half of it is for the answer
        async with connected(service) as ws:
            with pytest.raises(TimeoutError):
                await heard(ws, 1.6)  # who answers pings, as reading does, stays
            await subscribe(ws, VIEWER)
            assert (await heard(ws))["payload"]["data"] == {"viewer": {"mode": "TEST"}}
        assert (await silent.receive()).type is aiohttp.WSMsgType.PING


async def test_apollos_hash_alone_is_enough_on_sockets_and_streams(service):
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(VIEWER.encode()).hexdigest()}}
    async with connected(service) as ws:
        for text, kind in (("", "error"), (VIEWER, "next"), ("", "next")):
            await subscribe(ws, text, extensions=extensions)
            told = await heard(ws)
            assert told["type"] == kind
            if kind == "next":
                assert told["payload"]["data"] == {"viewer": {"mode": "TEST"}}
                assert (await heard(ws))["type"] == "complete"
            else:
                assert told["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
    streamed = {"X-API-Key": service.test, "Accept": "text/event-stream"}
    for method, more in (
        ("POST", {"json": {"extensions": extensions}}),
        ("GET", {"params": {"extensions": json.dumps(extensions)}}),
    ):
        async with service.http.request(method, f"{service.url}/graphql", headers=streamed, **more) as answer:
            told = await answer.text()
        assert (answer.content_type, '{"viewer":{"mode":"TEST"}}' in told) == ("text/event-stream", True)


async def test_a_body_that_stops_halfway_is_not_waited_for(service, monkeypatch):
    monkeypatch.setattr(received, "BODY_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nX-API-Key: {service.test}\r\nContent-Type: application/json\r\n"
    writer.write(f'{head}Content-Length: 900\r\n\r\n{{"query": '.encode())
    async with asyncio.timeout(60):
        status = await reader.readline()
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.read(2_000)
    assert b" 400 " in status
    assert b"x-request-id:" in headers
    assert json.loads(body)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    writer.close()
    await writer.wait_closed()
