"""Requests a minute, counted for several processes together: in PostgreSQL, or in Redis where that is set.

The same GCRA as in memory, in whole microseconds of the store's own clock. Requests of one caller that come
while the store is asked go together in its next round; a round asks once for each account, so that what it
decides for one key cannot bear on another's. When the store is away, each process goes on with its share in
memory, from where it last saw the store.
"""

import asyncio
import collections
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database
from services import callers, errors, rate_limits
from services.rate_limits import Allowance, Bucket

log = logging.getLogger(__name__)

MICROSECOND = 1_000
"""In nanoseconds, which is what `rate_limits` counts in."""
PATIENCE = 0.5
AWAY_SECONDS = 1.0
COUNT_NODES_SECONDS = 5.0
MOST_AT_ONCE = 200

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

FORGET = "delete from rate_limits where full_at < (extract(epoch from cast(:now as timestamptz)) * 1000000)::bigint"

# As TAKE, for one caller. KEYS: the key's bucket, the account's. ARGV: steps, windows, how many, and how full the
# node that asks last saw them: what was let through while Redis was away, or has forgotten, counts.
SCRIPT = """
local t = redis.call('TIME')
local at = t[1] * 1000000 + t[2]
local wanted = tonumber(ARGV[5])
local passed = wanted
local levels = {}
for i = 1, 2 do
  local step, window = tonumber(ARGV[i * 2 - 1]), tonumber(ARGV[i * 2])
  local level = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), tonumber(ARGV[5 + i]), at)
  levels[i] = math.min(level, at + window)
  if step > 0 then passed = math.min(passed, math.floor((at + window - levels[i]) / step)) end
end
passed = math.max(passed, 0)
for i = 1, 2 do
  local step = tonumber(ARGV[i * 2 - 1])
  if step > 0 and passed > 0 then
    local full = levels[i] + passed * step
    redis.call('SET', KEYS[i], string.format('%.0f', full), 'PX', math.ceil((full - at) / 1000) + 1000)
  end
end
return {passed, string.format('%.0f', at), string.format('%.0f', levels[1]), string.format('%.0f', levels[2])}
"""


class Limit(NamedTuple):
    """A bucket's limit in microseconds: a request takes `step`, the bucket holds `window`. 0: unlimited."""

    step: int
    window: int

    @classmethod
    def of(cls, requests_per_minute: int) -> "Limit":
        if not requests_per_minute:
            return cls(0, 0)
        step = -(-rate_limits.WINDOW_SECONDS * 1_000_000 // requests_per_minute)
        return cls(step, step * requests_per_minute)


class Wish(NamedTuple):
    """So many requests of one caller at once."""

    caller: callers.Caller
    many: int
    key: Limit
    account: Limit
    seen: tuple[int, int]
    """When its two buckets are full again, as this node last saw them."""


class Told(NamedTuple):
    """How many of a wish passed, by the store's clock, and how full its buckets were before."""

    passed: int
    at: int
    key_level: int
    account_level: int


class Store(Protocol):
    """Where buckets are that several processes share."""

    async def take(self, wishes: Sequence[Wish]) -> list[Told]: ...

    async def nodes(self) -> int:
        """How many processes share it."""
        ...

    async def close(self) -> None: ...


@dataclass
class _Waiting:
    caller: callers.Caller
    now: datetime
    future: asyncio.Future[Allowance] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class SharedLimits:
    """Counts in a store; in this process's share of the limits while the store is away."""

    def __init__(
        self, store: Store, *, away_seconds: float = AWAY_SECONDS, patience: float = PATIENCE
    ) -> None:
        self._store = store
        self._seen = rate_limits.RateLimits()
        """Buckets as they were last seen; while the store is away, as they would be if all nodes did as this one."""
        self._share = rate_limits.RateLimits()
        """This process's share of each bucket: what it let through itself counts once for every node."""
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._work: asyncio.Task[None] | None = None
        self._away_seconds, self._patience = away_seconds, patience
        self._away_until = 0.0
        self._counted_at = float("-inf")
        self.nodes = 1

    def take(self, caller: callers.Caller, now: datetime) -> "Allowance | asyncio.Future[Allowance]":
        """Count one request. Raises RateLimited, at once or when it is awaited."""
        if not caller.requests_per_minute and not caller.account_requests_per_minute:
            return self._share.take(caller, now)
        if time.monotonic() < self._away_until:
            return self._alone(caller, now)
        waiting = _Waiting(caller, now)
        self._queue.append(waiting)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())
        return waiting.future

    def peek(self, caller: callers.Caller, now: datetime) -> Allowance:
        """How it stood when this process last saw it, counting nothing."""
        return self._seen.peek(caller, now)

    async def close(self) -> None:
        if self._work is not None:
            await asyncio.wait({self._work})
        await self._store.close()

    async def _run(self) -> None:
        while self._queue:
            await self._round(self._gathered())

    def _gathered(self) -> list[list[_Waiting]]:
        """One caller an account, with all of its requests; whoever else waits has the next round."""
        groups: dict[tuple[object, bool], list[_Waiting]] = {}
        left: list[_Waiting] = []
        while self._queue:
            waiting = self._queue.popleft()
            account = (waiting.caller.account_id, waiting.caller.livemode)
            group = groups.get(account)
            if group is not None and group[0].caller == waiting.caller:
                group.append(waiting)
            elif group is None and len(groups) < MOST_AT_ONCE:
                groups[account] = [waiting]
            else:
                left.append(waiting)
        self._queue.extend(left)
        return list(groups.values())

    async def _round(self, groups: Sequence[list[_Waiting]]) -> None:
        """Every one of them gets an answer, whatever happens."""
        try:
            async with asyncio.timeout(self._patience):
                await self._count_nodes()
                told = await self._store.take([self._wish(group) for group in groups])
        except Exception as error:  # noqa: BLE001 -- a limit that cannot be counted is counted here
            self._lose(groups, error)
            return
        for group, answer in zip(groups, told, strict=True):
            self._tell(group, answer)

    async def _count_nodes(self) -> None:
        now = time.monotonic()
        if now - self._counted_at > COUNT_NODES_SECONDS:
            self.nodes = max(1, await self._store.nodes())
            self._counted_at = now

    def _wish(self, group: Sequence[_Waiting]) -> Wish:
        caller = group[0].caller
        seen = [self._seen.full_at(bucket) // MICROSECOND for bucket in _buckets(caller)]
        limits = caller.requests_per_minute, caller.account_requests_per_minute
        return Wish(caller, len(group), Limit.of(limits[0]), Limit.of(limits[1]), (seen[0], seen[1]))

    def _tell(self, group: Sequence[_Waiting], told: Told) -> None:
        """The first that came are those that passed. Levels are kept, for when the store is away."""
        caller, at = group[0].caller, told.at * MICROSECOND
        levels = [told.key_level, told.account_level]
        steps = Limit.of(caller.requests_per_minute).step, Limit.of(caller.account_requests_per_minute).step
        for number, waiting in enumerate(group):
            if number < told.passed:
                levels = [level + step for level, step in zip(levels, steps, strict=True)]
            for bucket, level in zip(_buckets(caller), levels, strict=True):
                self._seen.set_full_at(bucket, level * MICROSECOND)
            if waiting.future.done():
                continue
            if number < told.passed:
                waiting.future.set_result(self._seen.allowance(caller, at))
            else:
                waiting.future.set_exception(self._seen.refusal(caller, at))
        self._share.advance(caller, at, told.passed * self.nodes)
        for bucket in _buckets(caller):
            self._share.set_full_at(bucket, max(self._share.full_at(bucket), self._seen.full_at(bucket)))
        self._seen.tidy(at)
        self._share.tidy(at)

    def _alone(self, caller: callers.Caller, now: datetime) -> Allowance:
        """Counted in this process's share. Raises RateLimited."""
        allowance = self._share.take(caller, now, nodes=self.nodes)
        self._seen.advance(caller, rate_limits.nanoseconds(now), self.nodes)
        return allowance

    def _lose(self, groups: Sequence[list[_Waiting]], error: Exception) -> None:
        """The store is away: a share of the limits each, until it is asked again."""
        log.warning("rate limits are counted by each process: %r", error)
        self._away_until = time.monotonic() + self._away_seconds
        for waiting in (waiting for group in groups for waiting in group):
            if waiting.future.done():
                continue
            try:
                waiting.future.set_result(self._alone(waiting.caller, waiting.now))
            except errors.RateLimited as refusal:
                waiting.future.set_exception(refusal)


def _buckets(caller: callers.Caller) -> tuple[Bucket, Bucket]:
    account_id, livemode = caller.account_id, caller.livemode
    return Bucket(account_id, livemode, caller.key_id), Bucket(account_id, livemode, None)


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
        return int(await self._connection.fetchval(NODES))

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
            self._connection = await self._database.connect(
                application_name="creator-graph limits",
                plan_cache_mode="force_generic_plan",
                synchronous_commit="off",  # nothing of it outlives a crash anyway
                statement_timeout="4s",
            )
            self._statement = await self._connection.prepare(TAKE, name="take")
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


async def forget_full(session: AsyncSession, now: datetime) -> None:
    """A full bucket is as good as none."""
    await session.execute(text(FORGET), {"now": now})
