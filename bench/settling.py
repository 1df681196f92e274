"""`python -m bench.settling`: what one settlement costs PostgreSQL, by the size of its batch. No server, no load.

On one connection, one statement after the other: processor time of its backend, as the kernel counts it, and
time until the commit is on disk.
"""

import argparse
import asyncio
import time
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from bench import bed as beds
from bench import machine, report
from services import callers, cashier, express, key_format, ledger

SIZES = (1, 4, 16, 64)
COORDINATES = '{"Query.creator":[1,1000],"Creator":[1,1000]}'
CONNECTION = {"plan_cache_mode": "force_generic_plan", "synchronous_commit": "on"}


async def run(chosen: argparse.Namespace) -> None:
    """Batches spread over all accounts, and of one account alone."""
    with beds.postgres(machine.OTHER_CORE) as server:
        bed = await beds.stand(server, chosen.accounts)
        await beds.reset(bed)
        connection = await asyncpg.connect(bed.address, server_settings=CONNECTION)
        everyone = await _callers(connection, bed)
        found = [
            await _measured(connection, lane, whose, size, chosen.times)
            for whose in (everyone, everyone[:1])
            for size in SIZES
            for lane in (ledger.Batch, express.Batch)
        ]
        await connection.close()
    heads = ["lane", "batch", "accounts", "µs of PostgreSQL", "an operation", "µs until answered"]
    rows = [
        [
            one["lane"],
            str(one["size"]),
            str(one["accounts"]),
            f"{one['cpu']:.0f}",
            f"{one['cpu'] / one['size']:.1f}",
            f"{one['wall']:.0f}",
        ]
        for one in found
    ]
    report.write("settling", f"# One settlement\n\n{report.table(heads, rows)}\n", found)


async def _callers(connection: asyncpg.Connection, bed: beds.Bed) -> list[callers.Caller]:
    found = [await callers.find(connection, key_format.digest(tenant.secret)) for tenant in bed.tenants]
    return [caller for caller in found if caller is not None]


async def _measured(
    connection: asyncpg.Connection, lane: cashier.Lane, whose: list[callers.Caller], size: int, times: int
) -> dict[str, Any]:
    usages = [
        ledger.Usage(
            whose[n % len(whose)],
            1,
            operation="Small",
            operation_hash=b"\0" * 32,
            coordinates=COORDINATES,
            ip="127.0.0.1",
            duration_us=900,
        )
        for n in range(size)
    ]
    columns = lane(usages, [True] * size).columns()
    statement = await connection.prepare(lane.sql)
    backend = connection.get_server_pid()
    cpus, walls = [], []
    for _ in range(times):
        before, began = _nanoseconds(backend), time.perf_counter()
        await statement.fetch(*columns)
        walls.append((time.perf_counter() - began) * 1e6)
        cpus.append((_nanoseconds(backend) - before) / 1000)
    return {
        "lane": lane.name,
        "size": size,
        "accounts": len({usage.caller.account_id for usage in usages}),
        "cpu": median(cpus),
        "wall": median(walls),
    }


def _nanoseconds(pid: int) -> int:
    """Processor time that a process has used, as the kernel counts it."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.settling", description=__doc__)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--times", type=int, default=1000)
    with machine.alone():
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
