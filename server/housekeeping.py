"""What is done once a day: partitions ahead, old ones gone, and what nobody asks for any more."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db import partitions
from db.session import Database, raw
from services import (
    anomalies,
    connecting,
    idempotency,
    jobs,
    platform_events,
    public_videos,
    refusals,
    sent_documents,
    usage,
)

# Whoever charges queues behind one that waits to lock the table, and gives up after a second.
SHORT_WAIT = "set local lock_timeout = '300ms'"

log = structlog.get_logger(__name__)

Chore = Callable[[AsyncSession, datetime], Awaitable[Any]]


async def _drop_old(session: AsyncSession, now: datetime) -> None:
    """Rows of hours that are not summed yet stay, however old."""
    used_until = {"usage_events": await usage.rolled_until(session)}
    await session.execute(text(SHORT_WAIT))
    await partitions.drop_old(session, now, used_until=used_until)


async def _ensure(series: partitions.Series, session: AsyncSession, now: datetime) -> None:
    await session.execute(text(SHORT_WAIT))
    await partitions.ensure(session, now, (series,))


CHORES: Mapping[str, Chore] = {
    **{f"ensure {series.table}": functools.partial(_ensure, series) for series in partitions.SERIES},
    "drop old partitions": _drop_old,
    "usage": usage.forget_old,
    "anomalies": anomalies.forget_old,
    "documents": sent_documents.forget_old,
    "connects": connecting.forget_old,
    "videos": public_videos.forget_old,
    "platform events": lambda session, _now: platform_events.forget_old(session),
    "answers": idempotency.forget_old,
    "refusals": lambda session, _now: _forget_refusals(session),
    "jobs": lambda session, _now: jobs.trim(session),
}


async def _forget_refusals(session: AsyncSession) -> None:
    await refusals.forget_old(await raw(session))


class Unfinished(Exception):
    """Some chores failed."""


class Chores:
    """One after the other, each in a transaction of its own: none keeps another's locks, or takes it back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._left: Mapping[str, Chore] = {}

    async def run(self) -> None:
        """All of them; after Unfinished those that failed. Raises Unfinished."""
        chores = self._left or CHORES
        self._left = {name: chore for name, chore in chores.items() if not await self._done(name, chore)}
        if self._left:
            raise Unfinished(", ".join(self._left))

    async def _done(self, name: str, chore: Chore) -> bool:
        try:
            async with self._database.write() as session:
                await chore(session, datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 -- the next one may work
            log.warning("housekeeping.failed", chore=name, kind=type(error).__name__)
            return False
        return True
