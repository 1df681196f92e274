"""Two server processes on one database: never overspent, and killed at any moment nothing that was answered is lost."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from db.session import open_database
from services import accounts, credits

ROOT = Path(__file__).parents[2]
SMOKE = {"query": "{ credits { remaining } }"}
CLIENTS = 12
KILLS = 10


class Servers:
    """Processes that serve, by port; forked from one that has imported everything."""

    def __init__(self, parent):
        self.parent, self.pids = parent, {}

    async def start(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.parent.stdin.write(f"start {port}\n".encode())
        async with asyncio.timeout(30):
            while not (line := await self.parent.stdout.readline()).startswith(b"{"):
                assert line, "no server came up"
        value = json.loads(line)
        self.pids[value["graphql"]] = value["pid"]
        return value["graphql"]

    def kill(self, url):
        os.kill(self.pids.pop(url), signal.SIGKILL)


@pytest.fixture
async def database(address):
    found = await open_database(address)
    yield found
    await found.close()


@pytest.fixture
async def servers(address, tmp_path):
    bare = {name: value for name, value in os.environ.items() if not name.startswith("CREATOR_GRAPH_")}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.acceptance.forking", cwd=ROOT,
        env=bare | {"CREATOR_GRAPH_DATABASE_URL": address, "CREATOR_GRAPH_DATA_DIR": str(tmp_path / "data")},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    found = Servers(parent)
    try:
        yield found
    finally:
        for url in list(found.pids):
            with contextlib.suppress(ProcessLookupError):
                found.kill(url)
        parent.kill()
        await parent.communicate()


async def account(database, credits_a_month):
    async with database.write() as session:
        made = await accounts.create(session, "a", "pro", credits_a_month=credits_a_month)
        await accounts.update(session, made.id, requests_per_minute=0)
    return {"X-API-Key": made.live.secret}


async def books(database):
    """Remaining, charged by the ledger, used by the usage rows; the audit must be clean."""
    async with database.read() as connection:
        assert await credits.audit(connection) == []
        return tuple(
            await connection.fetchrow(
                "select (select granted - used from credit_balances),"
                " (select coalesce(-sum(amount), 0)::bigint from ledger where kind = 'charge'),"
                " (select coalesce(sum(credits), 0)::bigint from usage_events)"
            )
        )


async def test_a_thousand_at_once_on_two_processes_with_credits_for_three_hundred(servers, database):
    headers = await account(database, 300)
    urls = [await servers.start(), await servers.start()]

    async def ask(n):
        async with http.post(urls[n % 2], json=SMOKE, headers=headers) as answer:
            await answer.read()
            return answer.status, int(answer.headers["X-Credits-Charged"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=200)) as http:
        answers = await asyncio.gather(*(ask(n) for n in range(1_000)))
    assert Counter(answers) == {(200, 1): 300, (402, 0): 700}
    assert await books(database) == (0, 300, 300)


async def test_killed_ten_times_under_load_all_that_was_answered_is_charged_and_little_more(
    servers, database
):
    headers = await account(database, 1_000_000)
    urls = [await servers.start(), await servers.start()]
    acknowledged = broken = 0
    over = asyncio.Event()

    async def client(place):
        nonlocal acknowledged, broken
        while not over.is_set():
            try:
                async with http.post(urls[place], json=SMOKE, headers=headers) as answer:
                    body = await answer.json()
                assert answer.status == 200, body
                acknowledged += body["extensions"]["credits"]["charged"]
            except aiohttp.ClientError:
                broken += 1
                await asyncio.sleep(0.01)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = [asyncio.create_task(client(n % 2)) for n in range(CLIENTS)]
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.05, 0.3))
            place = random.randrange(2)
            spare = await servers.start()
            servers.kill(urls[place])
            urls[place] = spare
        over.set()
        await asyncio.gather(*clients)
    remaining, charged, used = await books(database)
    assert remaining == 1_000_000 - charged
    assert charged == used
    assert acknowledged > 10 * KILLS
    assert acknowledged <= charged <= acknowledged + KILLS * CLIENTS // 2
    assert charged - acknowledged <= broken
