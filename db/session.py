"""The database as two doors: `read()` cannot write, `write()` is one transaction that commits at its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from db.readers import Lease, Readers

Connection = asyncpg.Connection

STATEMENT_SECONDS = 5
LOCK_SECONDS = 3
POOL_SECONDS = 3

# Generic plans: a parameterised LIMIT keeps PostgreSQL re-planning for ever; JIT costs more than it saves here.
READER_SETTINGS = {
    "application_name": "creator-graph read",
    "default_transaction_read_only": "on",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "timezone": "UTC",
}
WRITER_SETTINGS = {"application_name": "creator-graph write", "jit": "off", "timezone": "UTC"}


@dataclass(frozen=True)
class Database:
    """Readers, and an engine that writes, on one address."""

    address: str
    readers: Readers
    engine: AsyncEngine

    def read(self) -> Lease:
        """A connection on which nothing can be written: `async with database.read() as connection`."""
        return self.readers.lease()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """One transaction: commits when the block ends, rolls back when it raises."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            # A first statement, so that BEGIN is sent before anyone uses the raw connection (see raw()).
            await session.execute(text(f"set local lock_timeout = '{LOCK_SECONDS}s'"))
            yield session

    async def connect(self, **settings: str) -> asyncpg.Connection:
        """A connection of one's own, outside the pools: for the cashier, listeners and workers."""
        return await asyncpg.connect(
            self.address,
            command_timeout=STATEMENT_SECONDS,
            server_settings={**WRITER_SETTINGS, **settings},
        )

    async def close(self) -> None:
        await self.readers.close()
        await self.engine.dispose()


async def raw(session: AsyncSession) -> Connection:
    """The asyncpg connection inside a session's transaction: what it runs commits with the session."""
    connection: Any = await (await session.connection()).get_raw_connection()
    driver: asyncpg.Connection = connection.driver_connection
    return driver


def _as_text(json: str) -> str:
    return json


async def open_database(address: str, *, readers: int = 8, writers: int = 8) -> Database:
    """Connect; raises what asyncpg raises when the address is wrong or the server away."""
    reading = Readers(
        address,
        most=readers,
        patience=POOL_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        settings=READER_SETTINGS,
    )
    async with reading.lease() as connection:  # fail now, not at the first request
        await connection.execute("select 1")
    engine = create_async_engine(
        make_url(address).set(drivername="postgresql+asyncpg"),
        pool_size=writers,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        # JSON stays text, as on the readers: a payload is read by the same plan on either.
        json_deserializer=_as_text,
        connect_args={"command_timeout": STATEMENT_SECONDS, "server_settings": WRITER_SETTINGS},
    )
    return Database(address, reading, engine)
