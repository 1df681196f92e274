"""What a worker at full tilt costs the API's readers on the same machine: their p50 and p99, with it and without.

`python -m bench.beside`: our own `serve --worker` as it is, PostgreSQL, simulated platforms and the readers share the
machine. Readers ask at a steady rate, whether answered or not, and wait from when they should have asked. Short
stretches take turns, the worker frozen and let go; every creator's sync is asked for again as soon as it ends, with no
platform's limit in the way.

Readers and platforms are elsewhere in the world, and here in the way: readers go before everybody, so that their own
waiting for a core is not measured; the platforms, and who asks for syncs, run on the worker's cores behind everybody.
What they took of those is in the figures, and the worker would have had it. A stretch in which processes that are not
of the bench used more than `--others` of a core counts for nothing, with the worker or without.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench import killing, simulated
from bench.bed import free_port
from bench.beside_place import BEHIND, Place, descendant, furnished
from bench.beside_readers import Readers, first_in_line, percentiles
from bench.beside_shares import Everybody, Share, Shares, between, busy
from db import embedded
from db.session import Connection, Database, open_database
from server.settings import TEST_CLIENT, Settings

SETTLING, WARMING = 0.4, 3.0
LONGEST_SECONDS = 80.0
ENDED = "select count(*) as syncs, coalesce(sum(videos_seen), 0)::int8 as videos from syncs where finished_at >= $1"


@dataclass(frozen=True)
class Stretch:
    """Some seconds of reading, beside a worker or a frozen one."""

    loud: bool
    seconds: float
    waits: list[float]
    shares: Shares
    others: float
    syncs: int
    videos: int


@dataclass(frozen=True)
class Bench:
    connection: Connection
    http: aiohttp.ClientSession
    readers: Readers
    everybody: Everybody

    async def stretch(self, seconds: float, *, loud: bool) -> Stretch:
        os.kill(self.everybody.worker, signal.SIGCONT if loud else signal.SIGSTOP)
        await asyncio.sleep(SETTLING)
        since = await self.connection.fetchval("select clock_timestamp()")
        begun, worked, before = time.perf_counter(), busy(), self.everybody.shares()
        waits = await self.readers.ask(self.http, seconds)
        shares = between(before, self.everybody.shares())
        worked, took = busy() - worked, time.perf_counter() - begun
        others = (worked - sum(share.used for share in shares.values())) / took
        ended = await self.connection.fetchrow(ENDED, since)
        assert ended is not None
        os.kill(self.everybody.worker, signal.SIGCONT)
        return Stretch(loud, took, waits, shares, others, ended["syncs"], ended["videos"])

    async def taken_in_turn(self, asked: argparse.Namespace) -> list[Stretch]:
        """Short ones, so that whatever else the machine does falls on both alike; until enough are undisturbed."""
        stretches: list[Stretch] = []
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end and not _enough(stretches, asked):
            stretches += [await self.stretch(asked.seconds, loud=loud) for loud in (False, True)]
        return stretches


def _undisturbed(stretches: Sequence[Stretch], asked: argparse.Namespace, *, loud: bool) -> list[Stretch]:
    return [one for one in stretches if one.loud is loud and one.others <= asked.others]


def _enough(stretches: Sequence[Stretch], asked: argparse.Namespace) -> bool:
    return all(len(_undisturbed(stretches, asked, loud=loud)) >= asked.turns for loud in (False, True))


async def measure(place: Place, postmaster: int, asked: argparse.Namespace) -> dict[str, Any]:
    database = await open_database(place.address)
    account, secret = await furnished(database)
    creators = await _connected(database, place, account, asked.creators)
    connection = await database.connect()
    with place.running("server", "worker"):
        while await connection.fetchval(killing.OPEN):  # noqa: ASYNC110 -- other processes do it
            await asyncio.sleep(0.1)
    readers = Readers(f"http://127.0.0.1:{place.port}/graphql", secret, creators, asked.rate)
    async with aiohttp.ClientSession() as http:
        with _serving(place, everywhere=asked.everywhere) as api:
            await place.answers(http)
            with place.running("bench.beside_place", place.address, str(account)) as feeder:
                await readers.ask(http, WARMING)
                everybody = Everybody(postmaster, api, descendant("worker"), descendant("simulators"), feeder)
                stretches = await Bench(connection, http, readers, everybody).taken_in_turn(asked)
    await connection.close()
    await database.close()
    return figures(stretches, asked)


@contextlib.contextmanager
def _serving(place: Place, *, everywhere: bool) -> Iterator[int]:
    if not everywhere:
        with place.running("server", "serve", "--worker") as api:
            yield api
        return
    with place.running("server", "serve") as api, place.running("server", "worker"):
        yield api


async def _connected(database: Database, place: Place, account: Any, count: int) -> list[Any]:
    settings = Settings(data_dir=place.home)
    key = base64.b64decode(settings.vault_keys()[0])
    await simulated.unlimited(place.platforms)
    async with simulated.beside(database, key, place.platforms, _registered(place.home)) as side:
        return [
            await side.connect(account, platform, name)
            for name in simulated.names(count // 3)
            for platform in simulated.PLATFORMS
        ]


def _registered(home: Path) -> tuple[str, str]:
    return TEST_CLIENT, Settings(data_dir=home).test_client_secret()


def figures(stretches: Sequence[Stretch], asked: argparse.Namespace) -> dict[str, Any]:
    """Beside the ratio what the machine does to it: every other stretch without the worker by those between."""
    quiet, loud = (_undisturbed(stretches, asked, loud=is_loud) for is_loud in (False, True))
    if min(len(quiet), len(loud)) < 2:
        raise SystemExit("bench: this machine is not quiet enough; see --others")
    waits = [one.waits for one in quiet]
    without, beside = percentiles(waits), percentiles([one.waits for one in loud])
    some, others = percentiles(waits[::2]), percentiles(waits[1::2])
    seconds = sum(one.seconds for one in loud)
    return {
        "without": without,
        "with": beside,
        "with by without": {name: round(beside[name] / without[name], 2) for name in without},
        "noise: without by without": {name: round(some[name] / others[name], 2) for name in without},
        "creators a second": round(sum(one.syncs for one in loud) / seconds, 1),
        "videos a second": round(sum(one.videos for one in loud) / seconds),
        "stretches": {
            "without": len(quiet),
            "with": len(loud),
            "disturbed": len(stretches) - len(quiet) - len(loud),
        },
        "processors without": dict(_told(quiet)),
        "processors with": dict(_told(loud)),
    }


def _told(stretches: Sequence[Stretch]) -> Iterator[tuple[str, str]]:
    seconds, reads = sum(one.seconds for one in stretches), sum(len(one.waits) for one in stretches)
    for part in stretches[0].shares:
        share = sum((one.shares[part] for one in stretches), Share())
        yield (
            part,
            f"{share.used / seconds:.3f} of a core, waited {share.waited * 1000 / reads:.2f} ms a read",
        )
    yield "others", f"{statistics.mean(one.others for one in stretches):.3f} of a core"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=80.0, help="reads a second")
    parser.add_argument("--seconds", type=float, default=1.0, help="a stretch")
    parser.add_argument("--turns", type=int, default=16, help="undisturbed stretches of each kind")
    parser.add_argument("--others", type=float, default=0.06, help="of a core, for who is not of the bench")
    parser.add_argument("--creators", type=int, default=12)
    parser.add_argument("--everywhere", action="store_true", help="the worker may use every core, at nice 10")
    asked = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="creator-graph-bench-") as home:
        Path(home).chmod(0o755)
        place = Path(home) / "home"
        place.mkdir()
        with simulated.running(_registered(place), BEHIND) as url:
            server, address = embedded.start(Path(home) / "pg")
            postmaster = int(next(Path(home).glob("pg/**/postmaster.pid")).read_text().split()[0])
            first = first_in_line()
            found = asyncio.run(measure(Place(place, address, url, free_port()), postmaster, asked))
            del server
    machine_ = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    head = {"machine": machine_, "seconds": round(time.perf_counter() - begun), "readers go first": first}
    print(json.dumps({**head, **found}, indent=2))


if __name__ == "__main__":
    main()
