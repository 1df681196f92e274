"""How fast one worker reads: creators and videos a second against the simulated platforms, without budgets.

`python -m bench.reading --creators 60`: PostgreSQL, simulators and worker share this machine; the simulators run
in a process of their own. No platform's limit is kept here: what a real one allows is far less.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import yarl

from db import embedded, migrate
from db.session import Database, open_database
from server import worker
from services import connecting
from services.platforms import base, client, instagram, registry, tiktok, youtube
from services.vault import Vault
from simulators import people

PORT = 8097
OPEN = "select count(*) from syncs where status in ('QUEUED', 'RUNNING')"
URL = f"http://127.0.0.1:{PORT}"
REDIRECT = "https://ours.example/{}/callback"
UNLIMITED = {
    "/_control": {"rate_limit": 10**9},
    "/instagram/_control": {"knobs": {"app_calls": 10**9, "account_calls": 10**9}},
    "/youtube/_control": {"quota": 10**9, "rate_limit": 10**9},
}
PLATFORMS = ("tiktok", "instagram", "youtube")


def simulators() -> "subprocess.Popen[bytes]":
    redirects = [part for name in PLATFORMS for part in ("--redirect-uri", REDIRECT.format(name))]
    return subprocess.Popen(
        [
            sys.executable,
            *("-m", "simulators", "--control"),
            *("--port", str(PORT), "--client-key", "ck", "--client-secret", "cs"),
            *redirects,
        ],
        stdout=subprocess.DEVNULL,
    )


async def connect(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    http: Any,
    account: Any,
    who: tuple[str, str],
) -> None:
    creator, name = who
    connector = platforms.connector(name.upper(), False)
    async with database.write() as session:
        begun = await connecting.begin(
            session, vault, connector, account_id=account, livemode=False, platform=name.upper(), reference=None,
            return_url=None, redirect_uri=None, callback_url=REDIRECT.format(name), now=datetime.now(UTC),
        )  # fmt: skip
    form = [("creator", creator), ("decision", "approve"), *(("scope", scope) for scope in connector.scopes)]
    async with http.post(yarl.URL(begun.auth_url, encoded=True), data=form, allow_redirects=False) as answer:
        query = yarl.URL(answer.headers["Location"], encoded=True).query.items()
    await connecting.callback(database, vault, platforms, platform=name.upper(), query=list(query))


async def measure(address: str, creators: int, name: str) -> dict[str, Any]:
    database = await open_database(address)
    await migrate.upgrade(database)
    connection = await database.connect()
    account = await connection.fetchval(
        "insert into accounts (name, plan) values ($1, 'ultra') returning id", name
    )
    vault = Vault([os.urandom(32)])
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        sender = client.Client(http)
        made = {
            (kind.platform, False): kind(
                base.App("ck", "cs", f"{URL}/{kind.platform.lower()}", f"{URL}/{kind.platform.lower()}"),
                sender,
            )
            for kind in (tiktok.TikTok, instagram.Instagram, youtube.YouTube)
        }
        platforms = registry.Platforms(made)  # type: ignore[arg-type]
        names = [one.username for one in people.CREATORS][:creators]
        for creator in names:
            await connect(database, vault, platforms, http, account, (creator, name))
        stop, begun = asyncio.Event(), time.perf_counter()
        task = asyncio.create_task(worker.run(database, vault, platforms, stop))
        while await connection.fetchval(OPEN):  # noqa: ASYNC110 -- what is measured ends in other tasks
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - begun
        stop.set()
        await task
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
        "creators a second": round(len(names) / seconds, 1),
        "videos a second": round(videos / seconds),
    }


async def ready() -> None:
    """The simulators are up, their limits out of the way."""
    async with aiohttp.ClientSession() as http:
        for _ in range(100):
            try:
                for path, order in UNLIMITED.items():
                    async with http.post(URL + path, json=order) as answer:
                        answer.raise_for_status()
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.1)
            else:
                return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creators", type=int, default=60)
    asked = parser.parse_args()
    found: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"}
    for name in PLATFORMS:
        with tempfile.TemporaryDirectory(prefix="creator-graph-bench-") as home:
            Path(home).chmod(0o755)
            simulator = simulators()
            server, address = embedded.start(Path(home) / "pg")
            try:
                asyncio.run(ready())
                found[name] = asyncio.run(measure(address, asked.creators, name))
            finally:
                simulator.kill()
                simulator.wait()
                del server
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
