"""Two server processes on one database: never overspent, and killed at any moment nothing that was answered is lost."""

import asyncio
import random
from collections import Counter

import aiohttp

from services import accounts, credits

SMOKE = {"query": "{ credits { remaining } }"}
CLIENTS = 12
KILLS = 10


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
    *spares, first, second = await asyncio.gather(*(servers.start() for _ in range(2 + KILLS)))
    urls = [first, second]
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
            goal = acknowledged + 11
            await asyncio.sleep(random.uniform(0.05, 0.3))
            while acknowledged < goal:
                await asyncio.sleep(0.01)
            place = random.randrange(2)
            servers.kill(urls[place])
            urls[place] = spares.pop()
        over.set()
        await asyncio.gather(*clients)
    remaining, charged, used = await books(database)
    assert remaining == 1_000_000 - charged
    assert charged == used
    assert acknowledged > 10 * KILLS
    assert acknowledged <= charged <= acknowledged + KILLS * CLIENTS // 2
    assert charged - acknowledged <= broken
