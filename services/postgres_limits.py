"""Rate limits in PostgreSQL: one statement for the callers of a round."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database
from services.shared_limits import PATIENCE, Told, Wish

# Both buckets of each caller, held in one order; what fits both is taken off both. Rows are there: MAKE made them.
# `moves` must be materialized: where a row changed under the statement, PostgreSQL evaluates a UNION ALL in UPDATE's
# FROM anew, on the old snapshot, and writes a level that others have passed since.
TAKE = """
with asked as materialized (
  select * from unnest($1::uuid[], $2::bool[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[]) with ordinality
         as t(account_id, livemode, key_id, key_step, key_window, account_step, account_window, wanted, ord)
), buckets as materialized (
  select account_id, livemode, key_id from asked
   union all
  select account_id, livemode, account_id from asked
), held as materialized (
  select r.account_id, r.livemode, r.key_id, r.full_at
    from rate_limits r
   where (r.account_id, r.livemode, r.key_id) in (select account_id, livemode, key_id from buckets)
   order by r.account_id, r.livemode, r.key_id
     for no key update
), clock as materialized (
  select count(*) as rows, (extract(epoch from clock_timestamp()) * 1000000)::bigint as at from held
), stood as materialized (
  select a.*, c.at, k.full_at is null or h.full_at is null as missing,
         least(greatest(k.full_at, c.at), c.at + a.key_window) as key_level,
         least(greatest(h.full_at, c.at), c.at + a.account_window) as account_level
    from asked a
   cross join clock c
    left join held k on (k.account_id, k.livemode, k.key_id) = (a.account_id, a.livemode, a.key_id)
    left join held h on (h.account_id, h.livemode, h.key_id) = (a.account_id, a.livemode, a.account_id)
), judged as materialized (
  select s.*,
         case when missing then -1 else greatest(0, least(wanted,
           (at + key_window - key_level) / nullif(key_step, 0),
           (at + account_window - account_level) / nullif(account_step, 0))) end as passed
    from stood s
), moves as materialized (
  select account_id, livemode, key_id, key_level + passed * key_step as full_at
    from judged where passed > 0 and key_step > 0
   union all
  select account_id, livemode, account_id, account_level + passed * account_step
    from judged where passed > 0 and account_step > 0
), taken as (
  update rate_limits r
     set full_at = x.full_at
    from moves x
   where (r.account_id, r.livemode, r.key_id) = (x.account_id, x.livemode, x.key_id)
)
select ord, passed, at, key_level, account_level from judged order by ord
"""

# Made full before they are first taken from, so that of two nodes that meet a caller first neither is overlooked.
MAKE = """
insert into rate_limits (account_id, livemode, key_id, full_at)
select account_id, livemode, key_id, 0
  from unnest($1::uuid[], $2::bool[], $3::uuid[]) as t(account_id, livemode, key_id)
 order by account_id, livemode, key_id
    on conflict do nothing
"""

NODES = """
select count(*) from pg_stat_activity
 where application_name = 'creator-graph limits' and datname = current_database()
"""

# Each process that serves the API listens, whether it is asked anything or not.
LISTENERS = """
select count(*) from pg_stat_activity
 where application_name = 'creator-graph events' and datname = current_database()
"""

FORGET = "delete from rate_limits where full_at < (extract(epoch from cast(:now as timestamptz)) * 1000000)::bigint"


class PostgresStore:
    """Rows of an UNLOGGED table, on a connection of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: asyncpg.Connection | None = None
        self._statement: PreparedStatement | None = None

    async def take(self, wishes: Sequence[Wish]) -> list[Told]:
        statement = await self._prepared()
        try:
            rows = await statement.fetch(*_columns(wishes))
            if any(row["passed"] < 0 for row in rows):
                await self._make(wishes)
                rows = await self._again(statement, wishes, rows)
        except BaseException:
            self._drop()
            raise
        return [Told(row["passed"], row["at"], row["key_level"], row["account_level"]) for row in rows]

    async def nodes(self) -> int:
        await self._prepared()
        assert self._connection is not None
        try:
            return int(await self._connection.fetchval(NODES))
        except BaseException:
            self._drop()
            raise

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close(timeout=PATIENCE)

    async def _again(
        self, statement: PreparedStatement, wishes: Sequence[Wish], rows: Sequence[asyncpg.Record]
    ) -> list[asyncpg.Record]:
        """Those whose rows were missing, taken now that they are there."""
        found = list(rows)
        places = [place for place, row in enumerate(rows) if row["passed"] < 0]
        for place, row in zip(
            places, await statement.fetch(*_columns([wishes[place] for place in places])), strict=True
        ):
            found[place] = row
        return found

    async def _make(self, wishes: Sequence[Wish]) -> None:
        assert self._connection is not None
        buckets = [
            (wish.caller.account_id, wish.caller.livemode, id)
            for wish in wishes
            for id in (wish.caller.key_id, wish.caller.account_id)
        ]
        await self._connection.execute(MAKE, *map(list, zip(*buckets, strict=True)))

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._statement = None

    async def _prepared(self) -> PreparedStatement:
        if self._statement is None or self._connection is None or self._connection.is_closed():
            self._drop()
            self._connection = await self._database.connect(
                application_name="creator-graph limits",
                plan_cache_mode="force_generic_plan",
                synchronous_commit="off",  # nothing of it outlives a crash anyway
                statement_timeout="4s",
            )
            try:
                self._statement = await self._connection.prepare(TAKE, name="take")
            except BaseException:
                self._drop()  # left open, it would be counted as one more node
                raise
        return self._statement


def _columns(wishes: Sequence[Wish]) -> list[list[object]]:
    rows = [
        (
            wish.caller.account_id,
            wish.caller.livemode,
            wish.caller.key_id,
            *wish.key,
            *wish.account,
            wish.many,
        )
        for wish in wishes
    ]
    return [list(column) for column in zip(*rows, strict=True)]


async def listeners(database: Database) -> int:
    """How many processes serve the API: for who counts them in Redis, while that is away."""
    async with database.read() as connection:
        return int(await connection.fetchval(LISTENERS))


async def forget_full(session: AsyncSession, now: datetime) -> None:
    """A full bucket is as good as none."""
    await session.execute(text(FORGET), {"now": now})
