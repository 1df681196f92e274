"""What is unusual about a key: told once, to the account, with usage.

Most is found by a job, every few minutes, in the usage rows that came since it last looked (origins, retired
keys), in the hours since summed (spikes) and in the keys themselves (rotation, makers). What only a request
shows, and no usage row tells, is noted as it happens. Each kind says what makes one of it (`about`), and the
table holds it to once: jobs may run again, and by several at once.
"""

import asyncio
import collections
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, Database, raw
from services import callers, usage

Kind = Literal["RETIRED_KEY_USED", "KEY_IN_BROWSER"]
ORIGINS, SPIKES = "origins", "spikes"
LOOK_SECONDS = 60
AT_ONCE = timedelta(days=1)  # of usage rows, a transaction
LATE_SPIKES = timedelta(days=2)  # after a long downtime older ones are nobody's news
MOST_NOTED = 10_000

# The countries and networks of new rows; those never seen of a key are kept, and told unless they are its very first.
FIND_ORIGINS = """
with rows as (
  select account_id, livemode, key_id, country, ip, min(at) as at
    from usage_events
   where at >= $1 and at < $2
   group by account_id, livemode, key_id, country, ip
), origins as (
  select account_id, livemode, key_id, 'COUNTRY' as kind, country as origin, min(at) as at
    from rows where country is not null group by account_id, livemode, key_id, country
   union all
  select account_id, livemode, key_id, 'NETWORK', network, min(at)
    from (select *, host(network(n)) || '/' || masklen(n) as network
            from (select *, set_masklen(ip, case family(ip) when 4 then 24 else 48 end) as n
                    from rows where ip is not null) masked) named
   group by account_id, livemode, key_id, network
), added as (
  insert into key_origins (account_id, key_id, kind, origin, first_seen_at)
  select account_id, key_id, kind, origin, min(at) from origins group by account_id, key_id, kind, origin
  on conflict do nothing
  returning account_id, key_id, kind, origin
), new as (
  select o.*, row_number() over (partition by account_id, key_id, kind order by o.at, origin) as turn,
         exists (select from key_origins k where k.account_id = o.account_id and k.key_id = o.key_id
                    and k.kind = o.kind) as known
    from origins o join added using (account_id, key_id, kind, origin)
)
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
select account_id, livemode, key_id, 'NEW_' || kind, origin, at,
       'Used from ' || case kind when 'NETWORK' then 'the network ' else '' end || origin || ' for the first time.'
  from new
 where known or turn > 1
on conflict do nothing
"""

# Use of a key that was rotated away from. Revoked keys are refused before a row is written: they are noted.
FIND_RETIRED = """
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
select u.account_id, u.livemode, u.key_id, 'RETIRED_KEY_USED', to_char(min(u.at) at time zone 'UTC', 'YYYY-MM-DD'),
       min(u.at), 'Used after it was rotated; something still holds the old secret.'
  from usage_events u
  join api_keys k on k.account_id = u.account_id and k.id = u.key_id and k.retiring_since < u.at
 where u.at >= $1 and u.at < $2
 group by u.account_id, u.livemode, u.key_id, date_trunc('day', u.at, 'UTC')
on conflict do nothing
"""

# An hour far above what is usual at this time of day; a key's first day has nothing to compare with. Tiny
# numbers do not shout: at least 20 requests, or 4 errors, count as usual.
FIND_SPIKES = """
with compared as (
  select u.account_id, u.livemode, u.key_id, u.requests, u.errors, m.requests as usual_requests, m.errors as usual_errors
    from usage_hourly u
   cross join lateral (
     select percentile_cont(0.5) within group (order by coalesce(p.requests, 0)) as requests,
            percentile_cont(0.5) within group (order by coalesce(p.errors, 0)) as errors
       from generate_series(1, 14) as day
       left join usage_hourly p on p.account_id = u.account_id and p.livemode = u.livemode and p.key_id = u.key_id
             and p.hour = $1::timestamptz - make_interval(days => day)) m
   where u.hour = $1::timestamptz and (u.requests > 100 or u.errors > 20)
     and exists (select from usage_hourly b where b.account_id = u.account_id and b.livemode = u.livemode
                    and b.key_id = u.key_id and b.hour <= $1::timestamptz - interval '1 day' and b.hour > $1::timestamptz - interval '15 days')
), found as (
  select *, 'REQUEST_SPIKE' as kind, 'requests' as what, requests as counted, usual_requests as usual
    from compared where requests > 5 * greatest(usual_requests, 20)
   union all
  select *, 'ERROR_SPIKE', 'errors', errors, usual_errors
    from compared where errors > 5 * greatest(usual_errors, 4)
)
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
select account_id, livemode, key_id, kind, to_char($1::timestamptz at time zone 'UTC', 'YYYY-MM-DD'), $1::timestamptz,
       counted || ' ' || what || ' in the hour from ' || to_char($1::timestamptz at time zone 'UTC', 'HH24:MI')
       || ' UTC; usual at this hour: ' || round(usual::numeric)
  from found
on conflict do nothing
"""

# Once a month as long as it stays so; a key that was rotated already is not asked for again.
FIND_OVERDUE = """
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
select account_id, livemode, id, 'ROTATION_OVERDUE', to_char(m.month at time zone 'UTC', 'YYYY-MM'),
       greatest(rotation_due_at, m.month),
       'Due for rotation since ' || to_char(rotation_due_at at time zone 'UTC', 'YYYY-MM-DD') || '.'
  from api_keys, (select date_trunc('month', now(), 'UTC') as month) m
 where rotation_due_at < now() and revoked_at is null and retiring_since is null
   and (expires_at is null or expires_at > now())
on conflict do nothing
"""

FIND_LEFT = """
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
select k.account_id, k.livemode, k.id, 'MAKER_LEFT', k.created_by::text, now(),
       'Who made it has left the account and may know its secret.'
  from api_keys k
 where k.created_by is not null and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())
   and not exists (select from members m where m.account_id = k.account_id and m.id = k.created_by)
on conflict do nothing
"""

NOTE = """
insert into anomalies (account_id, livemode, key_id, kind, about, at, detail)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing
"""
DETAILS: dict[Kind, str] = {
    "RETIRED_KEY_USED": "Presented after it was rotated or revoked; something still holds the old secret.",
    "KEY_IN_BROWSER": "A page in a browser sent it, where anybody can read it.",
}

FORGET = "delete from anomalies where at < $1"

log = structlog.get_logger(__name__)


async def find(database: Database) -> None:
    """Look at all that came since the last look. Safe to run again, and by several at once."""
    async with database.read() as connection:
        until = await usage.limit(connection)
    while await _find_in_rows(database, until):
        pass
    while await _find_in_next_hour(database):
        pass
    async with database.write() as session:
        connection = await raw(session)
        await connection.execute(FIND_OVERDUE, timeout=LOOK_SECONDS)
        await connection.execute(FIND_LEFT, timeout=LOOK_SECONDS)


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop what is older than the usage it is told with."""
    connection = await raw(session)
    await connection.execute(FORGET, usage.oldest_sum(now), timeout=LOOK_SECONDS)


async def _find_in_rows(database: Database, until: datetime) -> bool:
    """A day of new rows at most, in one transaction; False where none are left."""
    async with database.write() as session:
        connection = await raw(session)
        since = await usage.take(connection, ORIGINS)
        if since is None or since >= until:
            return False
        since = max(since, usage.oldest_row(until))
        to = min(since + AT_ONCE, until)
        for statement in (FIND_ORIGINS, FIND_RETIRED):
            await connection.execute(statement, since, to, timeout=LOOK_SECONDS)
        await connection.execute(usage.MOVE, ORIGINS, to)
        return True


async def _find_in_next_hour(database: Database) -> bool:
    """One summed hour more; False where none is left."""
    async with database.write() as session:
        connection = await raw(session)
        since, until = await usage.take(connection, SPIKES), await usage.rolled_until(session)
        if since is None or since >= until:
            return False
        hour = max(since, until - LATE_SPIKES)
        await connection.execute(FIND_SPIKES, hour, timeout=LOOK_SECONDS)
        await connection.execute(usage.MOVE, SPIKES, hour + usage.HOUR)
        return True


# -- what only a request shows


class Notes:
    """Notes anomalies as they happen, beside the requests that show them: nobody waits, nothing fails for it.

    One of a key, a kind and a day is written once a process, whatever knocks: a revoked key in a loop costs nothing.
    """

    def __init__(self, database: Database, *, most: int = MOST_NOTED) -> None:
        self._database = database
        self._most = most
        self._noted: collections.OrderedDict[tuple[object, ...], None] = collections.OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    def note(self, caller: callers.Caller, kind: Kind, *, detail: str | None = None) -> None:
        """Write down that `kind` happened to the caller's key today."""
        at = datetime.now(UTC)
        mark = (caller.account_id, caller.key_id, kind, f"{at:%Y-%m-%d}")
        if mark in self._noted:
            return
        self._noted[mark] = None
        if len(self._noted) > self._most:
            self._noted.popitem(last=False)
        task = asyncio.get_running_loop().create_task(
            self._write(mark, caller, kind, at, detail or DETAILS[kind])
        )
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Write what waits, then leave."""
        await asyncio.gather(*self._writing)

    async def _write(
        self, mark: tuple[object, ...], caller: callers.Caller, kind: Kind, at: datetime, detail: str
    ) -> None:
        try:
            async with self._database.write() as session:
                connection: Connection = await raw(session)
                values = (caller.account_id, caller.livemode, caller.key_id, kind, mark[-1], at, detail)
                await connection.execute(NOTE, *values)
        except Exception as error:  # noqa: BLE001 -- whoever asked has long been answered; the next time may work
            self._noted.pop(mark, None)
            log.warning("anomaly.not_noted", kind=kind, trouble=type(error).__name__)
