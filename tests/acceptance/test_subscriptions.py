"""What can be followed live: over sockets and event streams, at the price of a query, judged at each event."""

import asyncio
import contextlib
import gc
import itertools
import json
from datetime import datetime, timedelta

import aiohttp
import pytest
import yarl

from db import readers
from server import connections, sockets, streams
from services import api_keys, following
from services import events as event_hints
from services import sockets as place_counting

PROGRESS = "subscription($id: ID!) { syncProgress(id: $id) { id status videosSeen } }"
ATTEMPT = "subscription($state: String!) { connectAttemptUpdated(state: $state) { status creator { username } expiresAt } }"
CHANGED = "subscription($ids: [ID!]) { creatorUpdated(ids: $ids) { id syncedAt videos { totalCount } } }"
MINT = "mutation($input: CreateAccessTokenInput!) { createAccessToken(input: $input) { token } }"
SYNC_CREATOR = "mutation($id: ID!) { syncCreator(input: {id: $id}) { sync { id } } }"
ENDED = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"}


class Client:
    """A graphql-transport-ws client."""

    def __init__(self, ws):
        self.ws, self._ids = ws, 0

    async def say(self, **message):
        await self.ws.send_str(json.dumps(message))

    async def hear(self, seconds=60):
        async with asyncio.timeout(seconds):
            got = await self.ws.receive()
        if got.type is aiohttp.WSMsgType.TEXT:
            return json.loads(got.data)
        # As the server's frame says: the client's own code is another where the server has left before its reply.
        code = got.data if got.type is aiohttp.WSMsgType.CLOSE else self.ws.close_code
        return {"type": "closed", "code": code, "reason": got.extra}

    async def init(self, **payload):
        await self.say(type="connection_init", **({"payload": payload} if payload else {}))
        return await self.hear()

    async def subscribe(self, query, variables=None, **more):
        self._ids += 1
        payload = {"query": query, "variables": variables or {}} | more
        await self.say(type="subscribe", id=str(self._ids), payload=payload)
        return str(self._ids)

    async def all_of(self, id):
        """Payloads until the operation ends; the last message's type."""
        found = []
        while True:
            message = await self.hear()
            assert message.get("id") == id, message
            if message["type"] != "next":
                return found, message
            found.append(message["payload"])

    async def closed(self, seconds=60):
        """The close code and its reason."""
        while (message := await self.hear(seconds))["type"] != "closed":
            pass
        return message["code"], message["reason"]


@contextlib.asynccontextmanager
async def socket(service, *, key="", path="/graphql", protocols=("graphql-transport-ws",), **headers):
    """An open socket, with the test key unless told otherwise."""
    given = {"X-API-Key": key or service.test} if key is not None else {}
    url = yarl.URL(service.url + path, encoded=True)
    async with service.http.ws_connect(
        url, protocols=protocols, headers=given | headers, max_msg_size=0
    ) as ws:
        yield Client(ws)


@contextlib.asynccontextmanager
async def ready(service, **given):
    async with socket(service, **given) as client:
        assert (await client.init())["type"] == "connection_ack"
        yield client


@contextlib.asynccontextmanager
async def stream(
    service, query, variables=None, *, method="POST", key="", path="/graphql", accept="text/event-stream"
):
    """An answer and the events in it."""
    headers = {"Accept": accept} | ({"X-API-Key": key or service.test} if key is not None else {})
    body = {"query": query, "variables": variables or {}}
    more = {"json": body}
    if method == "GET":
        more = {"params": {"query": query, "variables": json.dumps(variables or {})}}
    async with service.http.request(method, service.url + path, headers=headers, **more) as answer:
        yield answer


async def events(answer):
    """(event, data) pairs, comments left out; LF framing."""
    kind, data = None, None
    async for raw in answer.content:
        assert not raw.endswith(b"\r\n")
        line = raw.decode().rstrip("\n")
        if not line and kind is not None:
            yield kind, json.loads(data) if data else None
            kind = data = None
        elif line.startswith("event: "):
            kind = line[7:]
        elif line.startswith("data: "):
            data = line[6:]


async def until(found, seconds=60):
    async with asyncio.timeout(seconds):
        while not (value := await found()):
            await asyncio.sleep(0.02)
        return value


async def begun(service, username="sim.twenty"):
    """A creator whose first sync waits: no worker runs."""
    return await service.connect(username)


async def test_a_sync_is_followed_from_its_state_at_once_to_its_end(service):
    attempt = await begun(service)
    sync = attempt["sync"]["id"]
    async with ready(service) as client:
        id = await client.subscribe(PROGRESS, {"id": sync})
        first = await client.hear()
        assert first["payload"]["data"]["syncProgress"] == {"id": sync, "status": "QUEUED", "videosSeen": 0}
        service.work()
        rest, last = await client.all_of(id)
    assert last == {"id": id, "type": "complete"}
    states = [first["payload"]["data"]["syncProgress"], *(event["data"]["syncProgress"] for event in rest)]
    assert states[-1] == {"id": sync, "status": "SUCCEEDED", "videosSeen": 20}
    assert all(one != two for one, two in itertools.pairwise(states))
    assert [state["videosSeen"] for state in states] == sorted(state["videosSeen"] for state in states)


async def test_a_sync_that_has_ended_is_told_once_and_completed(service):
    creator = await service.connected("sim.single")
    syncs = await service.data(
        "query($id: ID!) { creator(id: $id) { syncs { nodes { id } } } }", {"id": creator}
    )
    id = syncs["creator"]["syncs"]["nodes"][0]["id"]
    for method in ("POST", "GET"):
        async with stream(service, PROGRESS, {"id": id}, method=method) as answer:
            assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            assert answer.headers["X-Request-Id"]
            told = [event async for event in events(answer)]
        assert [kind for kind, _ in told] == ["next", "complete"]
        assert told[0][1]["data"]["syncProgress"]["status"] == "SUCCEEDED"


async def test_hints_that_are_lost_are_made_good_by_reading_again(service, monkeypatch):
    monkeypatch.setattr(following, "REREAD_SECONDS", 0.2)
    attempt = await begun(service)
    monkeypatch.setattr(service.house.services.events, "_heard", lambda *_: None)
    async with ready(service) as client:
        id = await client.subscribe(PROGRESS, {"id": attempt["sync"]["id"]})
        await client.hear()
        service.work()
        rest, last = await client.all_of(id)
    assert (rest[-1]["data"]["syncProgress"]["status"], last["type"]) == ("SUCCEEDED", "complete")


async def test_a_connect_is_followed_to_its_end_and_a_changed_creator_is_told(service):
    work = await service.begin()
    async with ready(service) as client:
        id = await client.subscribe(ATTEMPT, {"state": work["state"]})
        first = (await client.hear())["payload"]["data"]["connectAttemptUpdated"]
        assert (first["status"], first["creator"], first["expiresAt"]) == ("PENDING", None, work["expiresAt"])
        everyone = await client.subscribe(CHANGED)
        service.work()
        await service.land(await service.decide(work["authUrl"], "sim.single"))
        seen = [await client.hear() for _ in range(3)]
        mine = [message for message in seen if message["id"] == id]
        assert mine[0]["payload"]["data"]["connectAttemptUpdated"]["creator"] == {"username": "sim.single"}
        assert mine[1] == {"id": id, "type": "complete"}
        (changed,) = [message for message in seen if message["id"] == everyone]
        creator = changed["payload"]["data"]["creatorUpdated"]
        assert (creator["syncedAt"] is not None, creator["videos"]["totalCount"]) == (True, 1)
        await client.say(type="complete", id=everyone)
        named = await client.subscribe(CHANGED, {"ids": [creator["id"]]})
        assert (await client.hear())["payload"]["data"]["creatorUpdated"] == creator
        await service.data(SYNC_CREATOR, {"id": creator["id"]})
        again = await client.hear()
        assert again["id"] == named
        assert again["payload"]["data"]["creatorUpdated"]["syncedAt"] > creator["syncedAt"]


async def test_what_one_may_not_see_is_refused_alike_and_ends_the_operation(service):
    creator = await service.connected("sim.single", key=service.live)
    unknown = "crt_" + "0" * 32
    async with ready(service) as client:
        told = []
        for query, variables in (
            (PROGRESS, {"id": "syn_" + "0" * 32}),
            (ATTEMPT, {"state": "none"}),
            (CHANGED, {"ids": [unknown]}),
            (CHANGED, {"ids": [creator]}),
        ):
            _, last = await client.all_of(await client.subscribe(query, variables))
            told.append((last["type"], last["payload"][0]["extensions"]["code"]))
        assert told == [("error", "NOT_FOUND")] * 4
        for query, code in (
            ("subscription { syncProgress(id: 1) { id } }", "BAD_USER_INPUT"),
            ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription { syncProgress", "GRAPHQL_PARSE_FAILED"),
            (
                'subscription { a: syncProgress(id: "x") { id } b: syncProgress(id: "y") { id } }',
                "GRAPHQL_VALIDATION_FAILED",
            ),
            ('subscription { syncProgress(id: "x") @skip(if: true) { id } }', "GRAPHQL_VALIDATION_FAILED"),
        ):
            _, last = await client.all_of(await client.subscribe(query))
            assert last["payload"][0]["extensions"]["code"] == code, last


async def test_queries_and_mutations_run_over_the_socket_many_at_once(service):
    async with ready(service) as client:
        ids = [await client.subscribe("{ viewer { mode } }") for _ in range(20)]
        got = [await client.hear() for _ in range(40)]
        assert {message["id"] for message in got} == set(ids)
        assert all(m["payload"]["data"] == {"viewer": {"mode": "TEST"}} for m in got if m["type"] == "next")
        made = await client.subscribe("mutation { connectCreator(input: {platform: TIKTOK}) { state } }")
        found, last = await client.all_of(made)
        assert (len(found[0]["data"]["connectCreator"]["state"]) > 40, last["type"]) == (True, "complete")
        assert found[0]["extensions"]["credits"]["charged"] == 0


async def test_an_event_costs_what_the_same_selection_costs_as_a_query(service):
    creator = await service.connected("sim.twenty", key=service.live)
    await service.rest()
    fields = "id username videos(first: 20) { nodes { title } }"
    query = f"query($id: ID!) {{ creator(id: $id) {{ {fields} }} }}"
    asked = (await service.ask(query, {"id": creator}, key=service.live)).credits
    before, _ = await service.ledger()
    follow = f"subscription($ids: [ID!]) {{ creatorUpdated(ids: $ids) {{ {fields} }} }}"
    quoted = await service.data(
        "query($q: String!) { price(query: $q) { max } }", {"q": follow}, key=service.live
    )
    async with ready(service, key=service.live) as client:
        await client.subscribe(follow, {"ids": [creator]})
        event = (await client.hear())["payload"]
        assert event["extensions"]["credits"]["charged"] == asked["charged"] > 1
        assert event["extensions"]["credits"]["remaining"] == before - asked["charged"]
    assert quoted["price"]["max"] >= asked["charged"]
    async with stream(service, follow, {"ids": [creator]}, key=service.live) as answer:
        _, told = await anext(events(answer))
        assert told["extensions"]["credits"]["charged"] == asked["charged"]
    after, _ = await service.ledger()
    assert before - after == 2 * asked["charged"]
    await service.settled()
    assert await service.value("select count(*) from usage_events where credits = $1", asked["charged"]) == 3


async def test_an_event_that_cannot_be_paid_is_withheld_and_ends_the_operation(service):
    creator = await service.connected("sim.single", key=service.live)
    left, _ = await service.ledger()
    await service.execute("update credit_balances set granted = used + 1")
    async with ready(service, key=service.live) as client:
        id = await client.subscribe(CHANGED, {"ids": [creator]})
        first = await client.hear()
        assert first["type"] == "next"
        service.work()
        await service.execute("update credit_balances set granted = used + 10")
        await service.data(SYNC_CREATOR, {"id": creator}, key=service.live)
        await service.execute("update credit_balances set granted = used")
        last = await client.hear()
        assert (last["id"], last["type"]) == (id, "error")
        assert last["payload"][0]["extensions"]["code"] == "CREDITS_EXHAUSTED"
    assert left


async def test_a_revoked_key_gets_no_further_event_and_its_sockets_and_streams_are_closed(service):
    made = await service.key()
    attempt = await begun(service)
    variables = {"id": attempt["sync"]["id"]}
    async with (
        ready(service, key=made.secret) as client,
        stream(service, PROGRESS, variables, key=made.secret) as answer,
    ):
        await client.subscribe(PROGRESS, variables)
        assert (await client.hear())["type"] == "next"
        told = events(answer)
        assert (await anext(told))[0] == "next"
        async with service.database.write() as session:
            await api_keys.revoke(session, service.account.id, made.id)
        assert await client.closed() == (4401, "Invalid API key")
        async with asyncio.timeout(60):
            rest = [event async for event in told]
        assert rest[0][1]["errors"][0]["extensions"]["reason"] == "REVOKED"
        assert rest[1][0] == "complete"


class TenMinutesOn(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(minutes=10)


async def test_a_token_ends_its_socket_when_it_ends_and_when_its_parent_is_revoked(service, monkeypatch):
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.1)
    made = await service.key("TEST", name="parent")

    async def token(seconds):
        minted = await service.data(MINT, {"input": {"expiresIn": seconds}}, key=made.secret)
        return minted["createAccessToken"]["token"]

    async with ready(service, key=None, path=f"/graphql?jwtKey={await token(3_600)}") as two:
        async with ready(service, key=None, path=f"/graphql?access_token={await token(600)}") as one:
            with monkeypatch.context() as patch:
                patch.setattr(connections, "datetime", TenMinutesOn)
                told = await one.closed()
            assert told == (4401, "Invalid access token")
        async with service.database.write() as session:
            await api_keys.revoke(session, service.account.id, made.id)
        assert (await two.closed())[0] == 4401


async def test_a_token_held_to_a_creator_follows_that_one_alone(service):
    mine, other = await service.connected("sim.single"), await service.connected("sim.twenty")
    wish = {"allowedCreators": [mine]}
    minted = await service.ask(MINT, {"input": wish})
    token = minted.data["createAccessToken"]["token"]
    async with ready(service, key=None, path=f"/graphql?access_token={token}") as client:
        _, last = await client.all_of(await client.subscribe(CHANGED, {"ids": [other]}))
        assert last["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        _, last = await client.all_of(await client.subscribe(ATTEMPT, {"state": "x"}))
        assert last["payload"][0]["extensions"]["reason"] == "CREATOR"
        sync = (await service.data(SYNC_CREATOR, {"id": other}))["syncCreator"]["sync"]["id"]
        _, last = await client.all_of(await client.subscribe(PROGRESS, {"id": sync}))
        assert last["payload"][0]["extensions"]["code"] == "NOT_FOUND"
        await client.subscribe(CHANGED)
        await service.synced(sync)
        await service.data(SYNC_CREATOR, {"id": mine})
        assert (await client.hear())["payload"]["data"]["creatorUpdated"]["id"] == mine


async def test_scopes_are_judged_as_for_queries(service):
    made = await service.key(scopes=["CREATORS_READ"])
    creator = await service.connected("sim.single")
    async with ready(service, key=made.secret) as client:
        _, last = await client.all_of(
            await client.subscribe("subscription { creatorUpdated { videos { nodes { title } } } }")
        )
        assert last["payload"][0]["extensions"]["scope"] == "VIDEOS_READ"
        await client.subscribe(
            "subscription($ids: [ID!]) { creatorUpdated(ids: $ids) { username } }", {"ids": [creator]}
        )
        assert (await client.hear())["type"] == "next"
    async with stream(
        service, "subscription { creatorUpdated { videos { nodes { title } } } }", key=made.secret
    ) as answer:
        assert answer.status == 403
        assert (await answer.json())["errors"][0]["extensions"]["reason"] == "SCOPE"


async def test_an_operation_counts_once_however_many_events_it_has(service):
    await service.update(test_requests_per_minute=4)
    attempt = await begun(service)  # four requests were answered before the limit counted
    made = await service.key()
    async with ready(service, key=made.secret) as client:
        id = await client.subscribe(PROGRESS, {"id": attempt["sync"]["id"]})
        assert (await client.hear())["type"] == "next"
        service.work()
        assert (await client.all_of(id))[0]
        for _ in range(3):
            assert (await client.all_of(await client.subscribe("{ viewer { mode } }")))[1][
                "type"
            ] == "complete"
        _, last = await client.all_of(await client.subscribe("{ viewer { mode } }"))
        assert last["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
        assert (await client.init())["code"] == 4429  # but the socket stood until now


async def test_events_cross_processes(service, other):
    """Two services on one database: what one does is heard at the other."""
    attempt = await begun(service)
    async with ready(other, key=service.test) as client:
        id = await client.subscribe(PROGRESS, {"id": attempt["sync"]["id"]})
        await client.hear()
        service.work()
        rest, last = await client.all_of(id)
    assert (rest[-1]["data"]["syncProgress"]["status"], last["type"]) == ("SUCCEEDED", "complete")


async def test_event_streams_are_answered_only_where_they_are_liked_best(service):
    urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
    query = "{ viewer { mode } }"
    for accept, is_stream in (
        (urql, False),
        ("text/event-stream, multipart/mixed", True),
        ("text/event-stream, */*;q=0.1", True),
        ("text/event-stream;q=0.5, application/json", False),
        ("text/event-stream, */*", False),
        ("text/event-stream, application/json", False),
    ):
        async with stream(service, query, accept=accept) as answer:
            assert (answer.content_type == "text/event-stream") == is_stream, accept
            if is_stream:
                told = [event async for event in events(answer)]
                assert [kind for kind, _ in told] == ["next", "complete"]
                assert told[0][1]["data"] == {"viewer": {"mode": "TEST"}}
    answer = await service.ask("subscription { creatorUpdated { id } }")
    assert (answer.status, answer.code) == (406, "NOT_ACCEPTABLE")
    async with stream(
        service, "mutation { connectCreator(input: {platform: TIKTOK}) { state } }", method="GET"
    ) as answer:
        assert answer.status == 405


async def test_what_is_wrong_with_a_document_is_an_event_of_the_stream_asked_for(service):
    """As graphql-sse's protocol wants it: its clients see of any other answer only that the stream broke."""
    for query, code in (
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("query A { viewer { mode } } query B { viewer { mode } }", "OPERATION_RESOLUTION_FAILURE"),
        ("subscription { creatorUpdated { videos(first: 0) { totalCount } } }", "BAD_USER_INPUT"),
    ):  # fmt: skip
        async with stream(service, query) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream"), query
            (kind, told), last = [event async for event in events(answer)]
            assert (kind, told["errors"][0]["extensions"]["code"], last) == ("next", code, ("complete", None))
            assert "data" not in told


async def test_a_quiet_stream_says_that_it_stands(service, monkeypatch):
    monkeypatch.setattr(streams, "PING_SECONDS", 0.1)
    async with stream(service, "subscription { creatorUpdated { id } }") as answer, asyncio.timeout(60):
        lines = [await answer.content.readline() for _ in range(8)]
    assert lines == [b":\n", b"\n"] * 4


# -- credentials


async def test_a_bad_credential_in_the_request_is_refused_before_the_upgrade(service):
    for given in (
        {"key": "nonsense"}, {"key": None, "path": "/graphql?api_key=nonsense"},
        {"key": None, "path": "/graphql?access_token=a.b.c"}, {"key": None, "Authorization": "Bearer x"},
        {"key": "nonsense", "path": f"/graphql?api_key={service.test}"},
    ):  # fmt: skip
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with socket(service, **given):
                pass
        assert refused.value.status == 401
    answer = await service.send(
        "GET",
        headers={
            "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "X-API-Key": "nonsense",
        },
    )  # fmt: skip
    assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "MALFORMED")


async def test_connection_init_is_read_only_where_the_request_brought_nothing(service):
    for payload in ({"Authorization": f"Bearer {service.test}"}, {"apiKey": service.test}):
        async with socket(service, key=None) as client:
            assert (await client.init(**payload))["type"] == "connection_ack"
            found, _ = await client.all_of(await client.subscribe("{ viewer { mode } }"))
            assert found[0]["data"] == {"viewer": {"mode": "TEST"}}
    async with socket(service, key=service.test) as client:
        assert (await client.init(apiKey=service.live))["type"] == "connection_ack"
        found, _ = await client.all_of(await client.subscribe("{ viewer { mode } }"))
        assert found[0]["data"] == {"viewer": {"mode": "TEST"}}
    for payload, reason in (({}, "API key is required"), ({"apiKey": "x"}, "Invalid API key")):
        async with socket(service, key=None) as client:
            await client.say(type="connection_init", payload=payload)
            assert await client.closed() == (4403, reason)
    for path in (f"/graphql?api_key={service.test}", f"/graphql?apiKey={service.test}"):
        async with ready(service, key=None, path=path):
            pass


async def test_a_token_in_the_address_is_for_sockets_and_streams_alone(service):
    token = (await service.data(MINT, {"input": {}}))["createAccessToken"]["token"]
    answer = await service.send(path=f"/graphql?access_token={token}", json={"query": "{ viewer { mode } }"})
    assert answer.reason == "MISSING"
    async with stream(
        service, "{ viewer { mode } }", key=None, path=f"/graphql?access_token={token}"
    ) as answer:
        assert (answer.status, "Warning" in answer.headers) == (200, True)


# -- the protocol


async def test_what_is_no_message_of_the_protocol_closes_with_4400(service):
    for text in (
        "", "null", "1", '"x"', "[]", "{}", "{", '{"type": 1}', '{"type": "start"}', "[" * 50_000,
        '{"type": "ping", "payload": 1}', '{"type": "connection_init", "payload": []}',
        '{"type": "complete"}', '{"type": "complete", "id": ""}', '{"type": "connection_init", "payload": "\\ud800"}',
    ):  # fmt: skip
        async with socket(service) as client:
            await client.ws.send_str(text)
            assert (await client.closed())[0] == 4400, text
    for payload in (
        None,
        1,
        {},
        {"query": 1},
        {"query": "{ a }", "variables": []},
        {"query": "{ a }", "operationName": 1},
    ):
        async with ready(service) as client:
            await client.say(type="subscribe", id="1", payload=payload)
            assert (await client.closed())[0] == 4400, payload
    async with socket(service) as client:
        await client.ws.send_bytes(b"{}")
        assert (await client.closed())[0] == 4400


async def test_each_breach_has_its_close_code(service, monkeypatch):
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.05)
    async with socket(service) as client:
        await client.subscribe("{ viewer { mode } }")
        assert (await client.closed())[0] == 4401
    async with ready(service) as client:
        assert (await client.init())["code"] == 4429
    async with ready(service) as client:
        for _ in range(2):
            await client.say(
                type="subscribe", id="a", payload={"query": "subscription { creatorUpdated { id } }"}
            )
        assert (await client.closed())[0] == 4409
    for protocols in ((), ("graphql-ws",), ("other",)):
        async with socket(service, protocols=protocols) as client:
            assert (await client.closed())[0] == 4406
    async with socket(service) as client:
        await client.ws.send_str(json.dumps({"type": "ping", "payload": {"x": "y" * 70_000}}))
        assert (await client.closed())[0] == 1009
    async with ready(service) as client:
        await client.say(type="ping", payload={"a": 1})
        assert await client.hear() == {"type": "pong", "payload": {"a": 1}}
        await client.say(type="pong")
        monkeypatch.setattr(sockets, "IDLE_SECONDS", 0.2)
        assert (await client.closed())[0] == 1000
    monkeypatch.setattr(sockets, "INIT_SECONDS", 0.2)
    async with socket(service) as client:
        assert (await client.closed())[0] == 4408


async def test_an_operation_completed_by_its_client_says_no_more_and_frees_its_id(service):
    async with ready(service) as client:
        for _ in range(3):
            await client.say(
                type="subscribe", id="a", payload={"query": "subscription { creatorUpdated { id } }"}
            )
            await client.say(type="complete", id="a")
        await client.say(type="complete", id="never")
        await client.say(type="ping")
        assert await client.hear() == {"type": "pong"}
        for n in range(sockets.MOST_OPERATIONS):
            await client.say(
                type="subscribe", id=str(n), payload={"query": "subscription { creatorUpdated { id } }"}
            )
        await client.say(type="subscribe", id="one more", payload={"query": "{ viewer { mode } }"})
        refused = await client.hear()
        assert (refused["id"], refused["payload"][0]["extensions"]["code"]) == ("one more", "RATE_LIMITED")


async def test_waiters_are_let_go_with_their_socket(service):
    waiting = service.house.services.events._waiters
    before = len(waiting)
    async with ready(service) as client:
        await client.subscribe("subscription { creatorUpdated { id } }")
        await client.say(type="ping")
        await client.hear()
        await until(lambda: _true(len(waiting) == before + 1))
    await until(lambda: _true(len(waiting) == before))


async def _true(value):
    return value


# -- how many, and for how long


async def test_the_plans_number_of_sockets_holds_over_processes_and_frees_at_once(service, other):
    await service.update(max_websockets=2)
    other.house.services.callers.forget_all()
    async with ready(service), ready(other, key=service.test):
        for place in (service, other):
            async with socket(place, key=service.test) as client:
                assert (await client.init())["code"] == 4429
        async with ready(service, key=service.live):  # the other world has its own
            pass
    for _ in range(3):
        await until(lambda: none_open(service))
        async with ready(service), ready(other, key=service.test):
            pass
    await until(lambda: none_open(service))
    async with ready(service), ready(other, key=service.test):
        await service.execute("update socket_processes set alive_until = now()")  # both died without a word
        async with ready(service):
            pass


async def none_open(service):
    return not await service.value("select count(*) from open_sockets")


async def test_of_many_who_come_at_once_no_more_than_the_number_get_in(service):
    await service.update(max_websockets=3)

    all_told = asyncio.Barrier(10)

    async def come():
        async with socket(service) as client:
            told = await client.init()
            await all_told.wait()  # nobody makes room
            return told["type"]

    told = await asyncio.gather(*(come() for _ in range(10)))
    assert sorted(told) == ["closed"] * 7 + ["connection_ack"] * 3


async def test_a_token_has_its_own_number_of_sockets_and_streams(service):
    minted = await service.data(MINT, {"input": {"maxWebsockets": 1}})
    token = minted["createAccessToken"]["token"]
    path = f"/graphql?access_token={token}"
    follow = "subscription { creatorUpdated { id } }"
    async with ready(service, key=None, path=path):
        async with socket(service, key=None, path=path) as client:
            told = await client.init()
            assert (told["code"], told["reason"]) == (4429, "Too many sockets: 1 may be open at once.")
        async with stream(service, follow, key=None, path=path) as answer:
            assert answer.status == 200
            async with stream(service, follow, key=None, path=path) as second:
                assert (second.status, (await second.json())["errors"][0]["extensions"]["reason"]) == (
                    429,
                    "SOCKETS",
                )
                assert int(second.headers["Retry-After"]) > 0


async def test_sockets_and_streams_are_ended_when_the_process_is_told_to_go(service, monkeypatch):
    async with ready(service) as client, stream(service, "subscription { creatorUpdated { id } }") as answer:
        await client.subscribe("subscription { creatorUpdated { id } }")
        await answer.content.readline()
        held = next(c for c in gc.get_objects() if isinstance(c, connections.Connections) and len(c) == 2)
        monkeypatch.setattr(connections, "LEAVE_SECONDS", 3_600)  # nobody is given up
        leaving = asyncio.create_task(held.leave())
        assert (await client.closed())[0] == 1001
        assert [event async for event in events(answer)] == []
        async with asyncio.timeout(60):
            await leaving
        told = await service.ask("{ viewer { mode } }")
        assert (told.status, told.headers["Connection"]) == (200, "close")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with socket(service):
                pass


# -- what goes wrong meanwhile

ALL_BACKENDS = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


async def test_an_outage_of_the_database_is_sat_out(service, monkeypatch):
    """What a restart does: every connection dies, and for a while none is had."""
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.05)
    attempt = await begun(service)
    lease, refused = readers.Readers.lease, []

    def away(pool):
        if len(refused) < 10:
            refused.append(pool)
            raise ConnectionRefusedError
        return lease(pool)

    async with ready(service) as client:
        id = await client.subscribe(PROGRESS, {"id": attempt["sync"]["id"]})
        everyone = await client.subscribe(CHANGED)
        await client.hear()
        monkeypatch.setattr(readers.Readers, "lease", away)
        await service.execute(ALL_BACKENDS)
        await until(lambda: _true(len(refused) == 10))
        service.work()
        told = []
        while {"id": id, "type": "complete"} not in told or all(heard["id"] != everyone for heard in told):
            told.append(await client.hear())
    last = [message for message in told if message["id"] == id][-2]
    assert last["payload"]["data"]["syncProgress"]["status"] == "SUCCEEDED"


async def test_a_client_that_only_pings_is_not_let_wait_for_ever(service, monkeypatch):
    monkeypatch.setattr(connections, "SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(sockets, "INIT_SECONDS", 0.3)
    async with socket(service, key=None) as client:
        pinging = asyncio.create_task(pings(client))
        async with asyncio.timeout(60):
            assert (await client.closed())[0] == 4408
        pinging.cancel()
        await asyncio.gather(pinging, return_exceptions=True)


async def pings(client):
    while True:
        await client.say(type="ping")
        await asyncio.sleep(0.05)


async def test_what_breaks_in_an_operation_is_told_and_breaks_no_other(service, monkeypatch):
    async with ready(service) as client:
        followed = await client.subscribe("subscription { creatorUpdated { id } }")
        await client.say(type="ping")
        await client.hear()
        monkeypatch.setattr(sockets.operations, "answers", broken)
        _, last = await client.all_of(await client.subscribe("{ viewer { mode } }"))
        assert (last["type"], last["payload"][0]["extensions"]["code"]) == ("error", "INTERNAL")
        assert "secret" not in json.dumps(last)
        monkeypatch.undo()
        assert (await client.all_of(await client.subscribe("{ viewer { mode } }")))[1]["type"] == "complete"
        await client.say(type="complete", id=followed)


async def broken(*_):
    raise ValueError("secret")
    yield


async def test_a_place_whose_commit_got_lost_is_given_back(service, monkeypatch):
    """The row is there, though nobody was told."""
    await service.update(max_websockets=1)
    claim = place_counting.Sockets._claim

    async def lost(self, *given):
        await claim(self, *given)
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(place_counting.Sockets, "_claim", lost)
        async with socket(service) as client:
            assert (await client.init())["code"] == 1013
    async with ready(service):
        pass


def test_among_hints_the_word_that_some_are_missing_is_heard():
    hints = event_hints.Hints()

    async def heard(*told):
        for payload in told:
            hints.tell(payload)
        return await hints.wait(0.01)

    assert asyncio.run(heard("a", None, "b")) == frozenset()
    assert asyncio.run(heard("a", "b")) == {"a", "b"}
    assert asyncio.run(heard()) is None


def test_who_is_let_in_while_the_process_leaves_is_told_to_go():
    class Staying:
        left = False

        def leave(self):
            self.left = True

    async def come():
        held, late = connections.Connections(), Staying()
        await held.leave()
        held.add(late)
        return late.left

    assert asyncio.run(come())
