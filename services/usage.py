"""Usage rows summed by the hour: each hour once, after its last row is there, and kept for 25 months.

Exactness. A row bears the time at which it was written (`clock_timestamp()`), and becomes visible when its
transaction commits, which may be after its hour has ended. An hour is therefore summed only when nobody who
could still write into it is at work: no transaction that has written anything began before the hour's end
(`LIMIT`). Until then, however long it takes, its rows are read as they are: the mark, moved in the
transaction that writes the sums, tells readers where one ends and the other begins.
"""

from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import partitions
from db.session import Connection, Database, raw

ROLL_UP = "roll-up"
HOUR = timedelta(hours=1)
MONTHS_KEPT = 25
ROLL_UP_SECONDS = 300  # a day's partition may be large, and nobody waits
FORGET_SECONDS = 60
NOTHING_YET = datetime.min.replace(tzinfo=UTC)  # how the driver reads -infinity

# All rows before this instant are committed, whatever runs. A minute's margin for those whose row has its time but
# whose transaction has no number yet, and for clocks set back a little. Needs the writers' own role, or pg_read_all_stats.
LIMIT = """
select least(clock_timestamp() - interval '1 minute', min(xact_start))
  from pg_stat_activity
 where datname = current_database() and backend_xid is not null and pid <> pg_backend_pid()
"""

# One worker at a time moves a mark; another finds nothing to do.
TAKE = "select until from usage_marks where name = $1 for update skip locked"
MOVE = "update usage_marks set until = $2 where name = $1"

# The oldest row's hour, once in a database's life.
OLDEST = "select date_trunc('hour', min(at), 'UTC') from usage_events"

# One hour, all its sums. Documents of coordinates are alike by the thousand: they are taken apart once.
# Conflicts cannot be, unless a mark was set back by hand: then the hour is told anew.
ROLL = """
with hours as (
  insert into usage_hourly (account_id, livemode, key_id, hour, requests, credits, errors, rate_limited, last_used_at)
  select account_id, livemode, key_id, $1, count(*), sum(credits)::bigint,
         count(*) filter (where code not in ('OK', 'RATE_LIMITED')),
         count(*) filter (where code = 'RATE_LIMITED'), max(at)
    from usage_events
   where at >= $1 and at < $2
   group by account_id, livemode, key_id
  on conflict (account_id, livemode, key_id, hour) do update
     set requests = excluded.requests, credits = excluded.credits, errors = excluded.errors,
         rate_limited = excluded.rate_limited, last_used_at = excluded.last_used_at
), alike as (
  select account_id, livemode, key_id, coordinates, count(*) as times
    from usage_events
   where at >= $1 and at < $2 and coordinates <> '{}'
   group by account_id, livemode, key_id, coordinates
), fields as (
  insert into usage_hourly_fields (account_id, livemode, key_id, hour, coordinate, calls, thousandths)
  select account_id, livemode, key_id, $1, c.key, sum(times * (c.value ->> 0)::bigint)::bigint,
         coalesce(sum(times * (c.value ->> 1)::bigint), 0)::bigint
    from alike, jsonb_each(coordinates) c
   group by account_id, livemode, key_id, c.key
  on conflict (account_id, livemode, key_id, hour, coordinate) do update
     set calls = excluded.calls, thousandths = excluded.thousandths
), countries as (
  insert into usage_hourly_countries (account_id, livemode, key_id, hour, country, requests)
  select account_id, livemode, key_id, $1, coalesce(country, ''), count(*)
    from usage_events
   where at >= $1 and at < $2
   group by account_id, livemode, key_id, coalesce(country, '')
  on conflict (account_id, livemode, key_id, hour, country) do update set requests = excluded.requests
)
update usage_marks set until = $2 where name = 'roll-up'
"""

# One at a time, and rows by the million to group.
ROOM = "set local work_mem = '64MB'"

FORGET = tuple(
    f"delete from {table} where hour < $1"  # noqa: S608 -- our constants
    for table in ("usage_hourly", "usage_hourly_fields", "usage_hourly_countries")
)

log = structlog.get_logger(__name__)


async def roll_up(database: Database) -> int:
    """Sum every hour that is over and not yet summed, the oldest first; answers how many.

    Safe to run again, by several at once, and to interrupt: an hour's sums and the mark commit together.
    """
    async with database.read() as connection:
        until = _hour(await limit(connection))
    hours = 0
    while await _roll_next(database, until):
        hours += 1
    if hours:
        log.info("usage.rolled_up", hours=hours)
    return hours


async def limit(connection: Connection) -> datetime:
    """All usage rows before this instant are there to be seen by whoever looks from now on."""
    found: datetime = await connection.fetchval(LIMIT)
    return found


async def take(connection: Connection, name: str) -> datetime | None:
    """A mark, held until the transaction ends; None where another worker holds it."""
    found: datetime | None = await connection.fetchval(TAKE, name)
    return _aware(found)


async def rolled_until(session: AsyncSession) -> datetime:
    """Rows before this instant are summed."""
    connection = await raw(session)
    found = await connection.fetchval("select until from usage_marks where name = $1", ROLL_UP)
    return _aware(found) or NOTHING_YET


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop sums older than 25 months."""
    connection = await raw(session)
    for statement in FORGET:
        await connection.execute(statement, oldest_sum(now), timeout=FORGET_SECONDS)


def oldest_sum(now: datetime) -> datetime:
    """Where the roll-ups begin: the start of a month, 25 months back."""
    months = now.astimezone(UTC).year * 12 + now.astimezone(UTC).month - 1 - MONTHS_KEPT
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC)


def oldest_row(now: datetime) -> datetime:
    """Where usage rows begin: the first day of which every row is kept."""
    return partitions.oldest_kept("usage_events", now)


def _aware(found: datetime | None) -> datetime | None:
    """The driver reads -infinity without a time zone."""
    return found and (found if found.tzinfo else NOTHING_YET)


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def _roll_next(database: Database, until: datetime) -> bool:
    """One hour more, in one transaction; False where none is left, or another worker is at it."""
    async with database.write() as session:
        connection = await raw(session)
        since = await take(connection, ROLL_UP)
        if since is None or since >= until:
            return False
        if since == NOTHING_YET:
            since = await connection.fetchval(OLDEST, timeout=ROLL_UP_SECONDS)
            if since is None or since >= until:
                await connection.execute(MOVE, ROLL_UP, until if since is None else since)
                return False
        await connection.execute(ROOM)
        await connection.execute(ROLL, since, since + HOUR, timeout=ROLL_UP_SECONDS)
        return True
