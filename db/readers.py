"""Connections that only read, the last used first.

Our own, because asyncpg's pool costs more than the read itself: a timer and two proxies a lease, measured
at 43 µs of 69 (decision 6). Nothing on these connections can change, so nothing has to be reset.
"""

import asyncio
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


class Readers:
    """At most `most` connections; whoever finds none free waits, first come first served, `patience` seconds."""

    def __init__(
        self, address: str, *, most: int, patience: float, command_timeout: float, settings: Mapping[str, str]
    ):
        self._address, self._most, self._patience = address, most, patience
        self._command_timeout, self._settings = command_timeout, dict(settings)
        self._free: list[asyncpg.Connection] = []
        self._waiting: deque[tuple[float, asyncio.Future[asyncpg.Connection | None]]] = deque()
        """Until when, and who; the first gives up first."""
        self._timer: asyncio.TimerHandle | None = None
        self._open = 0
        self._closed = False

    def lease(self) -> "Lease":
        """`async with readers.lease() as connection`."""
        return Lease(self)

    async def take(self) -> asyncpg.Connection:
        """Raises TimeoutError when all are busy for too long, and what asyncpg raises when none can be opened."""
        if self._closed:
            raise asyncpg.InterfaceError("the database was closed")
        free = self.free()
        if free is not None:
            return free
        if self._open < self._most:
            return await self._opened()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[asyncpg.Connection | None] = loop.create_future()
        self._waiting.append((loop.time() + self._patience, future))
        if self._timer is None:
            self._timer = loop.call_later(self._patience, self._give_up)
        try:
            handed = await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and not future.exception():  # handed over just then
                self.give_back(future.result())
            raise
        return handed or await self.take()

    def free(self) -> asyncpg.Connection | None:
        """One that nobody uses, if there is one."""
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
            self._open -= 1
        return None

    def give_back(self, connection: asyncpg.Connection | None) -> None:
        """To who waits longest, else to the free ones. None, or a closed one: there is room for a new one."""
        if connection is None or connection.is_closed() or self._closed:
            if connection is not None:
                self._open -= 1
                connection.terminate()
            connection = None
        while self._waiting:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_result(connection)
                return
        if connection is not None:
            self._free.append(connection)

    async def close(self) -> None:
        """Close what is free now, and the rest as it comes back."""
        self._closed = True
        free, self._free = self._free, []
        for connection in free:
            await connection.close(timeout=self._patience)

    def _give_up(self) -> None:
        """Tell those whose patience is over. One timer for all: one each costs as much as a tenth of a read."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, future = self._waiting.popleft()
            if not future.done():
                future.set_exception(TimeoutError())
        left = self._waiting[0][0] - now if self._waiting else None
        self._timer = None if left is None else loop.call_later(left, self._give_up)

    async def _opened(self) -> asyncpg.Connection:
        self._open += 1
        try:
            return await self._connected()
        except BaseException:
            self._open -= 1
            self.give_back(None)
            raise

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
        connection = self._readers.free()  # most often, and without a coroutine more
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
