"""Workers in processes of their own, killed with SIGKILL at random moments, and what must hold afterwards."""

import asyncio
import base64
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import simulated
from db.session import Connection, Database
from services import grants
from services.platforms import base, registry
from services.vault import Vault

ROOT = Path(__file__).parents[1]

OPEN = "select count(*) from syncs where status in ('QUEUED', 'RUNNING')"
STORED = """
select c.platform, c.username,
  (select array_agg((s.status, s.error_code, s.videos_seen, s.videos_added, s.started_at, s.finished_at))
   from syncs s where s.creator_id = c.id) as syncs,
  (select array_agg(v.external_id) from videos v where v.creator_id = c.id and v.gone_at is null) as ids,
  (select count(*) from videos v where v.creator_id = c.id and v.gone_at is not null) as gone,
  (select count(*) from videos v where v.creator_id = c.id
   and num_nonnulls(v.views, v.likes, v.comments, v.shares) > 0) as told,
  (select count(distinct p.video_id) from video_stats p where p.creator_id = c.id) as with_points
from creators c where c.id = $1
"""


@dataclass(frozen=True)
class Creator:
    """Who was connected, under which of our accounts."""

    whose: grants.Whose
    platform: str
    username: str


async def started(address: str, url: str, key: bytes) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.worker_process", address, url, base64.b64encode(key).decode()),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


@dataclass
class Workers:
    """So many workers; another in the place of each that is killed."""

    address: str
    url: str
    key: bytes
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def running(self, count: int) -> AsyncIterator[None]:
        try:
            for _ in range(count):
                self._processes.append(await started(self.address, self.url, self.key))
            yield
        finally:
            for process in self._processes:
                await _killed(process)

    async def kill_one(self) -> None:
        place = random.randrange(len(self._processes))
        await _killed(self._processes[place])
        self._processes[place] = await started(self.address, self.url, self.key)


async def _killed(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def through(
    connection: Connection,
    workers: Workers,
    kills: int,
    pause: tuple[float, float],
    seconds: float,
    told: Callable[[str], None] = lambda _: None,
) -> None:
    """Kill one of the workers so many times, each after a pause from so long to so long; wait for every sync's end."""
    for number in range(kills):
        await asyncio.sleep(random.uniform(*pause))
        await workers.kill_one()
        told(f"killed {number + 1} of {kills}, {await connection.fetchval(OPEN)} syncs open")
    async with asyncio.timeout(seconds):
        while await connection.fetchval(OPEN):  # noqa: ASYNC110 -- other processes do it
            await asyncio.sleep(0.1)


async def wrongs(
    database: Database, vault: Vault, platforms: registry.Platforms, everyone: Collection[Creator]
) -> list[str]:
    """What is not as it must be: each creator read once and whole, nothing doubled or gone, each grant in use."""
    found = []
    for one in everyone:
        async with database.read() as connection:
            row = await connection.fetchrow(STORED, one.whose.creator_id)
        assert row is not None
        wrong = [*_reading(dict(row), one), *await _grant(database, vault, platforms, one)]
        found += [f"{one.platform} {one.username}: {trouble}" for trouble in wrong]
    return found


def _reading(row: Mapping[str, Any], one: Creator) -> list[str]:
    if len(row["syncs"]) != 1:
        return [f"{len(row['syncs'])} syncs"]
    status, code, seen, added, began, ended = row["syncs"][0]
    if status != "SUCCEEDED":
        return [f"{status} {code}"]
    stored = row["ids"] or []
    # Somebody may have posted between the first page and the last.
    shown = [simulated.shown(one.platform, one.username, at.timestamp()) for at in (began, ended)]
    wrong = []
    if set(stored) not in shown or len(stored) != len(set(stored)):
        wrong.append(f"{len(stored)} videos stored, {len(shown[0])} shown")
    if not seen == added == len(stored) or row["gone"]:
        wrong.append(f"{seen} seen, {added} added, {row['gone']} gone")
    if row["told"] != row["with_points"]:
        wrong.append(f"{row['told']} videos with numbers, {row['with_points']} with history")
    return wrong


async def _grant(database: Database, vault: Vault, platforms: registry.Platforms, one: Creator) -> list[str]:
    held = await grants.read(database, vault, one.whose)
    if held is None or held.status != "ACTIVE":
        return [f"grant {held and held.status}"]
    try:
        await platforms.connector(one.platform, one.whose.livemode).profile(held.tokens)
    except base.Failure as failure:
        return [f"tokens refused: {failure.code}"]
    return []
