"""LISTEN/NOTIFY hints fanned out to whoever waits in this process. A hint says "look again", never what is true.

One connection listens for all. When it is lost every waiter is woken, and again when it is back, because
what was said in between is lost.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg
import structlog

from db.session import Connection, Database

SYNC = "creator_graph_sync"
"""Payload: the id of a sync that moved."""
CONNECT = "creator_graph_connect"
"""Payload: the hash of a connect's state, in hex."""
CREATOR = "creator_graph_creator"
"""Payload: `<account>:<live or test>:<creator>` of a creator that a sync changed; also by what stands before
the last colon, for who follows all of an account's."""

CREDITS = "creator_graph_credits"
"""Payload: the id of an account whose balance an operator changed."""

CHANNELS = (SYNC, CONNECT, CREATOR, CREDITS)
PROBE_SECONDS = 10.0
REST_SECONDS = 0.5

# pg_notify is sent with the transaction's commit: nobody is told of what was rolled back.
NOTIFY = "select pg_notify($1, $2)"

log = structlog.get_logger(__name__)


async def notify(connection: Connection, channel: str, payload: str) -> None:
    """Tell every listening process, when and if the transaction commits."""
    await connection.execute(NOTIFY, channel, payload)


class Hints:
    """What one waiter has not looked at yet."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._payloads: set[str] = set()
        self._missed = False

    def tell(self, payload: str | None) -> None:
        """None: something may have been missed."""
        if payload is None:
            self._missed = True
        else:
            self._payloads.add(payload)
        self._woken.set()

    async def wait(self, seconds: float) -> frozenset[str] | None:
        """Payloads since the last call; empty when hints may have been lost; None when time ran out.

        In both of the former cases: read again.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return None
        self._woken.clear()
        # Of several, the one thing to know is that some may be missing.
        heard = frozenset() if self._missed else frozenset(self._payloads)
        self._payloads, self._missed = set(), False
        return heard


class Events:
    """Listens on a connection of its own; `running()` keeps it alive."""

    def __init__(self, database: Database, channels: Sequence[str] = CHANNELS) -> None:
        self._database, self._channels = database, channels
        self._waiters: defaultdict[tuple[str, str | None], set[Hints]] = defaultdict(set)
        self._listening = asyncio.Event()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen while the block runs; a database that is away is no error, only no hints."""
        task = asyncio.create_task(self._run(), name="events")
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REST_SECONDS):
                    await self._listening.wait()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @contextlib.contextmanager
    def subscribe(self, channel: str, payload: str | None = None) -> Iterator[Hints]:
        """Hints of a channel, all or one payload's. Subscribe first, then read, then wait: nothing is missed."""
        hints, place = Hints(), (channel, payload)
        self._waiters[place].add(hints)
        try:
            yield hints
        finally:
            self._waiters[place].discard(hints)
            if not self._waiters[place]:
                del self._waiters[place]

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("events.lost", kind=type(error).__name__)
            self._listening.clear()
            self._wake_all()
            await asyncio.sleep(REST_SECONDS)

    async def _listen(self) -> None:
        connection = await self._database.connect(application_name="creator-graph events")
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            for channel in self._channels:
                await connection.add_listener(channel, self._heard)
            self._listening.set()
            self._wake_all()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_SECONDS):
                        await lost.wait()
                await connection.execute("select 1")  # a connection that died in silence tells no one
        finally:
            connection.terminate()

    def _heard(self, _connection: object, _pid: object, channel: str, payload: object) -> None:
        told = str(payload)
        for part in {told, told.rpartition(":")[0] or None, None}:
            for hints in self._waiters.get((channel, part), ()):
                hints.tell(told)

    def _wake_all(self) -> None:
        for waiting in self._waiters.values():
            for hints in waiting:
                hints.tell(None)
