"""How much of a platform's limit is used up, by all workers and processes together.

A call is claimed in the database before it is sent. Where the claim cannot be made (the limit is reached,
the database is away) the call is not sent: a platform that is asked too often may shut out the whole app.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.away import is_away
from db.session import Database, raw
from services.platforms import base

MINUTE_SLOTS = 61  # seconds: the one that has begun, and the whole minute before it

_SECOND = "floor(extract(epoch from clock_timestamp()))::int8"
_PACIFIC_DAY = "((clock_timestamp() at time zone 'America/Los_Angeles')::date - date '2000-01-01')::int8"

# The slots of the past fall out at the front, the claim goes into the newest; all or nothing, in one statement,
# so that of all who claim at once no two count the same room. A clock that steps back makes nothing younger.
# A claim need not be on disk before the call is sent: a crash of PostgreSQL forgets those of its last half second, and
# if that was too many for once, the platform says so.
_CLAIM = """
insert into platform_budgets as b (platform, livemode, endpoint, slot, used)
values ($1, $2, $3, {slot}, array_fill(0::int8, array[$4::int - 1]) || $5::int8)
on conflict (platform, livemode, endpoint) do update set
  slot = greatest(excluded.slot, b.slot),
  used = (b.used || array_fill(0::int8, array[{gone}]))[{gone} + 1 : {gone} + $4 - 1]
         || (case when {gone} = 0 then b.used[$4] else 0 end + $5::int8)
where (select coalesce(sum(made), 0) from unnest(b.used) with ordinality as slots (made, place)
       where place > {gone}) + $5::int8 <= $6::int8
returning set_config('synchronous_commit', 'off', true) is not null
"""
_GONE = "least(greatest(excluded.slot - b.slot, 0), $4)::int"

CLAIM_SECONDS = _CLAIM.format(slot=_SECOND, gone=_GONE)
CLAIM_DAY = _CLAIM.format(slot=_PACIFIC_DAY, gone=_GONE)

# When enough of the slots will have fallen out.
FREE_AGAIN = """
select to_timestamp(b.slot + place)
from platform_budgets b, unnest(b.used) with ordinality as slots (made, place)
where b.platform = $1 and b.livemode = $2 and b.endpoint = $3
  and place <= $4 and (select coalesce(sum(later), 0) from unnest(b.used[place + 1:]) as later) + $5::int8 <= $6::int8
order by place limit 1
"""

NEXT_DAY = """
select (date_trunc('day', clock_timestamp() at time zone 'America/Los_Angeles') + interval '1 day')
       at time zone 'America/Los_Angeles'
"""


_NOBODY_WAITS: ContextVar[bool] = ContextVar("nobody_waits", default=False)


@contextlib.contextmanager
def spending(*, awaited: bool) -> Iterator[None]:
    """Whether somebody waits for what is called in the block: what nobody waits for leaves a reserve."""
    token = _NOBODY_WAITS.set(not awaited)
    try:
        yield
    finally:
        _NOBODY_WAITS.reset(token)


@dataclass(frozen=True)
class _Meter:
    """One limit: whose it is, how much of it may be used, and the statements of its window."""

    database: Database
    key: tuple[str, bool, str]
    slots: int
    most: int
    patience: float
    claim: str
    again: str

    async def spend(self, units: int) -> None:
        """Claim units, waiting a little where that is enough. Raises BudgetSpent, or Transient: fails closed."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self.patience
        while (retry_at := await self._refusal(units)) is not None:
            wait = (retry_at[0] - retry_at[1]).total_seconds()
            if loop.time() + wait > end:
                raise base.BudgetSpent(
                    "budget_spent", f"{self.key[2]}: the limit is used up.", retry_at=retry_at[0]
                )
            await asyncio.sleep(max(wait, 0.01))

    async def _refusal(self, units: int) -> tuple[datetime, datetime] | None:
        """None: claimed; else when to come again, and the database's time now."""
        room = (*self.key, self.slots, units, self.most)
        try:
            async with self.database.write() as session:
                connection = await raw(session)
                if units <= self.most and await connection.fetchval(self.claim, *room):
                    return None
                values = room if self.again == FREE_AGAIN else ()
                now: datetime = await connection.fetchval("select clock_timestamp()")
                again: datetime | None = await connection.fetchval(self.again, *values)
        except Exception as error:
            if not is_away(error):
                raise
            raise base.Transient("budget_away", f"{self.key[2]}: {type(error).__name__}") from None
        return again or now + timedelta(minutes=1), now


@dataclass(frozen=True)
class Budgets:
    """Meters over one database. `share`: how much of each limit is for us, the rest being kept for others

    (workers leave a tenth to the API, where somebody waits); `scheduled`: how much of it for what nobody waits for
    (of the day's last units a new creator is read); `patience`: seconds a claim may wait for room.
    """

    database: Database
    share: float = 1.0
    patience: float = 0.0
    scheduled: float | None = None

    def _allowed(self, most: int) -> int:
        if self.scheduled is not None and _NOBODY_WAITS.get():
            return int(most * self.scheduled)
        return int(most * self.share)

    def a_minute(self, platform: str, livemode: bool, most: int) -> Callable[[str], Awaitable[None]]:
        """Spends one call of the endpoint it is given: at most so many in any 60 seconds."""

        async def spend(endpoint: str) -> None:
            key, allowed = (platform, livemode, endpoint), self._allowed(most)
            meter = _Meter(
                self.database, key, MINUTE_SLOTS, allowed, self.patience, CLAIM_SECONDS, FREE_AGAIN
            )
            await meter.spend(1)

        return spend

    def a_pacific_day(self, platform: str, livemode: bool, most: int) -> Callable[[int], Awaitable[None]]:
        """Spends the units it is given: at most so many from midnight to midnight in California."""

        async def spend(units: int) -> None:
            key = (platform, livemode, "units")
            await _Meter(self.database, key, 1, self._allowed(most), 0.0, CLAIM_DAY, NEXT_DAY).spend(units)

        return spend
