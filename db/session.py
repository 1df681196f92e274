"""The database as two doors: `read()` cannot write, `write()` is one transaction that commits at its end."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from db.backends import Way
from db.gathered import Gathered
from db.readers import Lease, Readers

Connection = asyncpg.Connection

STATEMENT_SECONDS = 5
LOCK_SECONDS = 3
POOL_SECONDS = 3
COMMITTED = "when committed"

# Generic plans: a parameterised LIMIT keeps PostgreSQL re-planning for ever; JIT costs more than it saves here.
READER_SETTINGS = {
    "application_name": "creator-graph read",
    "default_transaction_read_only": "on",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    # Instants leave as PostgreSQL writes them.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
}
WRITER_SETTINGS = {
    "application_name": "creator-graph write",
    "jit": "off",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
}


@dataclass(frozen=True)
class Database:
    """Readers, and an engine that writes, on one address."""

    address: str
    readers: Readers
    engine: AsyncEngine
    gathered: Gathered
    way: Way | None = None

    def read(self) -> Lease:
        """A connection on which nothing can be written: `async with database.read() as connection`."""
        return self.readers.lease()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
        """One statement on a connection on which nothing can be written."""
        async with self.readers.lease() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
            return rows

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            async with session.begin():
                # A first statement, so that BEGIN is sent before anyone uses the raw connection (see raw()).
                await session.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
                yield session
            for told in session.info.get(COMMITTED, ()):
                told()

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """A connection of one's own, outside the pools: for the cashier, listeners and workers."""
        connection: asyncpg.Connection = await asyncpg.connect(
            self.address,
            command_timeout=STATEMENT_SECONDS,
            server_settings={**WRITER_SETTINGS, **settings},
        )
        if self.way:
            self.way.send(connection.get_server_pid())
        return connection

    async def close(self) -> None:
        await self.readers.close()
        await self.engine.dispose()


def when_committed(session: AsyncSession, told: Callable[[], None]) -> None:
    """Call it once this transaction of `Database.write` has committed; never, where it does not."""
    session.info.setdefault(COMMITTED, []).append(told)


async def raw(session: AsyncSession) -> Connection:
    """The asyncpg connection inside a session's transaction: what it runs commits with the session."""
    connection: Any = await (await session.connection()).get_raw_connection()
    driver: asyncpg.Connection = connection.driver_connection
    return driver


def _as_text(json: str) -> str:
    return json


async def open_database(
    address: str,
    *,
    readers: int = 8,
    writers: int = 8,
    patience: float = POOL_SECONDS,
    ping: bool = True,
    way: Way | None = None,
) -> Database:
    """Connect; raises what asyncpg raises when the address is wrong or the server away.

    `patience`: how long one waits for a free connection. `ping`: whether a writer's connection is tried before it
    is used, three round trips; who comes again by itself when one was lost does without. `way`: how far PostgreSQL
    gives way to others while it writes for us, where it is on this machine.
    """
    reading = Readers(
        address,
        most=readers,
        patience=patience,
        command_timeout=STATEMENT_SECONDS,
        settings=READER_SETTINGS,
    )
    async with reading.lease() as connection:  # fail now, not at the first request
        await connection.execute("select 1")
    engine = create_async_engine(
        make_url(address).set(drivername="postgresql+asyncpg"),
        pool_size=writers,
        max_overflow=0,
        pool_timeout=patience,
        pool_pre_ping=ping,
        # JSON stays text, as on the readers: a payload is read by the same plan on either.
        json_deserializer=_as_text,
        connect_args={"command_timeout": STATEMENT_SECONDS, "server_settings": WRITER_SETTINGS},
    )
    if way:
        way.send_all(engine)
    return Database(address, reading, engine, Gathered(reading), way)
