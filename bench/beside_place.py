"""Where `bench.beside` takes place: our own commands on a database and simulated platforms, and who keeps asking for syncs."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import aiohttp

from bench import machine
from db import backends, migrate, partitions
from db.session import Database, open_database
from services import accounts, sync

BEHIND = backends.Way(19, backends.half_of_the_cores())
"""The worker's cores, and on them behind everybody: for what no deployment has on its machine."""

IDLE = """
select id from creators c where not exists (
  select from syncs s where s.creator_id = c.id and s.status in ('QUEUED', 'RUNNING'))
"""
FEED_EVERY = 0.1


@dataclass(frozen=True)
class Place:
    """Where everything is."""

    home: Path
    address: str
    platforms: str
    port: int

    @property
    def env(self) -> dict[str, str]:
        named = {
            "DATABASE_URL": self.address,
            "DATA_DIR": str(self.home),
            "PORT": str(self.port),
            "SIMULATOR_URL": self.platforms,
            "TIKTOK_REQUESTS_PER_MINUTE": "1000000000",
            "YOUTUBE_UNITS_PER_DAY": "1000000000",
            "LOG_LEVEL": "error",
        }
        return {**os.environ, **{f"CREATOR_GRAPH_{name}": value for name, value in named.items()}}

    @contextlib.contextmanager
    def running(self, module: str, *command: str) -> Iterator[int]:
        """A command of a module of ours; told to end when the block does."""
        process = subprocess.Popen(
            [sys.executable, "-m", module, *command], env=self.env, stdout=subprocess.DEVNULL
        )
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    async def answers(self, http: aiohttp.ClientSession) -> None:
        for _ in range(300):
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{self.port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)


def descendant(word: str) -> int:
    """The process below this one whose command has the word."""
    for pid in machine.tree(os.getpid())[1:]:
        with contextlib.suppress(OSError):
            if word.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
    raise LookupError(word)


async def furnished(database: Database) -> tuple[UUID, str]:
    """An account without limits; its test key."""
    await migrate.upgrade(database)
    async with database.write() as session:
        await partitions.ensure(session, datetime.now(UTC))
        made = await accounts.create(session, "Beside", "ultra", credits_a_month=10**15)
        await accounts.update(session, made.id, requests_per_minute=0, test_requests_per_minute=0)
    return made.id, made.test.secret


async def feed(address: str, account: UUID) -> None:
    """A worker never runs dry: whose sync ended gets the next."""
    BEHIND.take()
    database = await open_database(address, readers=1, writers=1, way=BEHIND)
    while True:
        async with database.read() as connection:
            idle = [row["id"] for row in await connection.fetch(IDLE)]
        if idle:
            await _ask(database, account, idle)
        await asyncio.sleep(FEED_EVERY)


async def _ask(database: Database, account: UUID, creators: Sequence[UUID]) -> None:
    async with database.write() as session:
        for creator_id in creators:
            await sync.request(session, account, False, creator_id, "SCHEDULED")


if __name__ == "__main__":
    asyncio.run(feed(sys.argv[1], UUID(sys.argv[2])))
