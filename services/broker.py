"""A message broker (RabbitMQ) between many workers: it carries the ids of jobs, and nothing depends on it.

Two quorum queues: jobs behind which somebody waits, and the others. A message says no more than "look at this
row"; one that comes twice, late or never changes nothing (`services.brokered`).
"""

import asyncio
import contextlib
import functools
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import structlog
from aio_pika import abc
from aio_pika.exceptions import CONNECTION_EXCEPTIONS

AWAITED, SCHEDULED = "creator-graph.awaited", "creator-graph.scheduled"
LANES = (AWAITED, SCHEDULED)

CONNECT_SECONDS = 5.0
CONFIRM_SECONDS = 5.0
CLOSE_SECONDS = 2.0
RETRY_SECONDS = 1.0
HEARTBEAT_SECONDS = 10
MOST = 2**63
"""Ids are PostgreSQL's bigints."""

AWAY = CONNECTION_EXCEPTIONS
"""What it looks like when the broker is away, whatever was asked of it. Time running out is an OSError."""

log = structlog.get_logger(__name__)


@dataclass
class Broker:
    """The nodes of one cluster, tried in turn. Their addresses hold passwords: none is ever shown."""

    addresses: Sequence[str] = field(repr=False)
    _turns: Iterator[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Workers begin at different nodes."""
        shuffled = random.sample(self.addresses, len(self.addresses))
        self._turns = itertools.cycle(shuffled)

    @contextlib.asynccontextmanager
    async def channel(self) -> AsyncIterator[abc.AbstractChannel]:
        """A channel with confirms, both queues declared; raises one of AWAY where no node answers."""
        connection = await self._connect()
        try:
            channel = await connection.channel(on_return_raises=True)
            for lane in LANES:
                await declare(channel, lane)
            yield channel
        finally:
            with contextlib.suppress(*AWAY):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await connection.close()

    async def _connect(self) -> abc.AbstractConnection:
        # Not the library's `connect_robust`: it hides a loss, and while one lasts rows are looked for instead.
        trouble: BaseException = ConnectionError()
        for address in itertools.islice(self._turns, len(self.addresses)):
            try:
                return await aio_pika.connect(
                    address,
                    timeout=CONNECT_SECONDS,
                    heartbeat=HEARTBEAT_SECONDS,
                    client_properties={"connection_name": "creator-graph"},
                )
            except AWAY as error:
                trouble = error
        raise trouble


async def declare(channel: abc.AbstractChannel, lane: str) -> int:
    """Make the queue where there is none; answers how many messages wait in it."""
    queue = await channel.declare_queue(
        lane, durable=True, arguments={"x-queue-type": "quorum"}, timeout=CONFIRM_SECONDS
    )
    return queue.declaration_result.message_count or 0


async def publish(channel: abc.AbstractChannel, lane: str, ids: Iterable[int]) -> None:
    """Returns when a majority of the queue's nodes has them on disk; raises one of AWAY when that is not sure."""
    persistent = aio_pika.DeliveryMode.PERSISTENT
    messages = [aio_pika.Message(str(job).encode(), delivery_mode=persistent) for job in ids]
    exchange = channel.default_exchange
    await asyncio.gather(*(exchange.publish(one, lane, timeout=CONFIRM_SECONDS) for one in messages))


async def apart(work: Coroutine[Any, Any, None]) -> None:
    """Await what uses the library in a task of its own: the library's now and then swallow a cancellation,
    or invent one.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
        if task.cancelled():
            raise ConnectionError
        task.result()
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=CLOSE_SECONDS)


@dataclass
class Inbox:
    """The ids one worker was given and has not finished: never more than `prefetch` of a queue."""

    broker: Broker
    prefetch: int
    is_open: bool = field(init=False, default=False)
    _held: dict[int, abc.AbstractIncomingMessage] = field(init=False, default_factory=dict)
    _waiting: dict[str, deque[int]] = field(init=False)
    _finished: asyncio.Queue[abc.AbstractIncomingMessage] = field(init=False, default_factory=asyncio.Queue)
    _news: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Nothing has come yet."""
        self._waiting = {lane: deque() for lane in LANES}

    async def take(self, most: int, seconds: float) -> list[int]:
        """Ids that came, those first behind which somebody waits; none when time is over or the broker lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        taken: list[int] = []
        for lane in LANES:
            while self._waiting[lane] and len(taken) < most:
                taken.append(self._waiting[lane].popleft())
        if not any(self._waiting.values()):
            self._news.clear()
        return taken

    def done(self, ids: Iterable[int]) -> None:
        """The broker may forget these. If it does not hear of it they come again, and the rows know better."""
        for job in ids:
            if job in self._held:
                self._finished.put_nowait(self._held.pop(job))

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until told to stop; whenever the broker is lost, from another of its nodes."""
        said = ""
        while not stop.is_set():
            trouble = ""
            try:
                await apart(self._receive(stop))
            except Exception as error:  # noqa: BLE001 -- whatever it was, the next connection may work
                trouble = type(error).__name__
            self._forget()
            if trouble != said:
                log.warning("broker.away", kind=trouble)
            said = trouble
            await _first(RETRY_SECONDS, stop)

    async def _receive(self, stop: asyncio.Event) -> None:
        """Until the broker is lost or we stop: then what was not acknowledged goes to others."""
        lost = asyncio.Event()
        async with self.broker.channel() as channel:
            channel.close_callbacks.add(lambda *_: lost.set())
            # A queue that was deleted ends its consumers and nothing else.
            below = await channel.get_underlay_channel()
            below.on_consumer_cancel_callbacks.add(lambda _: lost.set())
            await channel.set_qos(prefetch_count=self.prefetch)
            for lane in LANES:
                queue = await channel.get_queue(lane)
                await queue.consume(functools.partial(self._received, lane))
            self.is_open = True
            log.info("broker.found")
            acknowledging = asyncio.create_task(self._acknowledge())
            acknowledging.add_done_callback(lambda _: lost.set())
            await _first(None, lost, stop)
            acknowledging.cancel()

    async def _received(self, lane: str, message: abc.AbstractIncomingMessage) -> None:
        job = int(message.body) if message.body.isdigit() else 0
        if not 0 < job < MOST or job in self._held:  # not ours, or said twice
            self._finished.put_nowait(message)
            return
        self._held[job] = message
        self._waiting[lane].append(job)
        self._news.set()

    async def _acknowledge(self) -> None:
        """Beside the work: no job waits for the broker."""
        while True:
            message = await self._finished.get()
            await message.ack()

    def _forget(self) -> None:
        """The broker gives what was not acknowledged to others; who waits for news looks at the rows."""
        self.is_open = False
        self._held.clear()
        self._finished = asyncio.Queue()
        for waiting in self._waiting.values():
            waiting.clear()
        self._news.set()


@contextlib.asynccontextmanager
async def receiving(broker: Broker, prefetch: int, stop: asyncio.Event) -> AsyncIterator[Inbox]:
    """An inbox that receives while the block runs, but for what comes after `stop`."""
    inbox, over = Inbox(broker, prefetch), asyncio.Event()
    stopping = asyncio.create_task(_pass_on(stop, over))
    task = asyncio.create_task(inbox.run(over))
    try:
        yield inbox
    finally:
        over.set()
        await asyncio.wait({task}, timeout=CLOSE_SECONDS)
        for one in (stopping, task):
            one.cancel()


async def _pass_on(heard: asyncio.Event, told: asyncio.Event) -> None:
    await heard.wait()
    told.set()


async def _first(seconds: float | None, *events: asyncio.Event) -> None:
    """Wait until one of them is set, or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
