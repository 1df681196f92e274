"""Background jobs: with `services.brokered` the only module that knows the queue engine (PgQueuer, on PostgreSQL).

A job says "look at this row"; the row is the truth. A job may run twice, or be lost with its worker:
handlers are fenced, and the sweeper in `services.schedule` finds rows that no job speaks of.
"""

import asyncio
import contextlib
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, Database, raw

SYNC_SLICE = "sync_slice"
RETRY_REVOCATION = "retry_revocations"
ERASE = "erase_creators"

TABLE = "pgqueuer"
SOON, LATER = 10, 0
"""Priorities: what somebody waits for, and what nobody does."""


def priority(awaited: bool) -> int:
    return SOON if awaited else LATER


# Recovery after a worker's death takes heartbeat + dequeue timeout; the engine's defaults make it 60 s.
DEQUEUE_TIMEOUT = timedelta(seconds=2)
HEARTBEAT_TIMEOUT = timedelta(seconds=5)
RESTART_SECONDS = 1.0
LOG_KEPT = timedelta(days=7)

# What the engine writes by itself (who took a job, that it is done) need not be on disk: after a crash of PostgreSQL
# a job runs again, and finds its slice over.
OF_THE_QUEUE = {"application_name": "creator-graph worker", "synchronous_commit": "off"}

# Keys read `<id>:<slice>`; held (failed) rows count too, and no index covers those: the queue is short.
FORGET = f"delete from {TABLE} where split_part(dedupe_key, ':', 1) = any($1::text[])"  # noqa: S608 -- our constant

HASTEN = f"update {TABLE} set priority = $2 where dedupe_key = $1 and status = 'queued' and priority < $2"  # noqa: S608 -- our constant

# The engine logs every state of every job and never forgets.
TRIM = (
    f"delete from {TABLE}_log where created < now() - $1::interval and aggregated",  # noqa: S608 -- our constant
    f"delete from {TABLE} where status = 'failed' and updated < now() - $1::interval",  # noqa: S608 -- our constant
)

log = structlog.get_logger(__name__)

Handler = Callable[[Mapping[str, Any]], Awaitable[timedelta | None]]
"""Takes a payload; answers None when done, or how long to wait before the same job runs again."""

Source = Callable[[Connection, asyncio.Event], AbstractAsyncContextManager[Queries]]
"""Where the engine finds its jobs on this connection, until the event is set."""


class Broken(Exception):
    """A job failed unexpectedly. Carries the kind only: the engine keeps the text in a table."""


async def enqueue(
    session: AsyncSession,
    entrypoint: str,
    payload: Mapping[str, Any],
    key: str,
    *,
    priority: int = LATER,
    delay: timedelta | None = None,
) -> bool:
    """A job that exists when and if the session commits; False when one with the key waits or runs."""
    return await enqueue_many(session, entrypoint, [(key, payload)], priority=priority, delay=delay) == 1


async def enqueue_many(
    session: AsyncSession,
    entrypoint: str,
    jobs: Sequence[tuple[str, Mapping[str, Any]]],
    *,
    priority: int = LATER,
    delay: timedelta | None = None,
) -> int:
    """Many jobs as (key, payload), in one statement; answers how many were new."""
    connection = await raw(session)
    if not connection.is_in_transaction():
        # BEGIN is sent with the session's first statement: without one the job would outlive a rollback.
        await session.execute(text("select 1"))
    count = len(jobs)
    made = await Queries.from_asyncpg_connection(connection).enqueue(
        [entrypoint] * count,
        [json.dumps(payload).encode() for _, payload in jobs],
        [priority] * count,
        [delay or timedelta()] * count,
        [key for key, _ in jobs],
        on_conflict="skip",
    )
    return sum(job is not None for job in made)


async def forget(connection: Connection, ids: Sequence[UUID]) -> int:
    """Take out every job whose key begins with one of the ids, running ones too; answers how many."""
    done = await connection.execute(FORGET, [str(row) for row in ids])
    return int(done.split()[-1])


async def hasten(connection: Connection, key: str) -> None:
    """Somebody waits now for a job that nobody waited for."""
    await connection.execute(HASTEN, key, SOON)


async def trim(session: AsyncSession) -> None:
    """Drop the engine's old log rows and held jobs."""
    connection = await raw(session)
    for statement in TRIM:
        await connection.execute(statement, LOG_KEPT)


@contextlib.asynccontextmanager
async def looking(connection: Connection, stop: asyncio.Event) -> AsyncIterator[Queries]:
    """Jobs are found by looking at their rows."""
    yield Queries.from_asyncpg_connection(connection)


@dataclass(frozen=True)
class Periodic:
    """Something a worker does now and then, harmless when several workers do it at once. `again`: after a failure."""

    name: str
    every: timedelta
    run: Callable[[], Awaitable[object]]
    again: timedelta | None = None


@dataclass
class Worker:
    """Runs jobs until it is told to stop; starts again whenever the database was lost."""

    database: Database
    handlers: Mapping[str, Handler]
    periodics: Sequence[Periodic] = ()
    concurrency: int = 20
    source: Source = looking
    _stop: asyncio.Event = field(init=False, default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; running jobs are finished first."""
        self._stop = stop
        beside = [asyncio.create_task(self._repeat(each), name=each.name) for each in self.periodics]
        try:
            while not stop.is_set():
                await self._once()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _once(self) -> None:
        """One life of the engine: it ends with the database or with us."""
        try:
            connection = await self.database.connect(**OF_THE_QUEUE)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            await self._rest(type(error).__name__)
            return
        try:
            async with self.source(connection, self._stop) as rows:
                await self._consume(connection, rows)
        except Exception as error:  # noqa: BLE001 -- whatever ended the engine, the next life may work
            await self._rest(type(error).__name__)
        finally:
            connection.terminate()

    async def _consume(self, connection: asyncpg.Connection, rows: Queries) -> None:
        manager = QueueManager(rows)
        for name, handler in self.handlers.items():
            manager.entrypoint(name, on_failure="hold")(_guarded(name, handler))
        stopping = asyncio.create_task(_pass_on(self._stop, manager.shutdown))
        connection.add_termination_listener(lambda _connection: manager.shutdown.set())
        try:
            await manager.run(
                dequeue_timeout=DEQUEUE_TIMEOUT,
                heartbeat_timeout=HEARTBEAT_TIMEOUT,
                batch_size=max(1, min(10, self.concurrency // 2)),
                max_concurrent_tasks=max(2, self.concurrency),
                shutdown_on_listener_failure=True,
            )
        finally:
            stopping.cancel()

    async def _rest(self, trouble: str) -> None:
        log.warning("worker.restarts", kind=trouble)
        await _wait(self._stop, RESTART_SECONDS)

    async def _repeat(self, periodic: Periodic) -> None:
        while True:
            rest = periodic.every
            try:
                await periodic.run()
            except Exception as error:  # noqa: BLE001 -- the next turn may work
                log.warning("worker.periodic_failed", name=periodic.name, kind=type(error).__name__)
                rest = periodic.again or rest
            await asyncio.sleep(rest.total_seconds())


def _guarded(name: str, handler: Handler) -> Callable[[Job], Awaitable[None]]:
    """The handler as the engine wants it: retries as its exception, failures without their words."""

    async def run(job: Job) -> None:
        delay: timedelta | None
        try:
            delay = await handler(json.loads(job.payload or b"{}"))
        except Exception as error:  # noqa: BLE001 -- the next run may work; here is where it is told
            # Whatever it is, its text must not reach the queue's own log.
            # The frames, never their variables: those hold tokens.
            frames = "".join(traceback.format_exception(error))
            log.error("job.broken", entrypoint=name, job=job.id, traceback=frames)  # noqa: TRY400
            trouble = type(error).__name__
        else:
            if delay is None:
                return
            trouble = ""
        if trouble:
            raise Broken(trouble)
        raise RetryRequested(delay=delay or timedelta())

    return run


async def _pass_on(heard: asyncio.Event, told: asyncio.Event) -> None:
    await heard.wait()
    told.set()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
