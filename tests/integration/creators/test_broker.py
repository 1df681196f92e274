"""Jobs through RabbitMQ: messages say where to look and rows what to do. Whoever dies, nothing is lost or doubled."""

import asyncio
import contextlib
import os
from datetime import timedelta

import aio_pika
import pytest
from pgqueuer.queries import Queries

from bench import killing, simulated
from services import broker, brokered, jobs
from services.vault import Vault
from simulators import people
from tests import ports, rabbit


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if rabbit.SERVER is None:
        pytest.skip("rabbitmq-server is not installed: apt-get install rabbitmq-server")
    found = rabbit.Cluster(tmp_path_factory.mktemp("rabbit"), 3)
    try:
        found.start()
        yield found
    finally:
        found.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(jobs, "DEQUEUE_TIMEOUT", timedelta(seconds=0.25))
    monkeypatch.setattr(brokered, "TAKE_SECONDS", 0.25)
    monkeypatch.setattr(broker, "RETRY_SECONDS", 0.25)


class Road:
    """The way to a node, which a test can close."""

    def __init__(self, port):
        self.to, self.server, self.tasks = port, None, set()

    async def open(self, port):
        self.server = await asyncio.start_server(self._carry, "127.0.0.1", port)
        self.port, self.url = port, f"amqp://guest:guest@127.0.0.1:{port}/"

    async def close(self):
        self.server.close()
        for task in [*self.tasks]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _carry(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        asyncio.current_task().add_done_callback(self.tasks.discard)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.to)
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        finally:
            writer.transport.abort()
            there_writer.transport.abort()

    async def _pump(self, reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


async def new_queues(url):
    """Empty ones, led by the node at this address."""
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    for lane in broker.LANES:
        await channel.queue_delete(lane)
    await connection.close()
    async with broker.Broker([url]).channel():
        pass


@pytest.fixture
async def road(cluster):
    """To a node whose queues are new."""
    await new_queues(cluster.urls[0])
    road = Road(cluster.ports[0])
    await road.open(ports.free())
    yield road
    await road.close()


@pytest.fixture
def looks(monkeypatch):
    """Rows that were found by looking. Silence never makes anybody look."""
    found, dequeue = [], Queries.dequeue

    async def looking(self, *args, **more):
        rows = await dequeue(self, *args, **more)
        found.extend(row.id for row in rows)
        return rows

    monkeypatch.setattr(Queries, "dequeue", looking)
    monkeypatch.setattr(brokered, "SILENCE_SECONDS", float("inf"))
    return found


@pytest.fixture
def blind(monkeypatch):
    """Nobody finds a row by looking: what runs came as a message."""

    async def nothing(self, *args, **more):
        return []

    monkeypatch.setattr(Queries, "dequeue", nothing)


@contextlib.asynccontextmanager
async def working(database, url, handler, concurrency=4, relays=True):
    """A worker with its relay, as `server.worker` puts them together; without a handler the relay alone."""
    stop, nodes = asyncio.Event(), broker.Broker([url])
    relay = jobs.Periodic("relay", timedelta(seconds=0.1), brokered.Relay(database, nodes).run)
    source = brokered.Source(nodes, concurrency) if handler else jobs.looking
    handlers, periodics = {"x": handler} if handler else {}, [relay] if relays else []
    worker = jobs.Worker(database, handlers, periodics, concurrency, source)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(90):
            await task


async def enqueue(database, *numbers, priority=jobs.LATER):
    async with database.write() as session:
        found = [(f"k:{number}", {"n": number}) for number in numbers]
        assert await jobs.enqueue_many(session, "x", found, priority=priority) == len(numbers)


async def until(condition, seconds=90):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def listeners(channel):
    queue = await channel.declare_queue(broker.SCHEDULED, passive=True)
    return queue.declaration_result.consumer_count


async def drained(url, database):
    """No row is left, and messages that are do nothing: the next worker makes them go."""

    async def never(payload):
        raise AssertionError

    async with database.read() as connection:
        assert await connection.fetchval(f"select count(*) from {jobs.TABLE}") == 0
    async with broker.Broker([url]).channel() as channel, asyncio.timeout(90):

        async def left():
            return sum([await broker.declare(channel, lane) for lane in broker.LANES])

        while await left():  # those that were given out come back when the worker ends
            async with working(database, url, never):
                while await left():
                    await asyncio.sleep(0.05)
                await asyncio.sleep(0.2)


async def test_jobs_come_as_messages_and_what_somebody_waits_for_stands_behind_nothing(database, road, blind):
    begun, free, again = [], asyncio.Event(), set()

    async def handler(payload):
        begun.append(payload["n"])
        if payload["n"] < 100:
            await free.wait()
        if payload["n"] % 2 and payload["n"] not in again:
            again.add(payload["n"])
            return timedelta(seconds=0.1)
        return None

    with pytest.raises(RuntimeError):
        async with database.write() as session:
            await jobs.enqueue(session, "x", {"n": 77}, "k:77")
            raise RuntimeError
    await enqueue(database, *range(30))
    async with working(database, road.url, handler):
        await until(lambda: len(begun) == 4)
        await enqueue(database, 100, 101, priority=jobs.SOON)
        await until(lambda: len(begun) == 7)
        assert sorted(begun[4:]) == [100, 101, 101]
        free.set()
        await until(lambda: len(begun) == 30 + 15 + 3)
    assert sorted(begun) == sorted([*range(30), 100, 101, *again])
    await drained(road.url, database)


async def test_messages_that_come_twice_late_or_of_nothing_change_nothing(database, road, blind):
    ran = []

    async def handler(payload):
        ran.append(payload["n"])
        await asyncio.sleep(0.05)

    await enqueue(database, *range(20))
    async with database.read() as connection:
        ids = [row["id"] for row in await connection.fetch(f"select id from {jobs.TABLE}")]
    async with broker.Broker([road.url]).channel() as channel:
        for lane in broker.LANES:
            await broker.publish(channel, lane, [*ids, *ids, 0, 2**62])
        await channel.default_exchange.publish(aio_pika.Message(b"no id"), broker.SCHEDULED)
    async with working(database, road.url, handler):
        await until(lambda: len(ran) == 20)
        async with broker.Broker([road.url]).channel() as channel:
            await broker.publish(channel, broker.AWAITED, ids)
        await enqueue(database, 20)
        await until(lambda: 20 in ran)
    assert sorted(ran) == [*range(21)]
    await drained(road.url, database)


async def test_lost_messages_are_told_again(database, road, blind, monkeypatch):
    ran = []

    async def handler(payload):
        ran.append(payload["n"])

    monkeypatch.setattr(brokered, "TOLD_AGAIN_AFTER", timedelta(seconds=0.5))
    nodes = broker.Broker([road.url])
    await enqueue(database, *range(20))
    async with working(database, road.url, None):
        async with nodes.channel() as channel:
            async with asyncio.timeout(90):
                while await broker.declare(channel, broker.SCHEDULED) < 20:
                    await asyncio.sleep(0.05)
            await channel.queue_delete(broker.SCHEDULED)
        async with working(database, road.url, handler, relays=False):
            await until(lambda: len(ran) == 20)
    assert sorted(ran) == [*range(20)]


async def test_workers_look_for_jobs_while_the_broker_is_away_and_listen_again(database, road, looks):
    ran = []

    async def handler(payload):
        ran.append(payload["n"])
        await asyncio.sleep(0.2)

    async with working(database, road.url, handler):
        await enqueue(database, *range(12))
        await until(lambda: len(ran) >= 4)
        await road.close()
        await enqueue(database, *range(12, 24))
        await until(lambda: len(ran) == 24)
        assert 0 < len(looks) <= 24
        await road.open(road.port)
        async with broker.Broker([road.url]).channel() as channel, asyncio.timeout(90):
            while not await listeners(channel):
                await asyncio.sleep(0.05)
        before = len(looks)
        await enqueue(database, *range(24, 48))
        await until(lambda: len(ran) == 48)
        assert len(looks) == before
    assert sorted(ran) == [*range(48)]


async def test_a_broker_that_is_there_and_mute_stops_nothing(database, road, monkeypatch):
    ran = []

    async def handler(payload):
        ran.append(payload["n"])

    monkeypatch.setattr(brokered, "SILENCE_SECONDS", 0.2)
    async with working(database, road.url, handler, relays=False):
        await asyncio.sleep(1)
        await enqueue(database, *range(50))
        await until(lambda: len(ran) == 50)
    assert sorted(ran) == [*range(50)]


@contextlib.asynccontextmanager
async def processes(begin, stage, address, key, urls, count):
    """Workers in processes of their own, all that still run killed at the end."""
    found = [await begin(address, stage.root, key, *urls) for _ in range(count)]
    try:
        yield found
    finally:
        for process in found:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def test_a_worker_and_the_node_that_leads_both_queues_killed_midway_cost_nothing(
    cluster, stage, address, begin
):
    """Of three nodes; sixty creators of three platforms. Last of all: the node stays dead."""
    key = os.urandom(32)
    stage.vault = Vault([key])
    cluster.wait(3)
    await new_queues(cluster.urls[0])
    names = [one.username for one in people.CREATORS if 0 < one.videos <= 150][:20]
    everyone = [
        killing.Creator(
            stage.whose((await stage.connect(name, platform=platform)).creator_id), platform, name
        )
        for name in names
        for platform in simulated.PLATFORMS
    ]
    for endpoint in ("video/list", "youtube/videos"):
        stage.fault(endpoint, "slow", times=10_000, delay=0.1)
    async with processes(begin, stage, address, key, cluster.urls, 2) as workers:
        await stage.until(
            "select 1 from syncs having count(*) filter (where status = 'SUCCEEDED') >= 5", seconds=180
        )
        workers[0].kill()
        cluster.kill(0)
        assert await stage.value("select count(*) from syncs where finished_at is null") > 0
        await stage.until("select 1 from syncs having bool_and(finished_at is not null)", seconds=180)
        await stage.until(f"select 1 where not exists (select from {jobs.TABLE})", seconds=90)
        async with broker.Broker(cluster.urls[1:]).channel() as channel:
            assert await listeners(channel)
    assert await stage.value("select count(*) from syncs") == len(everyone) == 60
    assert await killing.wrongs(stage.database, stage.vault, stage.platforms, everyone) == []
    await drained(cluster.urls[1], stage.database)
