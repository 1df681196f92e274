"""Two workers read many creators of three platforms while either is killed at random: nothing lost, nothing doubled.

`python -m bench.killed_workers --creators 1000 --kills 5`: creators of as many accounts of ours as it takes (there
are 119 people at the simulated platforms), each with its own grant. YouTube's and Instagram's tokens are due, so
that they are refreshed between the kills; with `--rotate` TikTok's too. TikTok's refresh token works once: one that
is killed between the platform's answer and our write is lost (docs/grants.md), and counted by itself, as cut off.
Exit 1 when anything is not as it must be.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from bench import killing, simulated
from db import embedded, migrate
from db.session import Database, open_database
from services import grants

AT_ONCE = 8
SECONDS = 900
PAUSE = (0.01, 0.06)  # between kills, in seconds a creator

DUE = """
update grants g set refreshed_at = now() - interval '40 days', expires_at = now() + case c.platform
  when 'INSTAGRAM' then interval '20 days' else interval '1 minute' end  -- Instagram's is renewed while it lives
from creators c where (c.account_id, c.id) = (g.account_id, g.creator_id) and c.platform = any($1)
"""
FIGURES = """
select count(*) as syncs, sum(videos_seen)::int8 as videos, sum(fence)::int8 as takes,
  (select count(*) from grants where version > 1) as refreshed
from syncs
"""


def told(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


async def connected(side: simulated.Side, count: int) -> list[killing.Creator]:
    """So many creators, each connected once; an account has every person on every platform at most."""
    wanted: list[tuple[Any, str, str]] = []
    names = simulated.names(count)
    while len(wanted) < count:
        account = await side.account(f"killed {len(wanted)}")
        wanted += [(account, platform, name) for name in names for platform in simulated.PLATFORMS]
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(account: Any, platform: str, name: str) -> killing.Creator:
        async with turn:
            creator_id = await side.connect(account, platform, name)
        return killing.Creator(grants.Whose(account, False, creator_id), platform, name)

    return list(await asyncio.gather(*(one(*who) for who in wanted[:count])))


async def measure(address: str, url: str, asked: argparse.Namespace) -> dict[str, Any]:
    database = await open_database(address)
    await migrate.upgrade(database)
    await simulated.unlimited(url)
    key = os.urandom(32)
    async with simulated.beside(database, key, url) as side:
        everyone = await connected(side, asked.creators)
        told(f"{len(everyone)} connected")
        found = await read(database, killing.Workers(address, url, key), asked)
        cut = await cut_off(database) if asked.rotate else set()
        rest = [one for one in everyone if one.whose.creator_id not in cut]
        wrongs = await killing.wrongs(database, side.vault, side.platforms, rest)
    await database.close()
    platforms = Counter(one.platform for one in everyone)
    return {"creators": dict(platforms), **found, "cut off": len(cut), "wrong": wrongs}


async def cut_off(database: Database) -> set[UUID]:
    """Creators whose grant was lost between TikTok's rotation and our write."""
    async with database.read() as connection:
        rows = await connection.fetch(
            "select c.id from grants g join creators c on c.id = g.creator_id"
            " where c.platform = 'TIKTOK' and g.reason = 'REFRESH_INTERRUPTED'"
        )
    return {row["id"] for row in rows}


async def read(database: Database, workers: killing.Workers, asked: argparse.Namespace) -> dict[str, Any]:
    connection = await database.connect()
    await connection.execute(DUE, [*(["TIKTOK"] if asked.rotate else []), "INSTAGRAM", "YOUTUBE"])
    begun = time.perf_counter()
    async with workers.running(2):
        pause = (PAUSE[0] * asked.creators, PAUSE[1] * asked.creators)
        await killing.through(connection, workers, asked.kills, pause, SECONDS, told)
    seconds = time.perf_counter() - begun
    figures = await connection.fetchrow(FIGURES)
    assert figures is not None
    await connection.close()
    return {"kills": asked.kills, "seconds": round(seconds, 1), **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creators", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rotate", action="store_true", help="TikTok's tokens are due too")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # it unwinds, and so ends what it started
    with tempfile.TemporaryDirectory(prefix="creator-graph-bench-") as home, simulated.running() as url:
        Path(home).chmod(0o755)
        server, address = embedded.start(Path(home) / "pg")
        found = asyncio.run(measure(address, url, asked))
        del server
    print(json.dumps(found, indent=2))
    sys.exit(bool(found["wrong"]))


if __name__ == "__main__":
    main()
