"""HTTP as browsers and impatient clients need it: origins, shorter answers, hang-ups."""

import asyncio
import contextlib
import json
import signal

import pytest

from db.readers import Lease
from server import encoding
from services import credits
from tests import ports

PAGE = "https://app.example"
VIEWER = "{ viewer { mode } }"
WIDE = "{ videos(first: 100) { nodes { id title description url views likes comments shares } } }"


@pytest.fixture
async def cors(serving):
    return await serving(cors_origins=(PAGE, "http://localhost:5173"))


async def test_pages_of_the_named_origins_may_ask_and_no_others(cors):
    headers = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    for origin, known in (
        (PAGE, True),
        ("http://localhost:5173", True),
        ("https://evil.example", False),
        ("null", False),
    ):
        asked = await cors.send("OPTIONS", headers=headers | {"Origin": origin})
        assert (asked.status, asked.headers.get("Access-Control-Allow-Origin")) == (
            204,
            origin if known else None,
        )
        assert ("X-API-Key" in asked.headers.get("Access-Control-Allow-Headers", "")) == known
        for body in ({"query": VIEWER}, {"query": "{"}):
            answer = await cors.send(json=body, headers={"Origin": origin, "X-API-Key": cors.test})
            assert answer.headers.get("Access-Control-Allow-Origin") == (origin if known else None)
            assert "Origin" in answer.headers["Vary"]
        refused = await cors.send(json={"query": VIEWER}, headers={"Origin": origin})
        assert (refused.status, refused.headers.get("Access-Control-Allow-Origin")) == (
            401,
            origin if known else None,
        )
        assert not any("Credentials" in name for name in (*asked.headers, *answer.headers))
    given = {"Origin": PAGE, "X-API-Key": cors.test, "Accept": "text/event-stream"}
    streamed = await cors.send(json={"query": VIEWER}, headers=given)
    assert streamed.headers["Access-Control-Allow-Origin"] == PAGE


async def test_what_may_be_kept_is_kept_for_each_origin_apart(cors):
    for origin in (PAGE, "https://stranger.example"):
        for path in ("/.well-known/jwks.json", "/healthz", "/nowhere"):
            answer = await cors.send("GET", path, headers={"Origin": origin})
            assert "Origin" in answer.headers["Vary"], path
        given = {"Origin": origin, "X-API-Key": cors.test, "Accept": "text/event-stream"}
        assert "Origin" in (await cors.send(json={"query": VIEWER}, headers=given)).headers["Vary"]


async def test_a_page_may_send_what_apollos_client_adds_by_itself(cors):
    """With a name given to it, or one of its links, every request bears them; a browser asks for them all first."""
    wanted = [
        f"apollographql-{whose}-{what}" for whose in ("client", "library") for what in ("name", "version")
    ]
    wanted.append("apollo-require-preflight")
    headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    asked = await cors.send("OPTIONS", headers=headers | {"Access-Control-Request-Headers": ",".join(wanted)})
    allowed = asked.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert not set(wanted) - set(allowed)


async def test_without_the_setting_no_page_is_named(service):
    answer = await service.ask(VIEWER, headers={"Origin": PAGE})
    assert not any(name.startswith("Access-Control") for name in answer.headers)


async def test_long_answers_are_shortened_for_who_can_read_that(service, monkeypatch):
    await service.connected("sim.twenty")
    plain = await service.ask(WIDE, headers={"Accept-Encoding": "identity"})
    assert (len(plain.raw) > 1024, "Content-Encoding" in plain.headers) == (True, False)
    for accepted, expected in (
        ("gzip", "gzip"), ("x-gzip", "gzip"), ("br", "br"), ("BR;Q=0.1", "br"), ("*", "br"), ("gzip, br", "br"),
        ("gzip, deflate, br, zstd", "br"), ("br;q=0.5, gzip;q=0.8", "gzip"), ("br;q=0, *", "gzip"), ("br; q=0.001", "br"),
        ("identity, br", "br"), ("identity, br;q=0.9", None), ("identity;q=0, gzip;q=0.1", "gzip"),
        ("gzip;q=0", None), ("gzip;q=0.0", None), ("br;q=0, gzip;q=0.000", None), ("*;q=0", None), ("deflate", None),
        ("br;q=x", None), ("br;q=", None), ("", None), (",;,=", None), ("gzip;level=9", "gzip"),
    ):  # fmt: skip
        answer = await service.ask(WIDE, headers={"Accept-Encoding": accepted})
        assert answer.headers.get("Content-Encoding") == expected, accepted
        assert answer.data == plain.data
        assert "Accept-Encoding" in answer.headers["Vary"]
        if expected:
            assert int(answer.headers["Content-Length"]) < len(plain.raw) / 2
    monkeypatch.setattr(encoding, "MOST_ON_THE_LOOP", 0)  # what is long is shortened by a thread, alike
    for accepted in ("gzip", "br"):
        apart = await service.ask(WIDE, headers={"Accept-Encoding": accepted})
        assert (apart.headers["Content-Encoding"], apart.data) == (accepted, plain.data)
        short = await service.ask(VIEWER, headers={"Accept-Encoding": accepted})
        assert "Content-Encoding" not in short.headers


# -- clients that leave


async def hang_up(service, query, key, wait):
    """Send an operation and close the connection while it is worked on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    body = json.dumps({"query": query}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()
    async with asyncio.timeout(60):
        await wait()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    del reader


async def test_a_read_ends_with_its_client_and_costs_nothing(service, monkeypatch):
    reached, ended = asyncio.Event(), asyncio.Event()
    original = Lease.__aenter__

    async def slow(self):
        connection = await original(self)
        reached.set()
        assert service.house.services.cashier._under_way == 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
            await self.__aexit__(asyncio.CancelledError, None, None)
            raise
        return connection

    await service.ask("{ creators { nodes { id } } }", key=service.live)
    before, _ = await service.ledger()
    with monkeypatch.context() as slowly:
        slowly.setattr(Lease, "__aenter__", slow)
        await hang_up(service, "{ creators { nodes { id } } }", service.live, reached.wait)
        async with asyncio.timeout(60):
            await ended.wait()
    await service.settled()
    assert (await service.ledger())[0] == before
    assert service.house.services.cashier._under_way == 0


async def test_a_mutation_runs_to_its_end_without_its_client(service, monkeypatch):
    reached, go = asyncio.Event(), asyncio.Event()
    original = credits.charge

    async def slow(session, usage):
        reached.set()
        await go.wait()
        return await original(session, usage)

    monkeypatch.setattr(credits, "charge", slow)
    await hang_up(
        service,
        "mutation { connectCreator(input: {platform: TIKTOK}) { state } }",
        service.live,
        reached.wait,
    )
    await asyncio.sleep(0.05)
    assert service.house.services.cashier._under_way == 0  # nobody's read waits for it to settle
    before, _ = await service.ledger()
    go.set()
    async with asyncio.timeout(60):
        while not await service.value("select count(*) from oauth_states"):
            await asyncio.sleep(0.02)
    assert before - (await service.ledger())[0] == 1


# -- the end of a process


async def test_a_process_told_to_stop_ends_whoever_is_connected(service, shell, tmp_path):
    process = await shell.begin(
        "command", "serve", "--json", out=tmp_path / "out", database_url=service.address, port=ports.free(),
        data_dir=tmp_path / "data", simulator_url=f"{service.url}/simulators",
    )  # fmt: skip
    try:
        url = (await process.value())["graphql"]
        key = {"X-API-Key": service.test}
        follow = "subscription { creatorUpdated { id } }"
        async with (
            service.http.ws_connect(url, protocols=["graphql-transport-ws"], headers=key) as ws,
            service.http.post(
                url, json={"query": follow}, headers=key | {"Accept": "text/event-stream"}
            ) as events,
            service.http.post(url, json={"query": VIEWER}, headers=key) as answer,
        ):
            await answer.read()
            await ws.send_json({"type": "connection_init"})
            assert (await ws.receive_json())["type"] == "connection_ack"
            await ws.send_json({"type": "subscribe", "id": "1", "payload": {"query": follow}})
            process.send_signal(signal.SIGTERM)
            assert (await ws.receive()).data == 1001
            assert b"complete" not in await events.read()
            async with service.http.post(url, json={"query": VIEWER}, headers=key) as last:
                assert (last.status, last.headers["Connection"]) == (200, "close")
            async with asyncio.timeout(60):
                assert await process.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    assert await service.value("select count(*) from open_sockets") == 0
