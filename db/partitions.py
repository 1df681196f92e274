"""Partitions made ahead and dropped when old: a job calls `ensure` and `drop_old` once a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


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


async def ensure(session: AsyncSession, now: datetime) -> None:
    """Make today's partition and those ahead, for every series; harmless when they stand."""
    # Two processes that start together would both try: the lock makes one wait.
    await session.execute(text("select pg_advisory_xact_lock(hashtext('creator-graph partitions'))"))
    for series in SERIES:
        start = _start(series, now)
        for _ in range(series.ahead + 1):
            after = _next(series, start)
            await session.execute(
                text(
                    f"create table if not exists {_name(series, start)} partition of {series.table} "
                    f"for values from ('{start.isoformat()}') to ('{after.isoformat()}')"
                )
            )
            start = after


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
