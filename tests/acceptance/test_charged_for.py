"""Charged for what was delivered and for nothing else: failures, timeouts, nulls, short pages, clients that leave."""

import asyncio
import contextlib
import json
import math
import random
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog

from db import session
from graph import in_time, running
from services import credits

NOBODY = "crt_" + "0" * 32
OWN = "https://partner.example/oauth"
COMPLETE = """mutation($state: String!, $code: String!) {
  completeConnect(input: {state: $state, code: $code}) { creator { id } } }"""
LEAVERS = 40
MAKE = 'mutation { createApiKey(input: {name: "made once", mode: LIVE}) { apiKey { name } } }'
WAITING = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


async def charged(service, query, variables=None, **more):
    """What the ledger lost; headers and extensions say the same, and the books agree."""
    before, _ = await service.ledger()
    answer = await service.ask(query, variables, key=service.live, **more)
    after, _ = await service.ledger()
    assert answer.credits["charged"] == int(answer.headers["X-Credits-Charged"]) == before - after, (
        answer.body
    )
    return before - after, answer


async def agreed(service):
    """Balance, ledger and usage rows say the same."""
    await service.settled()
    async with service.database.read() as connection:
        assert await credits.audit(connection) == []
    used = await service.value("select coalesce(sum(credits), 0)::bigint from usage_events")
    assert (await service.ledger())[1] == used


async def test_what_is_null_short_or_repeated_costs_what_was_there(service):
    twenty, single = [
        await service.connected(name, key=service.live) for name in ("sim.twenty", "sim.single")
    ]
    one = {"id": twenty, "other": single, "nobody": NOBODY}
    videos = "videos(first: 100) { nodes { id } }"
    for body, price in (
        ("creator(id: $nobody) { id videos { nodes { id } } } n: creator(id: $other) { id }", 1),
        ("nodes(ids: [$id, $nobody, $other, $nobody]) { id }", 2),
        (f"creator(id: $id) {{ {videos} }} n: creator(id: $nobody) {{ {videos} }} o: node(id: $other) {{ id }}", 1 + 2 + 1),
        (f"creator(id: $other) {{ {videos} }} n: creator(id: $id) {{ id }}", 1 + 0.1 + 1),
        (f"creator(id: $id) {{ a: {videos} b: videos(last: 5) {{ edges {{ cursor }} nodes {{ id }} }} }}", 1 + 2 + 1),
        ("creator(id: $id) { videos(filter: {viewsMin: 900000000000000}) { nodes { id } totalCount } } n: node(id: $other) { id }", 2),
        ("creators(first: 100) { nodes { id grant { status } missingMetrics { field } } } n: node(id: $nobody) { id }", 2),
    ):  # fmt: skip
        used = ", ".join(f"${name}: ID!" for name in one if f"${name}" in body)
        query = f"query{used and f'({used})'} {{ __typename x: viewer {{ mode }} {body} }}"
        found, answer = await charged(service, query, one)
        assert "errors" not in answer.body, (body, answer.body)
        assert found == math.ceil(price), body
        assert found <= answer.credits["max"], body
    await agreed(service)


@pytest.fixture
def no_log():
    """Internal errors are logged with all their frames, which takes seconds where nothing is configured."""
    with structlog.testing.capture_logs():
        yield


async def test_what_fails_by_our_fault_is_free_and_what_stands_beside_it_is_not(service, no_log):
    await service.connected("sim.single", key=service.live)
    video = (await service.data("{ videos { nodes { id } } }", key=service.live))["videos"]["nodes"][0]["id"]
    both = "query($id: ID!) { creators { nodes { id } } video(id: $id) { title } }"
    await service.idle()
    await service.execute("alter table videos rename to lost")
    for query, price, kept in (
        (both, 1, {"creators", "video"}),
        ("query($id: ID!) { video(id: $id) { title } viewer { mode } }", 0, {"viewer", "video"}),
        (
            "query($id: ID!) { creators { nodes { id } } videos { nodes { id } } node(id: $id) { id } }",
            0,
            None,
        ),
        (
            "query($id: ID!) { a: video(id: $id) { id } b: creators { nodes { videos { nodes { id } } } } }",
            0,
            None,
        ),
        ("{ creators { nodes { videos { nodes { id } } } } }", 0, None),
    ):
        found, answer = await charged(service, query, {"id": video})
        assert {error["extensions"]["code"] for error in answer.errors} == {"INTERNAL"}, answer.body
        assert "lost" not in answer.raw.decode()
        assert (found, kept and set(answer.body["data"])) == (price, kept), answer.body
        assert answer.body["data"] is None if kept is None else answer.body["data"].get("video") is None
    await service.execute("alter table lost rename to videos")
    assert (await charged(service, both, {"id": video}))[0] == 2
    await agreed(service)


async def test_a_root_that_fails_midway_is_free_beside_one_that_does_not(service, no_log):
    things = await service.things(service.live)
    query = """query($state: String!, $id: ID!) {
      connectAttempt(state: $state) { creator { id } sync { id } } creator(id: $id) { id }
    }"""
    variables = {"state": things["state"], "id": things["crt"]}
    await service.idle()
    assert (await charged(service, query, variables))[0] == 2
    await service.execute("alter table syncs rename to lost")
    price, answer = await charged(service, query, variables)
    assert answer.body["data"] == {"connectAttempt": None, "creator": {"id": things["crt"]}}
    assert price == 1
    await service.execute("alter table lost rename to syncs")
    await agreed(service)


async def test_a_refused_root_costs_its_neighbours_no_connection(service):
    rest = " ".join(f"v{n}: videos(first: {n}) {{ nodes {{ id }} }}" for n in range(1, 6))
    await asyncio.gather(*(service.ask(f"{{ {rest} }}") for _ in range(3)))
    readers = "select array_agg(pid order by pid) from pg_stat_activity where application_name = 'creator-graph read' and datname = current_database()"
    before = await service.value(readers)
    for refused in ('creator(id: "nonsense") { id }', "creatorBy(platform: TIKTOK) { id }"):
        answer = await service.ask(f"{{ {refused} {rest} }}")
        assert (answer.code, answer.body["data"]["v5"]) == ("BAD_USER_INPUT", {"nodes": []})
    assert await service.value(readers) == before


async def test_what_takes_too_long_is_free_and_not_tried_twice(serving, monkeypatch, path):
    monkeypatch.setattr(session, "STATEMENT_SECONDS", 1)
    service = await serving()
    waits = "{ credits { remaining } creators { nodes { id } } }"
    one, two = "{ creators { nodes { id } } }", "{ creators { nodes { id } } plans { name } }"
    executed, execute = [], running.execute
    monkeypatch.setattr(
        running, "execute", lambda *given, **more: executed.append(more) or execute(*given, **more)
    )
    assert (await charged(service, waits))[0] == 1
    async with service.database.write() as holder:
        await (await session.raw(holder)).execute("lock table creators in access exclusive mode")
        answers = await asyncio.gather(
            *(service.ask(query, {"id": NOBODY}, key=service.live) for query in (
                waits, "query($id: ID!) { creator(id: $id) { id } }", "{ creators { nodes { id } } viewer { mode } }",
            ))
        )  # fmt: skip
        executed.clear()
        answers += await asyncio.gather(*(service.ask(query, key=service.live) for query in (one, two)))
        assert len(executed) == (0 if path == "compiled" else 2)
    for answer in answers:
        assert (answer.code, answer.credits["charged"]) == ("TIMEOUT", 0), answer.body
        assert not any((answer.body.get("data") or {}).values())
    assert (await charged(service, waits))[0] == 1
    await service.settled()
    codes = await service.value("select array_agg(code order by code) from usage_events where credits = 0")
    assert codes == ["TIMEOUT"] * 5
    await agreed(service)


async def test_a_read_ends_when_its_time_is_over_and_is_free(service, monkeypatch):
    queries = (
        "query($id: ID!) { creator(id: $id) { id } }",
        "{ creators { nodes { id } } credits { remaining } }",
    )
    for query in queries:
        await charged(service, query, {"id": NOBODY})
    async with service.database.write() as holder:
        await (await session.raw(holder)).execute("lock table creators in access exclusive mode")
        monkeypatch.setattr(in_time, "SECONDS", 0.5)
        answers = await asyncio.gather(
            *(service.ask(query, {"id": NOBODY}, key=service.live) for query in queries * 20)
        )
        monkeypatch.undo()
    for answer in answers:
        assert (answer.code, answer.status, answer.credits["charged"]) == ("TIMEOUT", 504, 0), answer.body
        assert "longer than" in answer.body["errors"][0]["message"]
    assert (await charged(service, queries[1]))[0] == 1
    await agreed(service)


async def test_what_a_platform_refuses_is_free(service):
    for fault, price, code in (
        ("status_500", 0, "PLATFORM_ERROR"),
        ("status_429", 0, "PLATFORM_ERROR"),
        (None, 1, None),
    ):
        begun = await service.begin(key=service.live, redirectUri=OWN)
        landed = await service.decide(begun["authUrl"], "sim.single")
        given = {"state": begun["state"], "code": dict(parse_qsl(urlsplit(landed).query))["code"]}
        if fault:
            service.fault("oauth/token", fault, times=20)
        found, answer = await charged(service, COMPLETE, given)
        told = answer.errors[0]["extensions"]["code"] if "errors" in answer.body else None
        assert (found, told) == (price, code), answer.body
        service.world.faults.clear()
    await agreed(service)


async def test_an_unknown_outcome_is_503_and_an_idempotency_key_resolves_it(service):
    once = {"Idempotency-Key": "one"}
    await charged(service, "{ credits { remaining } }")  # the cashier has its connection
    holder = await service.database.connect()
    async with holder.transaction():
        await holder.execute("select 1 from credit_balances for update")
        asked = [
            asyncio.create_task(service.ask("{ credits { remaining } }", key=service.live)),
            asyncio.create_task(service.ask(MAKE, key=service.live, headers=once)),
        ]
        async with asyncio.timeout(60):
            while len(waiting := await holder.fetch(WAITING)) < len(asked):
                await asyncio.sleep(0.02)
        for row in waiting:
            await holder.execute("select pg_terminate_backend($1)", row["pid"])
        answers = await asyncio.gather(*asked)
    await holder.close()
    for answer in answers:
        assert (answer.status, answer.code, bool(answer.body.get("data"))) == (503, "UNAVAILABLE", False)
        assert int(answer.headers["Retry-After"]) >= 1
    for _ in range(2):
        again = await service.ask(MAKE, key=service.live, headers=once)
        assert again.data["createApiKey"]["apiKey"]["name"] == "made once"
    assert await service.value("select count(*) from api_keys where name = 'made once'") == 1
    assert (await charged(service, "{ credits { remaining } }"))[0] == 1
    await agreed(service)


async def leave(service, body, seconds):
    """Ask, and hang up after so long, answered or not."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nX-API-Key: {service.live}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reader.readline()
    writer.transport.abort()


def served():
    """How many connections the service still has a task for."""
    names = (task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return sum(name.endswith("RequestHandler.start") for name in names)


async def gone(before):
    """Until the service is through with whoever left: what they sent is read in the loop's next turns."""
    for _ in range(20):
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while served() > before:
            await asyncio.sleep(0.01)


async def test_whoever_hangs_up_is_charged_whole_or_not_at_all(service):
    await service.connected("sim.twenty", key=service.live)
    text = "{ creators { nodes { id videos(first: 20) { nodes { id } } } } }"
    price, _ = await charged(service, text)
    assert price == 3
    await service.settled()
    rows = await service.value("select count(*) from usage_events")
    before, _ = await service.ledger()
    chance, body, connections = random.Random(3), json.dumps({"query": text}).encode(), served()
    assert connections > 0
    await asyncio.gather(*(leave(service, body, chance.uniform(0, 0.1)) for _ in range(LEAVERS)))
    await gone(connections)
    await service.settled()
    assert (await charged(service, text))[0] == price  # nobody is harmed
    await service.settled()
    async with service.database.read() as connection:
        told = await connection.fetch("select credits, code from usage_events order by at desc")
    new = [tuple(row) for row in told[: len(told) - rows]]
    assert set(new) == {(price, "OK")}
    assert 1 <= len(new) <= LEAVERS + 1
    assert before - (await service.ledger())[0] == price * len(new)
    await agreed(service)
