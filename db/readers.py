"""Connections that only read, the last used first.

Our own, because asyncpg's pool costs more than the read itself: a timer and two proxies a lease, measured
at 43 µs of 69 (decision 6). Nothing on these connections can change, so nothing has to be reset.
Few of them are used at a time: the fewer take turns on a core, the more each finds in its caches (decision 26).
"""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType

import asyncpg

# After these a connection may still be busy with what nobody waits for, or gone.
BROKEN = (
    asyncio.CancelledError,
    TimeoutError,
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
)

# Kept prepared on a connection: each holds 26 KB in PostgreSQL and 10 KB here.
STATEMENTS = 256
# What lists are made of. asyncpg asks the database of each array type once a connection, 9 ms each time: so it asks once.
LISTS = "select null::text[], null::int8[], null::bool[], null::float8[], null::uuid[], null::json[]"


# So many at a time keep PostgreSQL busier than one process can ask for what is quick.
QUICK = 4
# Who takes longer is not quick, and no longer counted: a long read must not keep short ones waiting.
SLOW_SECONDS = 0.02


class Readers:
    """At most `most` connections, `quick` of them for what is quick; whoever finds no room waits, first come first served.

    `patience`: for so many seconds at most.
    """

    def __init__(
        self,
        address: str,
        *,
        most: int,
        patience: float,
        command_timeout: float,
        settings: Mapping[str, str],
        quick: int = QUICK,
    ):
        self._address, self._patience = address, patience
        self._most, self._quick = most, min(quick, most)
        self._command_timeout, self._settings = command_timeout, dict(settings)
        self._free: list[asyncpg.Connection] = []
        self._leased: dict[asyncpg.Connection, float] = {}
        """Since when, the longest first."""
        self._waiting: deque[tuple[float, asyncio.Future[asyncpg.Connection | None]]] = deque()
        """Until when, and who; the first gives up first. Told None, one opens a connection of its own."""
        self._timer: asyncio.TimerHandle | None = None
        self._open = 0
        self._closed = False

    @property
    def queued(self) -> bool:
        """Whether anyone waits for a connection."""
        return bool(self._waiting)

    def lease(self) -> "Lease":
        """`async with readers.lease() as connection`."""
        return Lease(self)

    def at_once(self) -> asyncpg.Connection | None:
        """One that nobody uses, where there is one and nobody waits for it."""
        return None if self._waiting or not self._has_room() else self._taken()

    async def take(self) -> asyncpg.Connection:
        """Raises TimeoutError when all are busy for too long, and what asyncpg raises when none can be opened."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[asyncpg.Connection | None] = loop.create_future()
        self._waiting.append((loop.time() + self._patience, future))
        self._serve()
        if self._waiting and self._timer is None:
            self._timer = loop.call_later(SLOW_SECONDS, self._look)
        try:
            handed = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():  # handed over just then
                self.give_back(future.result())
            raise
        return handed or await self._opened()

    def give_back(self, connection: asyncpg.Connection | None) -> None:
        """To be used by the next. None, or a closed one: there is room for a new one."""
        if connection is not None:
            del self._leased[connection]
        if connection is None or connection.is_closed() or self._closed:
            self._open -= 1
            if connection is not None:
                connection.terminate()
        else:
            self._free.append(connection)
        self._serve()

    async def close(self) -> None:
        """Close what is free now, and the rest as it comes back."""
        self._closed = True
        free, self._free = self._free, []
        self._open -= len(free)
        for connection in free:
            await connection.close(timeout=self._patience)

    def _has_room(self) -> bool:
        used = self._open - len(self._free)
        return used < self._quick or used < min(self._most, self._quick + self._slow())

    def _slow(self) -> int:
        """How many are at work for longer than what is quick."""
        before = time.monotonic() - SLOW_SECONDS
        return sum(1 for _ in itertools.takewhile(before.__gt__, self._leased.values()))

    def _taken(self) -> asyncpg.Connection | None:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                self._leased[connection] = time.monotonic()
                return connection
            self._open -= 1
        return None

    def _serve(self) -> None:
        """Those who wait longest, as far as there is room."""
        while self._waiting and self._has_room():
            _, future = self._waiting.popleft()
            if not future.done():
                connection = self._taken()
                self._open += connection is None  # its place is kept until it is there
                future.set_result(connection)

    def _look(self) -> None:
        """Tell those whose patience is over; serve others, where those at work turned out slow.

        One timer for all: one each costs as much as a tenth of a read.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        self._serve()
        self._timer = loop.call_later(SLOW_SECONDS, self._look) if self._waiting else None

    async def _opened(self) -> asyncpg.Connection:
        try:
            if self._closed:
                raise asyncpg.InterfaceError("the database was closed")
            connection = await self._connected()
        except BaseException:
            self.give_back(None)
            raise
        self._leased[connection] = time.monotonic()
        return connection

    async def _connected(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(
            self._address,
            timeout=self._patience,
            command_timeout=self._command_timeout,
            statement_cache_size=STATEMENTS,
            max_cached_statement_lifetime=0,
            max_cacheable_statement_size=0,
            server_settings=self._settings,
        )
        try:
            await connection.prepare(LISTS)
        except BaseException:
            connection.terminate()
            raise
        return connection


class Lease:
    """One connection for the length of a block."""

    __slots__ = ("_connection", "_readers")

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._connection: asyncpg.Connection | None = None

    async def __aenter__(self) -> asyncpg.Connection:
        connection = self._readers.at_once()  # most often, and without a coroutine more
        self._connection = connection = connection or await self._readers.take()
        return connection

    async def __aexit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        connection = self._connection
        assert connection is not None
        if kind is not None and issubclass(kind, BROKEN):
            connection.terminate()
        self._readers.give_back(connection)
