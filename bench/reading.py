"""How fast one worker reads: creators and videos a second against the simulated platforms, without budgets.

`python -m bench.reading --creators 60`: PostgreSQL, simulators and worker share this machine; the simulators run
in a process of their own. No platform's limit is kept here: what a real one allows is far less.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import killing, simulated
from db import embedded, migrate
from db.session import open_database
from server import worker


async def measure(address: str, url: str, creators: int, platform: str) -> dict[str, Any]:
    database = await open_database(address)
    await migrate.upgrade(database)
    await simulated.unlimited(url)
    connection = await database.connect()
    names = simulated.names(creators)
    async with simulated.beside(database, os.urandom(32), url) as side:
        account = await side.account(platform)
        for name in names:
            await side.connect(account, platform, name)
        stop, begun, used = asyncio.Event(), time.perf_counter(), time.process_time()
        own = await worker.connected(address)
        task = asyncio.create_task(worker.run(own, side.vault, side.platforms, stop))
        while await connection.fetchval(killing.OPEN):  # noqa: ASYNC110 -- what is measured ends in other tasks
            await asyncio.sleep(0.1)
        seconds, busy = time.perf_counter() - begun, time.process_time() - used
        stop.set()
        await task
        await own.close()
    rows = await connection.fetch(
        "select status, count(*) as n, sum(videos_seen) as videos from syncs group by status"
    )
    await connection.close()
    await database.close()
    videos = sum(int(row["videos"]) for row in rows)
    return {
        "syncs": {row["status"]: row["n"] for row in rows},
        "videos": videos,
        "seconds": round(seconds, 1),
        "worker's processor seconds": round(busy, 1),
        "creators a second": round(len(names) / seconds, 1),
        "videos a second": round(videos / seconds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creators", type=int, default=60)
    asked = parser.parse_args()
    found: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"}
    for platform in simulated.PLATFORMS:
        with tempfile.TemporaryDirectory(prefix="creator-graph-bench-") as home, simulated.running() as url:
            Path(home).chmod(0o755)
            server, address = embedded.start(Path(home) / "pg")
            found[platform] = asyncio.run(measure(address, url, asked.creators, platform))
            del server
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
