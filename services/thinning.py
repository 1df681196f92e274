"""History grows coarser with age: every reading for a while, then the last of each day, then of each week.

What is kept of a day or a week is its last reading, so a history by the day reads the same before and after, and no
series loses its newest point. It goes a month's partition at a time, once the whole month is old enough, in
batches along the primary key; where it has come to stands in a row, so that a killed worker costs one batch.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from db import partitions
from db.session import Connection, Database, raw

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "creator_stats": ("account_id", "creator_id"),
    "video_stats": ("account_id", "creator_id", "video_id"),
}
AFTER: Final = {"day": timedelta(days=90), "week": timedelta(days=400)}
"""A month's readings that are all older than this are thinned to one a day, to one a week (Monday to Sunday, UTC)."""

ROWS = 5_000
MOST_A_TURN = 100
REST_SECONDS = 0.05
"""Between batches, for whoever else needs the disk."""

# A month that is thinned by the week need not have been by the day.
OPEN = """
insert into thinnings (series, month, unit) values ($1, $2, $3) on conflict do nothing
"""
# One worker at a time holds a month; the others take another one.
TAKE = """
select after from thinnings where series = $1 and month = $2 and unit = $3 and done_at is null
for no key update skip locked
"""
SAVE = """
update thinnings set after = $4, removed = removed + $5, done_at = case when $6 then now() end
where series = $1 and month = $2 and unit = $3
"""

# Along the key from where the last batch ended, that row included: whether it was its step's last is told by the
# next one. Rows that somebody holds are being erased.
BATCH = """
with rows as materialized (
  select {keys}, at, date_trunc('{unit}', at, 'UTC') as step from {series}
  where at >= $1 and at < $2 and ({keys}, at) >= ({after})
  order by {keys}, at limit $3
), marked as (
  select {keys}, at, lead(step) over (partition by {keys} order by at) is not distinct from step as again from rows
), held as (
  select {theirs}, t.at from {series} t join marked m on ({theirs}, t.at) = ({marks}, m.at)
  where m.again and t.at >= $1 and t.at < $2
  for update of t skip locked
), removed as (
  delete from {series} t using held m where ({theirs}, t.at) = ({marks}, m.at) and t.at >= $1 and t.at < $2
  returning 1
)
select (select count(*) from rows) as seen, (select count(*) from removed) as removed,
       (select array[{texts}, at::text] from rows order by row({keys}, at) desc limit 1) as last
"""
BEGINNING = "00000000-0000-0000-0000-000000000000"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Month:
    """A month's readings of one table, and how coarse they are to become."""

    series: str
    start: datetime
    end: datetime
    unit: str

    @property
    def key(self) -> tuple[str, datetime, str]:
        return self.series, self.start, self.unit

    @property
    def statement(self) -> str:
        keys = KEYS[self.series]
        return BATCH.format(
            series=self.series,
            unit=self.unit,
            keys=", ".join(keys),
            texts=", ".join(f"{key}::text" for key in keys),
            theirs=", ".join(f"t.{key}" for key in keys),
            marks=", ".join(f"m.{key}" for key in keys),
            after=", ".join(f"${n}::text::uuid" for n in range(4, 4 + len(keys)))
            + f", ${4 + len(keys)}::text::timestamptz",
        )


async def thin(database: Database, now: datetime | None = None) -> int:
    """Some batches of the months that are due; answers how many readings were taken out."""
    removed, left = 0, MOST_A_TURN
    async with database.write() as session:
        months = await _due(await raw(session), now or datetime.now(UTC))
    for month in months:
        while left > 0:
            left -= 1
            gone = await _batch(database, month)
            if gone is None:
                break
            removed += gone
            await asyncio.sleep(REST_SECONDS)
    if removed:
        log.info("history.thinned", removed=removed)
    return removed


async def _due(connection: Connection, now: datetime) -> list[Month]:
    """Months that are old enough and not done, each in the coarsest unit that is due."""
    found = []
    for series in KEYS:
        for start, end in await partitions.months(connection, series):
            units = [unit for unit, age in AFTER.items() if end <= now - age]
            if units:
                month = Month(series, start, end, units[-1])
                await connection.execute(OPEN, *month.key)
                found.append(month)
    rows = await connection.fetch("select series, month, unit from thinnings where done_at is null")
    undone = {(row["series"], row["month"], row["unit"]) for row in rows}
    return [month for month in found if month.key in undone]


async def _batch(database: Database, month: Month) -> int | None:
    """One batch and its cursor in one transaction; None when there is nothing (more) to do."""
    async with database.write() as session:
        connection = await raw(session)
        place = await connection.fetchrow(TAKE, *month.key)
        if place is None:
            return None
        width = len(KEYS[month.series])
        after = place["after"] or [*([BEGINNING] * width), month.start.isoformat()]
        row: Any = await connection.fetchrow(month.statement, month.start, month.end, ROWS, *after)
        done = row["seen"] < ROWS
        await connection.execute(SAVE, *month.key, row["last"] or after, row["removed"], done)
        removed: int = row["removed"]
    return removed
