"""The schedule of many creators on one machine: how fast the planner is, what it weighs, which indexes it uses.

`python -m bench.schedule --creators 200000` makes that many creators of skewed accounts in an embedded PostgreSQL,
all of them due within a simulated day, lets the planner of `services.schedule` open their syncs, ends these in
batches (no platform is asked: this measures the schedule alone), and prints figures with the arithmetic from them
to 10 million creators and a year of history. What is measured and what is multiplied is said beside each number.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from db import embedded, migrate
from db.session import Database, open_database, raw
from services import jobs, schedule

WANTED = 10_000_000
POSTS_A_CREATOR = 100  # of which so many change in a sync that looks back so far
MOVED_A_SYNC = 30
BATCH = 20_000

# Accounts as they are: a few large, many small. A third of the creators on each platform.
ACCOUNTS = """
insert into accounts (name, plan) select 'bench-' || n, (array['sandbox','basic','pro','ultra'])[1 + n % 4]
from generate_series(1, $1::int) n returning id
"""
CREATORS = """
insert into creators (account_id, livemode, platform, external_id, username, followers, synced_at, next_sync_at)
select ($1::uuid[])[1 + floor(power(random(), 3) * cardinality($1))::int], true,
       (array['TIKTOK','INSTAGRAM','YOUTUBE'])[1 + n % 3], 'external-' || n, 'creator' || n, n, now(),
       now() + random() * interval '1 day'
from generate_series($2::int, $3::int) n
"""
GRANTS = """
insert into grants (account_id, creator_id, livemode, scopes, access_token, refresh_token, renew_at)
select account_id, id, true, '{a,b,c,d}', convert_to(repeat('x', 120), 'UTF8'), convert_to(repeat('x', 120), 'UTF8'),
       now() + random() * interval '90 days' from creators
"""
# A worker's part, in one statement for a batch: the sync ends, the creator is due again, the job is gone.
END = """
with ended as (
  update syncs set status = 'SUCCEEDED', started_at = now(), finished_at = now(), videos_seen = 30
  where status = 'QUEUED' returning account_id, creator_id
)
update creators c set synced_at = now(), next_sync_at = now() + (0.9 + random() * 0.2) * interval '1 day'
from ended where (c.account_id, c.id) = (ended.account_id, ended.creator_id)
"""
POINTS = """
insert into {table} select {values} from (select account_id, id from creators limit $1) c, generate_series(1, 20) n
"""
SIZES = """
select c.relname, pg_table_size(c.oid) as bytes, c.reltuples::int8 as rows,
       (select coalesce(json_object_agg(i.indexrelid::regclass, pg_relation_size(i.indexrelid)), '{}')
        from pg_index i where i.indrelid = c.oid)::text as indexes
from pg_class c where c.relname = any($1)
"""


async def fill(connection: Any, creators: int, accounts: int) -> None:
    ids = [row["id"] for row in await connection.fetch(ACCOUNTS, accounts)]
    for first in range(1, creators + 1, BATCH):
        await connection.execute(CREATORS, ids, first, min(first + BATCH - 1, creators), timeout=600)
    await connection.execute(GRANTS, timeout=600)
    await connection.execute("vacuum analyze", timeout=600)


async def turn(database: Database) -> tuple[int, float]:
    """One turn of the planner, as a worker takes it."""
    begun = time.perf_counter()
    async with database.write() as session:
        opened = await schedule.plan(session)
    return opened, time.perf_counter() - begun


async def drain(database: Database, connection: Any) -> dict[str, Any]:
    """Every creator due at once: planned until none is left."""
    await connection.execute(
        "update creators set next_sync_at = now() - random() * interval '1 day'", timeout=600
    )
    await connection.execute("vacuum analyze creators", timeout=600)
    turns: list[tuple[int, float]] = []
    ending = 0.0
    while True:
        opened, seconds = await turn(database)
        if not opened:
            break
        turns.append((opened, seconds))
        begun = time.perf_counter()
        await connection.execute(END, timeout=600)
        await connection.execute(f"delete from {jobs.TABLE}", timeout=600)
        ending += time.perf_counter() - begun
    seconds = sum(spent for _, spent in turns)
    return {
        "creators": sum(opened for opened, _ in turns),
        "planner seconds": round(seconds, 2),
        "creators a second": round(sum(opened for opened, _ in turns) / seconds),
        "turns": len(turns),
        "turn p50 ms": round(statistics.median(spent for _, spent in turns) * 1000, 1),
        "turn max ms": round(max(spent for _, spent in turns) * 1000, 1),
        "ending seconds": round(ending, 2),
    }


async def idle(database: Database) -> float:
    """What a turn costs that finds nothing: the look into every account's indexes."""
    return round(statistics.median([(await turn(database))[1] for _ in range(10)]) * 1000, 1)


async def explained(connection: Any, statement: str, *values: Any) -> dict[str, Any]:
    """Which indexes a statement uses, and whether it reads any large table whole."""
    async with connection.transaction():
        rows = await connection.fetch(
            f"explain (analyze, buffers, format json) {statement}", *values, timeout=600
        )
    plan = json.loads(rows[0][0])[0]
    nodes = list(walk(plan["Plan"]))
    return {
        "indexes": sorted({node["Index Name"] for node in nodes if "Index Name" in node}),
        "read whole": sorted({node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}),
        "ms": round(plan["Execution Time"], 1),
    }


def walk(node: dict[str, Any]) -> Any:
    yield node
    for inner in node.get("Plans", ()):
        yield from walk(inner)


async def weights(connection: Any) -> dict[str, float]:
    """Bytes a row with its indexes, measured on real rows."""
    await connection.execute(
        POINTS.format(
            table="creator_stats (account_id, creator_id, at, livemode, followers, following, likes, views, video_count)",
            values="account_id, id, date_trunc('hour', now()) + n * interval '1 hour', true, n, n, n, n, n",
        ),
        10_000,
        timeout=600,
    )
    await connection.execute(
        POINTS.format(
            table="video_stats (account_id, creator_id, video_id, at, livemode, views, likes, comments, shares)",
            values="account_id, id, gen_random_uuid(), date_trunc('hour', now()), true, n, n, n, n",
        ),
        10_000,
        timeout=600,
    )
    await connection.execute("vacuum analyze", timeout=600)
    found = {}
    for table in ("creators", "grants", "syncs", "creator_stats", "video_stats"):
        size, rows = await connection.fetchrow(
            "select sum(pg_total_relation_size(relid)), (select sum(reltuples) from pg_class c join pg_partition_tree($1::text::regclass) t"
            " on t.relid = c.oid where t.isleaf) from pg_partition_tree($1::text::regclass)"
            if table.endswith("stats")
            else "select pg_total_relation_size($1::text::regclass), reltuples from pg_class where oid = $1::text::regclass",
            table,
        )
        found[table] = round(float(size) / max(float(rows), 1), 1)
    return found


def arithmetic(bytes_a_row: dict[str, float], drained: dict[str, Any]) -> dict[str, str]:
    """From what was measured to 10 million creators and a year: multiplied, not measured."""
    gb = 1e9
    syncs = WANTED * 90  # kept 90 days, one a day
    points = WANTED * 365
    moved = WANTED * 365 * MOVED_A_SYNC
    return {
        "syncs a second, each creator once a day": f"{WANTED / 86_400:.0f}",
        "share of the planner's time": f"{WANTED / 86_400 / drained['creators a second']:.1%}",
        "creators and grants": f"{WANTED * (bytes_a_row['creators'] + bytes_a_row['grants']) / gb:.0f} GB",
        "syncs of 90 days": f"{syncs * bytes_a_row['syncs'] / gb:.0f} GB",
        "a year of creators' points, one a day": f"{points * bytes_a_row['creator_stats'] / gb:.0f} GB",
        f"a year of videos' points, {MOVED_A_SYNC} moved a sync": f"{moved * bytes_a_row['video_stats'] / gb / 1000:.0f} TB",
        "video points a second": f"{WANTED * MOVED_A_SYNC / 86_400:.0f}",
        "TikTok calls a minute they would need, at 3 calls a sync": f"{WANTED / 1440 * 3:.0f}",
    }


async def measure(address: str, creators: int, accounts: int) -> dict[str, Any]:
    database = await open_database(address)
    await migrate.upgrade(database)
    connection = await database.connect()
    await fill(connection, creators, accounts)
    drained = await drain(database, connection)
    nothing_due = await idle(database)
    await connection.execute("update creators set next_sync_at = now() where random() < 0.02", timeout=600)
    await connection.execute("vacuum analyze creators", timeout=600)
    plans = {
        "plan": await explained(
            connection,
            schedule.PLAN,
            "TIKTOK",
            True,
            schedule.MOST_A_TURN,
            schedule.CLAIMED_FOR,
            schedule.DEPTHS[0],
        ),
        "sweep": await explained(connection, schedule.OPEN_SYNCS, schedule.STALE_AFTER, schedule.MOST_A_TURN),
        "open": await explained(connection, schedule.OPEN),
    }
    rows = await connection.fetch(SIZES, ["creators", "grants", "syncs"])
    due = [json.loads(row["indexes"]).get("ix_creators_due") for row in rows]
    bytes_a_row = await weights(connection)
    await connection.close()
    async with database.write() as session:
        version = await (await raw(session)).fetchval("show server_version")
    await database.close()
    return {
        "machine": f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, PostgreSQL {version}",
        "creators, accounts": f"{creators:,}, {accounts:,}",
        "drained": drained,
        "a turn with nothing due, ms": nothing_due,
        "statements": plans,
        "index of who is due, bytes a creator": round(max(size or 0 for size in due) / creators, 1),
        "bytes a row with indexes": bytes_a_row,
        "for 10 million, multiplied": arithmetic(bytes_a_row, drained),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--creators", type=int, default=200_000)
    parser.add_argument("--accounts", type=int, default=2_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="creator-graph-bench-") as home:
        Path(home).chmod(0o755)
        server, address = embedded.start(Path(home) / "pg")
        print(
            json.dumps(
                asyncio.run(measure(address, asked.creators, asked.accounts)), indent=2, ensure_ascii=False
            )
        )
        del server


if __name__ == "__main__":
    main()
