"""Two server processes count together over HTTP, in Redis and in PostgreSQL; without Redis each lets its share through."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import aiohttp
import pytest

from services import accounts, api_keys, shared_limits
from tests.acceptance import patience

VIEWER = {"query": "{ viewer { mode } }"}
TOLD = ("X-RateLimit-Limit", "RateLimit-Policy")
N = 300
KEY_N = 20
CLIENTS = 3


@dataclass
class Nodes:
    """Two processes, and what they let through for one key of a known rate."""

    urls: list[str]
    http: aiohttp.ClientSession
    account: accounts.NewAccount
    database: object
    passed: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def most(self):
        """What the key may have had by now: N at once, one every 60/N seconds, and 1 % more."""
        return (N + N * (time.monotonic() - self.started) / 60) * 1.01

    async def ask(self, place, secret=None):
        """The answer's headers where it passed, None where it was refused."""
        headers = {"X-API-Key": secret or self.account.live.secret}
        async with self.http.post(self.urls[place], json=VIEWER, headers=headers) as answer:
            body = await answer.json()
        assert answer.status in {200, 429}, body
        if answer.status == 429:
            assert int(answer.headers["Retry-After"]) >= 1
            return None
        self.passed += secret is None
        return answer.headers

    async def burst(self, many, places=(0, 1), secret=None):
        """How many of so many at once passed."""
        work = (self.ask(places[n % len(places)], secret) for n in range(many))
        return sum(headers is not None for headers in await asyncio.gather(*work))

    async def flood(self, seconds):
        end = time.monotonic() + seconds

        async def client(place):
            while time.monotonic() < end:
                await self.ask(place)
                await asyncio.sleep(0.005)

        before = self.passed
        await asyncio.gather(*(client(n % 2) for n in range(2 * CLIENTS)))
        return self.passed - before

    async def new_key(self):
        """A key that nobody has counted yet, KEY_N a minute."""
        async with self.database.write() as session:
            terms = {"name": "new", "mode": "LIVE", "requests_per_minute": KEY_N}
            return (await api_keys.create(session, self.account.id, **terms)).secret


@pytest.fixture
async def nodes(servers, database):
    """Starts two processes with the same settings."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(**settings):
            async with database.write() as session:
                account = await accounts.create(session, "a", "pro")
                await accounts.update(session, account.id, requests_per_minute=N)
            urls = [await servers.start(**settings) for _ in range(2)]
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Nodes(urls, http, account, database)

        yield start


@pytest.mark.parametrize("store", ["postgres", "redis"])
async def test_two_processes_let_through_what_one_would_and_tell_the_same(nodes, store, request):
    settings = {"redis_url": request.getfixturevalue("redis").url} if store == "redis" else {}
    both = await nodes(rate_limits="postgres", **settings)
    answers = [await both.ask(n % 2) for n in range(6)]
    assert {tuple(answer[name] for name in TOLD) for answer in answers} == {
        (str(N), f'"key";q={N};w=60, "account";q={5 * N};w=60')
    }
    for number, answer in enumerate(answers, start=1):  # each counts what the other let through
        back = (time.monotonic() - both.started) * N / 60
        assert N - number <= int(answer["X-RateLimit-Remaining"]) <= N - number + back
    resets = [int(answer["X-RateLimit-Reset"]) for answer in answers]
    assert resets == sorted(resets)
    assert await both.burst(N + 60) >= N - len(answers)
    assert await both.flood(0.7) > 0
    assert N <= both.passed <= both.most


async def shared_by_both(both):
    """Whether the second process refuses a new key that has spent all at the first."""
    key, began = await both.new_key(), time.monotonic()
    first = await both.burst(2 * KEY_N, [0], key)
    second = await both.burst(KEY_N, [1], key)
    assert first >= KEY_N
    return first + second <= KEY_N + back_by_now(began)


def back_by_now(began):
    """How many of a key's requests came back meanwhile: one every 3 seconds."""
    return 1 + (time.monotonic() - began) * KEY_N / 60


async def test_without_redis_each_process_lets_its_share_through_and_counts_with_the_other_again_after_it(
    nodes, redis
):
    both = await nodes(redis_url=redis.url)
    await both.ask(0)
    await both.ask(1)
    assert await shared_by_both(both)
    await both.burst(N)
    await asyncio.sleep(patience.COUNT_NODES_SECONDS)
    await both.flood(0.2)  # they count anew who is there

    redis.kill()
    alone, began = await both.new_key(), time.monotonic()
    for place in (0, 1):
        passed = await both.burst(2 * KEY_N, [place], alone)
        assert KEY_N // 2 <= passed <= KEY_N // 2 + back_by_now(began)
    assert await both.flood(0.8) > 0
    assert both.passed <= both.most

    redis.start()  # it has forgotten everything
    await asyncio.sleep(shared_limits.AWAY_SECONDS)
    await both.flood(0.2)
    assert await shared_by_both(both)
    assert N <= both.passed <= both.most
