"""Partitions made ahead and dropped when old: `server.housekeeping` calls `ensure` and `drop_old` once a day."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Series:
    """A partitioned table: how long a partition lasts, how many are made ahead, how long one is kept."""

    table: str
    every: Literal["month", "day"]
    ahead: int
    kept_days: int | None


SERIES = (
    Series("creator_stats", "month", ahead=3, kept_days=None),
    Series("video_stats", "month", ahead=3, kept_days=None),
    Series("usage_events", "day", ahead=14, kept_days=90),
)


def _start(series: Series, at: datetime) -> datetime:
    first = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return first.replace(day=1) if series.every == "month" else first


def _next(series: Series, start: datetime) -> datetime:
    return (
        _start(series, start + timedelta(days=32)) if series.every == "month" else start + timedelta(days=1)
    )


def _name(series: Series, start: datetime) -> str:
    return f"{series.table}_{start:%Y_%m}" if series.every == "month" else f"{series.table}_{start:%Y_%m_%d}"


async def ensure(session: AsyncSession, now: datetime, chosen: Sequence[Series] | None = None) -> None:
    """Make today's partition and those ahead, for every series unless some are chosen; harmless when they stand."""
    # Two processes that start together would both try: the lock makes one wait.
    await session.execute(text("select pg_advisory_xact_lock(hashtext('creator-graph partitions'))"))
    for series in SERIES if chosen is None else chosen:
        start = _start(series, now)
        for _ in range(series.ahead + 1):
            after = _next(series, start)
            await _make(session, series, start, after, ahead=start > now)
            start = after


async def _make(
    session: AsyncSession, series: Series, start: datetime, after: datetime, *, ahead: bool
) -> None:
    """One partition; rows that were late for it, and wait in the default one, move in."""
    name, late = _name(series, start), f"{series.table}_default"
    if await session.scalar(text("select to_regclass(:name) is not null"), {"name": name}):
        return
    bounds = f"for values from ('{start.isoformat()}') to ('{after.isoformat()}')"
    if await session.scalar(text("select to_regclass(:name) is null"), {"name": late}):
        await session.execute(text(f"create table {name} partition of {series.table} {bounds}"))
        return
    # Held, so that none comes in between the moving and the attaching; empty but for a failure of ours. Into a day
    # ahead nothing is written yet: there the table stays open to whoever writes.
    held = late if ahead else f"{series.table}, {late}"
    await session.execute(text(f"lock table {held} in access exclusive mode"))
    await session.execute(
        text(f"create table {name} (like {series.table} including defaults including constraints)")
    )
    moved = await session.scalar(
        text(
            f"with late as (delete from {late} where at >= '{start.isoformat()}' and at < '{after.isoformat()}' "  # noqa: S608 -- our own names
            f"returning *), moved as (insert into {name} select * from late returning 1) select count(*) from moved"
        )
    )
    await session.execute(text(f"alter table {series.table} attach partition {name} {bounds}"))
    if moved:
        log.warning("partition %s was made late: %d rows moved into it", name, moved)


async def months(connection: Connection, table: str) -> list[tuple[datetime, datetime]]:
    """From when to when each partition of a monthly series lasts, the oldest first."""
    rows = await connection.fetch(
        "select inhrelid::regclass::text as name from pg_inherits where inhparent = $1::text::regclass", table
    )
    series = next(series for series in SERIES if series.table == table)
    parts = [row["name"].removeprefix(f"{table}_") for row in rows]
    starts = sorted(
        datetime.strptime(part, "%Y_%m").replace(tzinfo=UTC) for part in parts if part != "default"
    )
    return [(start, _next(series, start)) for start in starts]


def oldest_kept(table: str, now: datetime) -> datetime:
    """Where a series begins whose partitions are dropped: the start of its oldest."""
    series = next(series for series in SERIES if series.table == table)
    assert series.kept_days is not None
    return _start(series, now - timedelta(days=series.kept_days))


async def drop_old(
    session: AsyncSession, now: datetime, *, used_until: Mapping[str, datetime] | None = None
) -> list[str]:
    """Drop partitions past their time; answers their names.

    `used_until`: a table's rows from that instant on are still needed, however old.
    """
    dropped: list[str] = []
    for series in SERIES:
        if series.kept_days is None:
            continue
        needed = min(oldest_kept(series.table, now), (used_until or {}).get(series.table, now))
        oldest = _name(series, _start(series, needed))
        names = await session.scalars(
            text("select inhrelid::regclass::text from pg_inherits where inhparent = cast(:t as regclass)"),
            {"t": series.table},
        )
        for name in [name for name in names if name < oldest]:
            await session.execute(text(f"drop table {name}"))
            dropped.append(name)
    return dropped
