"""Several processes count together, in PostgreSQL or Redis; with the store away each lets its share through."""

import asyncio
import contextlib
import functools
import time
import uuid
from collections import Counter
from datetime import UTC, datetime

import pytest

from services import callers, errors, events, postgres_limits, rate_limits, redis_limits, shared_limits
from tests import redis_server


def caller(key=60, account=300, **facts):
    return callers.Caller(**{
        "account_id": uuid.UUID(int=1), "account_name": "a", "key_id": uuid.UUID(int=2), "key_name": "k",
        "key_hint": "h", "livemode": True, "scopes": frozenset(), "allowed_ips": (), "owner": "SERVICE",
        "created_by": None, "expires_at": None, "revoked_at": None, "retiring": False, "retires_at": None,
        "own_requests_per_minute": None, "requests_per_minute": key, "account_requests_per_minute": account,
        "monthly_credits": None, "api_access": True, "max_websockets": 1, **facts,
    })  # fmt: skip


@pytest.fixture
def redis():
    yield from redis_server.running()


@pytest.fixture(params=["postgres", "redis"])
async def nodes(request, database):
    """Two processes' limits on one store."""
    if request.param == "redis":
        url = request.getfixturevalue("redis").url
        stores = [redis_limits.RedisStore(url) for _ in range(2)]
    else:
        stores = [postgres_limits.PostgresStore(database) for _ in range(2)]
    found = [shared_limits.SharedLimits(store, patience=20) for store in stores]
    yield found
    for one in found:
        await one.close()


async def passes(limits, who):
    """Whether one request passes; else how long to wait."""
    try:
        taken = limits.take(who, datetime.now(UTC))
        return taken if isinstance(taken, rate_limits.Allowance) else await taken
    except errors.RateLimited as refusal:
        return refusal


async def burst(nodes, who, many):
    answers = await asyncio.gather(*(passes(nodes[n % len(nodes)], who) for n in range(many)))
    return [one for one in answers if isinstance(one, rate_limits.Allowance)], [
        one for one in answers if isinstance(one, errors.RateLimited)
    ]


async def flood(nodes, who, seconds):
    """Ask without pause on all nodes; answers how many passed and how long it took."""
    started, passed = time.monotonic(), 0

    async def ask(limits):
        nonlocal passed
        while time.monotonic() - started < seconds:
            one = await passes(limits, who)
            passed += isinstance(one, rate_limits.Allowance)
            await asyncio.sleep(0)

    await asyncio.gather(*(ask(limits) for limits in nodes for _ in range(4)))
    return passed, time.monotonic() - started


async def test_n_at_once_pass_over_both_nodes_and_the_next_comes_when_told(nodes):
    who, started = caller(60, 0), time.monotonic()
    passed, refused = await burst(nodes, who, 90)
    back = time.monotonic() - started  # one a second
    assert 60 <= len(passed) <= 60 + back
    assert {one.remaining for one in passed} == set(range(60))
    assert {one.limit for one in passed} == {60}
    assert {one.extra["retryAfter"] for one in refused} <= {1}
    await asyncio.sleep(1)
    assert isinstance(await passes(nodes[0], who), rate_limits.Allowance)
    more, _ = await burst(nodes, who, 90)
    assert len(passed) + 1 + len(more) <= 60 + time.monotonic() - started


async def test_two_nodes_let_through_what_one_would(nodes):
    n = 600
    who, started = caller(n, 0), time.monotonic()
    passed, _ = await burst(nodes, who, n)
    more, _ = await flood(nodes, who, 0.5)
    total, seconds = len(passed) + more, time.monotonic() - started
    assert n <= total <= (n + n * seconds / 60) * 1.01


async def test_all_keys_of_an_account_share_and_a_refused_one_takes_from_neither(nodes):
    keys = [caller(10, 50, key_id=uuid.UUID(int=n)) for n in range(2, 12)]
    started = time.monotonic()
    answers = await asyncio.gather(*(passes(nodes[n % 2], key) for n in range(10) for key in keys))
    total, seconds = (
        sum(isinstance(one, rate_limits.Allowance) for one in answers),
        time.monotonic() - started,
    )
    assert 50 <= total <= 50 + 50 * seconds / 60, seconds
    other = caller(10, 0, key_id=keys[-1].key_id)  # its own bucket alone
    left = sum([isinstance(await passes(nodes[0], other), rate_limits.Allowance) for _ in range(12)])
    spent = sum(
        isinstance(one, rate_limits.Allowance)
        for one, key in zip(answers, keys * 10, strict=True)
        if key is keys[-1]
    )
    assert 10 - spent <= left <= 10 - spent + (time.monotonic() - started) / 6


async def test_worlds_and_accounts_are_counted_apart_and_zero_is_unlimited(nodes):
    counted = Counter()
    for who in (caller(2, 2), caller(2, 2, livemode=False), caller(2, 2, account_id=uuid.UUID(int=9))):
        passed, _ = await burst(nodes, who, 5)
        counted[len(passed)] += 1
    assert counted == {2: 3}
    passed, _ = await burst(nodes, caller(0, 0), 100)
    assert len(passed) == 100
    assert passed[0].headers() == {}


async def test_without_redis_each_node_goes_on_with_its_share_and_together_they_keep_the_limit(redis):
    stores = [redis_limits.RedisStore(redis.url) for _ in range(2)]
    nodes = [shared_limits.SharedLimits(store, away_seconds=0.3, patience=20) for store in stores]
    n, who = 600, caller(600, 0)
    for limits in (*nodes, *nodes):  # both have told Redis that they are here before either counts
        limits._counted_at = float("-inf")
        await passes(limits, caller(60, 0, account_id=uuid.UUID(int=8)))
    assert [limits.nodes for limits in nodes] == [2, 2]
    started = time.monotonic()
    passed, _ = await burst(nodes, who, 300)
    total = len(passed)
    assert total == 300
    for limits in nodes:  # each has seen what the other took: answers to a burst come in any order
        await passes(limits, who)
        total += 1
    redis.kill()
    spare, _ = await burst(nodes, who, 600)  # the burst's other half
    more, _ = await flood(nodes, who, 0.5)  # and what the time brings
    more += len(spare)
    total += more
    assert total <= (n + n * (time.monotonic() - started) / 60) * 1.01
    assert more >= 290
    redis.start()  # it has forgotten everything; the nodes have not
    await asyncio.sleep(0.4)
    after, _ = await flood(nodes, who, 0.5)
    total += after
    assert after > 0, [limits._away_until - time.monotonic() for limits in nodes]
    assert total <= (n + n * (time.monotonic() - started) / 60) * 1.01
    assert all(time.monotonic() > limits._away_until for limits in nodes)  # they count in Redis again
    for limits in nodes:
        await limits.close()


async def test_without_a_store_from_the_beginning_nobody_is_locked_out(database):
    limits = shared_limits.SharedLimits(redis_limits_away(), away_seconds=5)
    passed, refused = await burst([limits], caller(20, 0), 30)
    assert (len(passed), len(refused)) == (20, 10)
    await limits.close()


async def test_a_node_that_nobody_asks_anything_is_counted_all_the_same(redis, monkeypatch):
    monkeypatch.setattr(redis_limits, "NODE_SECONDS", 2)
    monkeypatch.setattr(shared_limits, "COUNT_NODES_SECONDS", 0.2)
    idle, busy = (shared_limits.SharedLimits(redis_limits.RedisStore(redis.url), patience=20) for _ in "12")
    counter = redis_limits.RedisStore(redis.url)
    async with idle.running(), busy.running():
        await asyncio.sleep(3)  # longer than one that says nothing is remembered
        await passes(busy, caller(60, 0))
        assert await counter.nodes() == 3
    for one in (idle, busy, counter):
        await one.close()


async def test_the_highest_count_of_late_holds(monkeypatch):
    limits = shared_limits.SharedLimits(redis_limits_away(), at_least=2)
    assert limits.nodes == 2
    for found, held in ((4, 4), (1, 4)):
        limits._count(found)
        assert limits.nodes == held
    for _ in range(shared_limits.COUNTS_KEPT):
        limits._count(1)
    assert limits.nodes == 2


async def test_processes_started_while_the_store_is_away_let_their_share_through_from_the_first_request(
    database,
):
    """Four listen to the database; each begins with a quarter."""
    listeners = [events.Events(database) for _ in range(4)]
    async with contextlib.AsyncExitStack() as stack:
        for each in listeners:
            await stack.enter_async_context(each.running())
        elsewhere = functools.partial(postgres_limits.listeners, database)
        nodes = [
            shared_limits.SharedLimits(redis_limits_away(), away_seconds=5, patience=20, elsewhere=elsewhere)
            for _ in listeners
        ]
        for limits in nodes:
            await stack.enter_async_context(limits.running())
        passed, _ = await burst(nodes, caller(20, 0), 80)
        assert len(passed) == 20


async def test_where_nobody_can_be_asked_the_processes_of_one_command_are_known(database):
    async def away():
        raise ConnectionRefusedError

    limits = shared_limits.SharedLimits(redis_limits_away(), away_seconds=5, at_least=4, elsewhere=away)
    async with limits.running():
        passed, _ = await burst([limits], caller(20, 0), 80)
    assert len(passed) == 5


async def test_a_store_that_comes_back_is_found_by_a_node_that_was_away(redis, monkeypatch):
    monkeypatch.setattr(shared_limits, "COUNT_NODES_SECONDS", 0.1)
    limits = shared_limits.SharedLimits(redis_limits.RedisStore(redis.url), away_seconds=0.1, patience=20)
    counter = redis_limits.RedisStore(redis.url)
    redis.kill()
    async with limits.running():
        assert limits._away_until > 0
        redis.start()
        async with asyncio.timeout(60):
            while await counter.nodes() != 2:
                await asyncio.sleep(0.05)
    for one in (limits, counter):
        await one.close()


def redis_limits_away():
    class Away:
        async def take(self, wishes):
            raise ConnectionRefusedError

        async def nodes(self):
            raise ConnectionRefusedError

        async def close(self):
            pass

    return Away()


async def test_buckets_that_are_full_again_are_swept(database):
    limits = shared_limits.SharedLimits(postgres_limits.PostgresStore(database), patience=20)
    await burst([limits], caller(6_000, 0), 3)
    await burst([limits], caller(1, 0, account_id=uuid.UUID(int=5)), 1)
    await asyncio.sleep(0.1)
    async with database.write() as session:
        await postgres_limits.forget_full(session, datetime.now(UTC))
    async with database.read() as connection:
        assert await connection.fetchval("select count(*) from rate_limits") == 1
    await limits.close()


async def test_a_node_that_lost_patience_while_it_connected_is_still_counted_once(database, monkeypatch):
    store, opened, connect = postgres_limits.PostgresStore(database), [], type(database).connect

    async def slow(connection, *_query, **_more):
        await asyncio.sleep(60)

    async def kept(*database, **settings):  # so that no garbage collector closes what was left open
        opened.append(await connect(*database, **settings))
        return opened[-1]

    monkeypatch.setattr(type(database), "connect", kept)
    with monkeypatch.context() as patch:
        patch.setattr("asyncpg.Connection.prepare", slow)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await store.nodes()
    assert [connection.is_closed() for connection in opened] == [True]
    async with asyncio.timeout(60):
        while await store.nodes() != 1:  # PostgreSQL takes a moment to see that one has gone
            await asyncio.sleep(0.02)
    await store.close()


async def test_nodes_are_counted_alike_however_their_clocks_go(redis, monkeypatch):
    stores = [redis_limits.RedisStore(redis.url) for _ in range(2)]
    counts = []
    for store, clock in zip(stores * 2, (1_000.0, 2_000.0) * 2, strict=True):
        monkeypatch.setattr("time.time", lambda clock=clock: clock)
        counts.append(await store.nodes())
    assert counts == [1, 2, 2, 2]
    for store in stores:
        await store.close()


async def test_a_node_that_is_gone_is_counted_no_more_after_a_while(redis, monkeypatch):
    monkeypatch.setattr(redis_limits, "NODE_SECONDS", 1)
    gone, here = (redis_limits.RedisStore(redis.url) for _ in range(2))
    assert await gone.nodes() == 1
    assert await here.nodes() == 2
    async with asyncio.timeout(60):
        while await here.nodes() != 1:
            await asyncio.sleep(0.1)
    for store in (gone, here):
        await store.close()
