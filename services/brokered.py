"""Jobs through a message broker. Their rows stay the truth: the broker says where to look, a row what to do.

`Relay` tells the broker of rows that are due, after their transaction committed; `Rows` takes the rows of which
a worker was told, under the same lease as without a broker. While the broker is away, or mute, workers look for
rows by themselves.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import structlog
from aio_pika.abc import AbstractChannel
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.domain.settings import db_settings
from pgqueuer.models import Job
from pgqueuer.ports.driver import NotifyCallback
from pgqueuer.queries import Queries

from db.session import Connection, Database
from services import broker, jobs
from services.broker import Broker

WINDOW = 1_000
"""So many messages wait in a queue at most, told again when half are gone: what is more waits in its rows."""

TOLD_AGAIN_AFTER = timedelta(seconds=30)
"""A row that is still due then was not heard of: its message is lost, or comes twice."""

SILENCE_SECONDS = 10.0
TAKE_SECONDS = 2.0
TURN_SECONDS = 0.5
REST_SECONDS = 0.05

# A machine that vanished with the lock must not keep it for the hours that are PostgreSQL's default.
KEEPALIVES = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"}

ALONE = "select pg_try_advisory_lock(hashtext('creator-graph relay'))"

# `since`: when the row began to wait for a worker. A message older than that was about an earlier run.
DUE = f"""
select id, now() as at,
  case status when 'queued' then execute_after else heartbeat + $3::interval end as since
from {jobs.TABLE}
where (priority >= $1) = $2
  and (status = 'queued' and execute_after <= now() or status = 'picked' and heartbeat < now() - $3::interval)
order by priority desc, id limit $4
"""  # noqa: S608 -- our constant

# The engine's own claim, but for rows by their ids. Locked in their order: two claims never wait for each other.
CLAIM = f"""
with told as (
  select id from {jobs.TABLE}
  where id = any($1::bigint[]) and entrypoint = any($3::text[])
    and (status = 'queued' and execute_after <= now() or status = 'picked' and heartbeat < now() - $4::interval)
  order by id for update
), claimed as (
  update {jobs.TABLE} set status = 'picked', updated = now(), heartbeat = now(), queue_manager_id = $2
  where id in (select id from told)
  returning *
), logged as (
  insert into {jobs.TABLE}_log (job_id, status, entrypoint, priority)
  select id, status, entrypoint, priority from claimed
)
select * from claimed order by priority desc, id
"""  # noqa: S608 -- our constant

log = structlog.get_logger(__name__)


@dataclass
class Rows(Queries):
    """The engine's rows, taken as the broker tells of them."""

    inbox: broker.Inbox = field(kw_only=True)
    _heard_at: float = field(init=False, default=0.0)
    _looking: bool = field(init=False, default=False)

    async def dequeue(
        self,
        batch_size: int,
        entrypoints: dict[Any, Any],
        queue_manager_id: Any,
        global_concurrency_limit: int | None,
        heartbeat_timeout: timedelta,
    ) -> list[Job]:
        """Rows told of; after a silence, and while the broker is away, whatever rows are due."""
        now = asyncio.get_running_loop().time()
        if self.inbox.is_open:
            ids = await self.inbox.take(batch_size, 0 if self._looking else TAKE_SECONDS)
            while ids:
                self._heard_at, self._looking = now, False
                claimed = await self._claim(ids, queue_manager_id, list(entrypoints), heartbeat_timeout)
                if claimed:
                    return claimed
                ids = await self.inbox.take(batch_size, 0)
            if now - self._heard_at < SILENCE_SECONDS:
                return []
        found = await super().dequeue(
            batch_size, entrypoints, queue_manager_id, global_concurrency_limit, heartbeat_timeout
        )
        self._looking = bool(found)
        return found

    async def _claim(self, ids: list[int], owner: Any, entrypoints: list[Any], stale: timedelta) -> list[Job]:
        rows = await self.driver.fetch(CLAIM, ids, owner, entrypoints, stale)
        claimed = [Job.model_validate(row) for row in rows]
        self.inbox.done(set(ids).difference(job.id for job in claimed))
        return claimed

    async def log_jobs(self, job_status: list[Any]) -> None:
        """A job is over; then its message is."""
        await super().log_jobs(job_status)
        self.inbox.done([job.id for job, _, _ in job_status])

    async def retry_job(self, job: Job, delay: timedelta, traceback_record: Any) -> None:
        """The row waits for its time; it will be told of then."""
        await super().retry_job(job, delay, traceback_record)
        self.inbox.done([job.id])

    async def eligible_queued_work(self, entrypoints: list[Any]) -> int:
        """Rows that are due are no reason to look here: `dequeue` waits for their messages."""
        return 1 if self.inbox.is_open else await super().eligible_queued_work(entrypoints)


@dataclass
class Source:
    """Where a worker's engine finds its jobs when there is a broker."""

    broker: Broker
    concurrency: int

    @contextlib.asynccontextmanager
    async def __call__(self, connection: asyncpg.Connection, stop: asyncio.Event) -> AsyncIterator[Queries]:
        """Rows for one life of the engine: the database and the broker are left together."""
        async with broker.receiving(self.broker, self.concurrency, stop) as inbox:
            yield Rows(_Driver(connection, inbox), inbox=inbox)


class _Driver(AsyncpgDriver):
    """Leaves out notices of changed rows while messages come: the engine would keep each until it is read."""

    def __init__(self, connection: asyncpg.Connection, inbox: broker.Inbox) -> None:
        super().__init__(connection)
        self._inbox = inbox

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        def heard(payload: str | bytes | bytearray) -> None:
            if not (self._inbox.is_open and "table_changed_event" in str(payload)):
                callback(payload)

        await super().add_listener(channel, heard)


@dataclass
class Relay:
    """Tells the broker of rows that are due. Of all workers' relays one works, the others stand by.

    What was told is remembered here alone: a relay that takes over tells everything again, and the rows sort it
    out.
    """

    database: Database
    broker: Broker
    stale_after: timedelta = jobs.HEARTBEAT_TIMEOUT
    _told: dict[tuple[str, int], datetime] = field(init=False, default_factory=dict)
    _said: str = field(init=False, default="")

    async def run(self) -> None:
        """Until the database or the broker is lost."""
        connection = await self.database.connect(application_name="creator-graph relay", **KEEPALIVES)
        try:
            while not await connection.fetchval(ALONE):  # noqa: ASYNC110 -- nobody tells when the other ends
                await asyncio.sleep(TURN_SECONDS)
            await broker.apart(self._relay(connection))
        except broker.AWAY as error:
            kind = type(error).__name__
            if kind != self._said:
                log.warning("relay.away", kind=kind)
            self._said = kind
        finally:
            self._told.clear()
            connection.terminate()

    async def _relay(self, connection: Connection) -> None:
        changed = asyncio.Event()
        await connection.add_listener(db_settings().channel, lambda *_: changed.set())
        async with self.broker.channel() as channel:
            self._said = ""
            while True:
                changed.clear()
                for lane in broker.LANES:
                    await self._tell(connection, channel, lane)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TURN_SECONDS):
                        await changed.wait()
                await asyncio.sleep(REST_SECONDS)

    async def _tell(self, connection: Connection, channel: AbstractChannel, lane: str) -> None:
        """Fill the queue where it runs low, with rows that were not told of."""
        if await broker.declare(channel, lane) > WINDOW // 2:
            return
        awaited = lane == broker.AWAITED
        rows = await connection.fetch(DUE, jobs.SOON, awaited, self.stale_after, WINDOW)
        if not rows:
            return
        at = rows[0]["at"]
        self._forget_before(at - TOLD_AGAIN_AFTER)
        ids = self._untold(lane, rows)[: WINDOW // 2]
        await broker.publish(channel, lane, ids)
        self._told.update(((lane, job), at) for job in ids)

    def _untold(self, lane: str, rows: Iterable[Any]) -> list[int]:
        untold = []
        for row in rows:
            at = self._told.get((lane, row["id"]))
            if at is None or at < row["since"]:
                untold.append(row["id"])
        return untold

    def _forget_before(self, moment: datetime) -> None:
        self._told = {row: at for row, at in self._told.items() if at >= moment}
