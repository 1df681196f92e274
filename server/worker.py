"""The worker: runs the jobs, and what must be done now and then, until it is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import partitions
from db.session import Database, raw
from services import (
    anomalies,
    connecting,
    erase,
    idempotency,
    jobs,
    platform_events,
    public_videos,
    refusals,
    renewing,
    schedule,
    shared_limits,
    sync,
    usage,
)
from services.platforms import registry
from services.vault import Vault

CONCURRENCY = 20
SWEEP_EVERY = timedelta(seconds=30)
PLAN_EVERY = timedelta(seconds=5)
RENEW_EVERY = timedelta(minutes=10)
ANSWERS_EVERY = timedelta(hours=1)
HOUSEKEEPING_EVERY = timedelta(days=1)
ROLL_UP_EVERY = timedelta(minutes=1)
ANOMALIES_EVERY = timedelta(minutes=3)

log = structlog.get_logger(__name__)


async def run(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    stop: asyncio.Event,
    *,
    concurrency: int = CONCURRENCY,
) -> None:
    """Work until `stop` is set; slices that run then end after their page."""
    handlers: Mapping[str, jobs.Handler] = {
        jobs.SYNC_SLICE: lambda payload: sync.run_slice(database, vault, platforms, payload, stop=stop),
        jobs.ERASE: lambda payload: platform_events.erase_job(database, vault, payload),
        jobs.RETRY_REVOCATION: lambda payload: erase.retry_revocation(database, vault, platforms, payload),
    }
    periodics = [
        jobs.Periodic("sweep", SWEEP_EVERY, _transaction(database, schedule.sweep)),
        jobs.Periodic("deletions", SWEEP_EVERY, _transaction(database, platform_events.sweep)),
        jobs.Periodic("plan", PLAN_EVERY, _transaction(database, schedule.plan)),
        jobs.Periodic("renew", RENEW_EVERY, lambda: renewing.renew_idle(database, vault, platforms)),
        jobs.Periodic("roll-up", ROLL_UP_EVERY, lambda: usage.roll_up(database)),
        jobs.Periodic("anomalies", ANOMALIES_EVERY, lambda: anomalies.find(database)),
        jobs.Periodic("answers", ANSWERS_EVERY, _transaction(database, _forget_answers)),
        jobs.Periodic("housekeeping", HOUSEKEEPING_EVERY, _transaction(database, _keep_house)),
    ]
    log.info("worker.started", concurrency=concurrency)
    await jobs.Worker(database, handlers, periodics, concurrency).run(stop)
    log.info("worker.stopped")


def _transaction(
    database: Database, work: Callable[[AsyncSession], Awaitable[Any]]
) -> Callable[[], Awaitable[None]]:
    async def once() -> None:
        async with database.write() as session:
            await work(session)

    return once


async def _forget_answers(session: AsyncSession) -> None:
    """Kept answers end a day after they were given, and buckets that are full again hold nothing."""
    now = datetime.now(UTC)
    await idempotency.forget_old(session, now)
    await shared_limits.forget_full(session, now)


async def _keep_house(session: AsyncSession) -> None:
    """Partitions ahead, old ones gone, and what nobody asks for any more."""
    now = datetime.now(UTC)
    await partitions.ensure(session, now)
    # Rows of hours that are not summed yet stay, however old.
    await partitions.drop_old(session, now, used_until={"usage_events": await usage.rolled_until(session)})
    await usage.forget_old(session, now)
    await anomalies.forget_old(session, now)
    await connecting.forget_old(session, now)
    await public_videos.forget_old(session, now)
    await platform_events.forget_old(session)
    await idempotency.forget_old(session, now)
    await refusals.forget_old(await raw(session))
    await jobs.trim(session)
