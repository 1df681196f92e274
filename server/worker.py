"""The worker: runs the jobs, and what must be done now and then, until it is told to stop."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db import backends
from db.session import Database, open_database
from server import housekeeping
from services import (
    anomalies,
    idempotency,
    jobs,
    platform_events,
    postgres_limits,
    renewing,
    revocations,
    schedule,
    sync,
    thinning,
    usage,
)
from services.platforms import registry
from services.vault import Vault

CONCURRENCY = 20
CONNECTIONS, PATIENCE_SECONDS = 3, 30.0
GENTLE = backends.Way(niceness=10)
SWEEP_EVERY = timedelta(seconds=30)
PLAN_EVERY = timedelta(seconds=5)
RELAY_EVERY = timedelta(seconds=1)
RENEW_EVERY = timedelta(minutes=10)
ANSWERS_EVERY = timedelta(hours=1)
THIN_EVERY = timedelta(minutes=10)
HOUSEKEEPING_EVERY, HOUSEKEEPING_AGAIN = timedelta(days=1), timedelta(minutes=1)
ROLL_UP_EVERY = timedelta(minutes=1)
ANOMALIES_EVERY = timedelta(minutes=3)

log = structlog.get_logger(__name__)


def way(*, beside: bool) -> backends.Way:
    """How far a worker gives way. `beside`: there is an API on its machine, to which it leaves half of the cores."""
    return dataclasses.replace(GENTLE, cores=backends.half_of_the_cores()) if beside else GENTLE


async def connected(address: str, gives: backends.Way = GENTLE) -> Database:
    """Few connections, that one waits for: however much there is to do, PostgreSQL does little of it at once.

    Without a try before each use: a slice whose connection was lost comes again by itself.
    """
    return await open_database(
        address,
        readers=CONNECTIONS,
        writers=CONNECTIONS,
        patience=PATIENCE_SECONDS,
        ping=False,
        way=gives,
    )


async def run(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    stop: asyncio.Event,
    *,
    concurrency: int = CONCURRENCY,
    nodes: Sequence[str] = (),
) -> None:
    """Work until `stop` is set; slices that run then end after their page. `nodes`: the broker's addresses."""
    handlers: Mapping[str, jobs.Handler] = {
        jobs.SYNC_SLICE: lambda payload: sync.run_slice(database, vault, platforms, payload, stop=stop),
        jobs.ERASE: lambda payload: platform_events.erase_job(database, vault, platforms, payload),
        jobs.RETRY_REVOCATION: lambda payload: revocations.retry(database, vault, platforms, payload),
    }
    periodics = [
        jobs.Periodic("sweep", SWEEP_EVERY, _transaction(database, schedule.sweep)),
        jobs.Periodic("deletions", SWEEP_EVERY, _transaction(database, platform_events.sweep)),
        jobs.Periodic("plan", PLAN_EVERY, _transaction(database, schedule.plan)),
        jobs.Periodic("renew", RENEW_EVERY, lambda: renewing.renew_idle(database, vault, platforms)),
        jobs.Periodic("roll-up", ROLL_UP_EVERY, lambda: usage.roll_up(database)),
        jobs.Periodic("anomalies", ANOMALIES_EVERY, lambda: anomalies.find(database)),
        jobs.Periodic("thin", THIN_EVERY, lambda: thinning.thin(database)),
        jobs.Periodic("answers", ANSWERS_EVERY, _transaction(database, _forget_answers)),
        jobs.Periodic(
            "housekeeping", HOUSEKEEPING_EVERY, housekeeping.Chores(database).run, again=HOUSEKEEPING_AGAIN
        ),
    ]
    source = jobs.looking
    if nodes:
        # Here, because its client is loaded only where there is a broker.
        from services import brokered  # noqa: PLC0415
        from services.broker import Broker  # noqa: PLC0415

        broker = Broker(nodes)
        source = brokered.Source(broker, concurrency)
        periodics.append(jobs.Periodic("relay", RELAY_EVERY, brokered.Relay(database, broker).run))
    log.info("worker.started", concurrency=concurrency, broker=bool(nodes))
    await jobs.Worker(database, handlers, periodics, concurrency, source).run(stop)
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
    await postgres_limits.forget_full(session, now)
