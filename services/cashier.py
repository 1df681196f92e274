"""The cashier: settles reads before their answers leave, many in one statement and one commit."""

import asyncio
import collections
import logging
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from db.session import Database
from services import amends, balances, errors, express, ledger, purses
from services.ledger import Settled, Usage

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500
MOST_RECORDS = 10_000
CONNECT_SECONDS = 3
# A batch costs nearly as much as one of its own. So many share that well enough.
ENOUGH = 16
# Where no more run at once, nobody queues for a connection either: waiting here would make them slower, and nothing cheaper.
FEW = 24
# The express lane leaves a key's `last_used_at` as it is: the other one, which keeps it to the minute, gets its turn.
TOUCHED_SECONDS = 50
MOST_TOUCHED = 20_000
# The tables changed under a prepared statement, or this server no longer writes: only a new connection helps.
STALE = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ReadOnlySQLTransactionError,
)
# Nobody's fault: halves would fail as the whole did, one after the other. What may pass is tried once more, whole.
PASSING = (*STALE, asyncpg.TransactionRollbackError)
NOBODYS = (*PASSING, asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError)
# So long those are looked for, one account after the other, whose balances somebody else holds.
HELD_SECONDS = 2.0
HELD = """
with free as materialized (
  select account_id from credit_balances where account_id = any($1::uuid[]) for no key update skip locked
)
select account_id from credit_balances
 where account_id = any($1::uuid[]) and account_id not in (select account_id from free)
"""


class _Waiting(NamedTuple):
    """An operation in the queue. Without a future it is only written down."""

    usage: Usage
    future: asyncio.Future[ledger.Outcome] | None

    def answer(self, outcome: ledger.Outcome) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(outcome)


# A statement that settles operations; it may leave some to the other.
Lane = type[express.Batch] | type[ledger.Batch]


class Cashier:
    """One a process; more would only make smaller batches. While one is under way the next gathers."""

    def __init__(
        self, database: Database, *, most_at_once: int = MOST_AT_ONCE, most_records: int = MOST_RECORDS
    ) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._most_at_once = most_at_once
        self._most_records = most_records
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._work: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._statements: dict[str, PreparedStatement] = {}
        self._touched: dict[UUID, float] = {}
        self._closed = False
        self._under_way = 0
        self._amends: set[asyncio.Task[ledger.Outcome]] = set()
        self._reading: dict[UUID, asyncio.Future[purses.Standing]] = {}
        self.purses = purses.Purses()
        """Balances as this process last saw them."""
        self.dropped = 0
        """Records that were not written down, because the queue was full or the database away."""

    def expect(self) -> None:
        """An operation begins that will be settled: a batch waits a turn for those on their way."""
        self._under_way += 1

    def forgo(self) -> None:
        """It is over, settled or not. As often as `expect`."""
        self._under_way -= 1

    async def settle(self, usage: Usage) -> Settled:
        """Charge an operation and write it down; only then may its answer leave.

        Raises Unauthenticated (REVOKED, EXPIRED), Forbidden (PLAN), CreditsExhausted: nothing was charged.
        Raises Unavailable: whether it was charged is unknown. A caller that is cancelled is charged as well.
        """
        return ledger.stood(await self.begin(usage))

    def begin(self, usage: Usage) -> asyncio.Future[ledger.Outcome]:
        """The same, with the outcome to be waited for later: of an operation that is still being read."""
        # A future each: when a client hangs up, its neighbours' answers must not be cancelled with its own.
        future: asyncio.Future[ledger.Outcome] = self._loop.create_future()
        if self._closed:
            future.set_result(errors.Unavailable())
        else:
            self._put(_Waiting(usage, future))
        return future

    async def amend(self, written: Usage, meant: Usage) -> Settled:
        """Set right what was settled, where it was not delivered so. Raises Unavailable.

        A caller that is cancelled gets back as much.
        """
        work = self._loop.create_task(self._amended(written, meant))
        self._amends.add(work)
        work.add_done_callback(self._amends.discard)
        return ledger.stood(await asyncio.shield(work))

    async def _amended(self, written: Usage, meant: Usage) -> ledger.Outcome:
        try:
            settled = await amends.amend(self._database, written, meant)
        except Exception as error:  # noqa: BLE001 -- whoever waits must be told
            log.warning(
                "what account %s was charged was not set right, %d credits: %r",
                written.caller.account_id, written.credits - meant.credits, error,
            )  # fmt: skip
            return errors.Unavailable()
        self._see(written, settled)
        return settled

    def record(self, usage: Usage) -> None:
        """Write down an operation that was refused or failed, at leisure and free of charge."""
        if self._closed or len(self._queue) >= self._most_records:
            self.dropped += 1
        else:
            self._put(_Waiting(usage, None))

    async def standing(self, account_id: UUID) -> Settled:
        """The balance beside an answer that cost nothing: as it was seen lately, else read, once for all who ask.

        Raises what reading raises.
        """
        seen = self.purses.standing(account_id)
        if seen is None:
            reading = self._reading.get(account_id)
            if reading is None:
                reading = self._reading[account_id] = asyncio.ensure_future(self._read(account_id))
                reading.add_done_callback(lambda done: self._read_done(account_id, done))
            seen = await asyncio.shield(reading)
        return Settled(0, seen.remaining, seen.limit, seen.reset_at)

    async def _read(self, account_id: UUID) -> purses.Standing:
        async with self._database.read() as connection:
            stands = await balances.balance(connection, account_id, datetime.now(UTC))
        self.purses.see(account_id, stands.remaining, stands.limit, stands.reset_at)
        return purses.Standing(stands.remaining, stands.limit, stands.reset_at, 0.0)

    def _read_done(self, account_id: UUID, done: "asyncio.Future[purses.Standing]") -> None:
        del self._reading[account_id]
        if not done.cancelled():
            done.exception()  # told to those who waited; if nobody does any more, to nobody

    async def close(self) -> None:
        """Settle what waits, then leave."""
        self._closed = True
        if self._work is not None:
            await asyncio.wait({self._work})
        if self._amends:
            await asyncio.wait(self._amends)
        if self._connection is not None:
            await self._connection.close(timeout=CONNECT_SECONDS)
            self._connection = None

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        if self._work is None or self._work.done():
            # The task starts after whatever else is ready to run now, so that it joins the first batch.
            self._work = self._loop.create_task(self._run())

    async def _run(self) -> None:
        while self._queue:
            await self._gather()
            size = min(len(self._queue), self._most_at_once)
            await self._settle([self._queue.popleft() for _ in range(size)])

    async def _gather(self) -> None:
        """While many are under way and each turn of the loop brings more: until half of them wait here, or enough."""
        here = 0
        while here < len(self._queue) and not self._are_enough():
            here = len(self._queue)
            await asyncio.sleep(0)

    def _are_enough(self) -> bool:
        waiting, running = len(self._queue), self._under_way
        return self._closed or running <= FEW or waiting >= ENOUGH or 2 * waiting >= running

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Every one of the batch gets an answer, whatever happens."""
        quick, rest = self._parted(batch)
        if quick:
            rest += await self._pass(quick, express.Batch)
        if rest:
            await self._pass(rest, ledger.Batch)

    def _parted(self, batch: Sequence[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
        """Those for the express lane, an account's all or none, so that they are judged in the order they came.

        None where they are few: a second statement costs more than it saves them.
        """
        now = time.monotonic()
        slow = {waiting.usage.caller.account_id for waiting in batch if not self._is_quick(waiting, now)}
        if not slow:
            return list(batch), []
        quick = [waiting for waiting in batch if waiting.usage.caller.account_id not in slow]
        if 2 * len(quick) < len(batch):
            return [], list(batch)
        return quick, [waiting for waiting in batch if waiting.usage.caller.account_id in slow]

    def _is_quick(self, waiting: _Waiting, now: float) -> bool:
        touched = self._touched.get(waiting.usage.caller.key_id, 0.0) > now
        return touched and waiting.future is not None and express.takes(waiting.usage)

    async def _pass(self, batch: Sequence[_Waiting], lane: Lane, *, again: bool = True) -> list[_Waiting]:
        """Settle them; answers those that the lane leaves to the other one. `again`: what may pass is tried again."""
        try:
            statement = await self._prepared(lane)
        except Exception as error:  # noqa: BLE001 -- whatever it is, a part of the batch would not get further
            return self._lose(batch, error)
        try:
            asked = lane(
                [waiting.usage for waiting in batch], [waiting.future is not None for waiting in batch]
            )
            outcomes = asked.outcomes(await statement.fetch(*asked.columns()))
        except asyncpg.PostgresError as error:
            return await self._refused(batch, lane, error, again=again)
        except Exception as error:  # noqa: BLE001 -- whoever waits must be told
            return self._lose(batch, error)
        left = []
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not self._tell(waiting, outcome, lane):
                left.append(waiting)
            elif self._database.readers.queued:
                await asyncio.sleep(
                    0
                )  # answers that all leave at once keep the database waiting for the loop
        return left

    def _tell(self, waiting: _Waiting, outcome: ledger.Outcome | None, lane: Lane) -> bool:
        """Whether it is settled."""
        if outcome is None:
            return False
        self._see(waiting.usage, outcome)
        if lane is ledger.Batch and isinstance(outcome, Settled):
            self._touch(waiting.usage.caller.key_id)
        waiting.answer(outcome)
        return True

    def _touch(self, key_id: UUID) -> None:
        if len(self._touched) >= MOST_TOUCHED:
            self._touched.clear()
        self._touched[key_id] = time.monotonic() + TOUCHED_SECONDS

    def _see(self, usage: Usage, outcome: ledger.Outcome) -> None:
        """Remember the balance, and who is short."""
        account_id = usage.caller.account_id
        if isinstance(outcome, Settled):
            self.purses.see(account_id, outcome.remaining, outcome.limit, outcome.reset_at)
        elif isinstance(outcome, errors.CreditsExhausted):
            of_key = isinstance(outcome, errors.KeyCreditsExhausted)
            key_id = usage.caller.key_id if of_key else None
            self.purses.withhold(account_id, outcome.remaining, outcome.reset_at, key_id=key_id)

    async def _refused(
        self, batch: Sequence[_Waiting], lane: Lane, error: asyncpg.PostgresError, *, again: bool
    ) -> list[_Waiting]:
        """PostgreSQL refused the statement. Where an operation may be at fault, halves are tried, to find which."""
        if isinstance(error, asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError):
            return self._lose(batch, error)
        if isinstance(error, STALE):
            self._drop()
        if again and isinstance(error, asyncpg.LockNotAvailableError):
            return await self._around_held(batch, lane)
        if again and isinstance(error, PASSING):
            return await self._pass(batch, lane, again=False)
        if len(batch) == 1 or isinstance(error, (*NOBODYS, asyncpg.LockNotAvailableError)):
            return self._fail(batch, error)
        middle = len(batch) // 2
        left = await self._pass(batch[:middle], lane, again=again)
        return left + await self._pass(batch[middle:], lane, again=again)

    async def _around_held(self, batch: Sequence[_Waiting], lane: Lane) -> list[_Waiting]:
        """Once more, without those whose balances are held; then those, an account at a time, while there is time.

        Another node's batch holds balances for a moment too: only a second try tells who is held for long.
        """
        until = time.monotonic() + HELD_SECONDS
        try:
            held = await self._held({waiting.usage.caller.account_id for waiting in batch})
        except Exception as error:  # noqa: BLE001 -- whoever waits must be told
            return self._lose(batch, error)
        free = [waiting for waiting in batch if waiting.usage.caller.account_id not in held]
        left = await self._pass(free, lane, again=False) if free else []
        for account_id in held:
            its = [waiting for waiting in batch if waiting.usage.caller.account_id == account_id]
            if time.monotonic() < until:
                left += await self._pass(its, lane, again=False)
            else:
                self._fail(its, TimeoutError())
        return left

    async def _held(self, account_ids: Collection[UUID]) -> list[UUID]:
        assert self._connection is not None
        return [row[0] for row in await self._connection.fetch(HELD, list(account_ids))]

    def _lose(self, batch: Sequence[_Waiting], error: Exception) -> list[_Waiting]:
        """What became of the statement is unknown, and the connection is not to be trusted."""
        self._drop()
        return self._fail(batch, error)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> list[_Waiting]:
        """Everyone is told; nobody is left."""
        log.warning("settlement of %d operations failed: %r", len(batch), error)
        for waiting in batch:
            self.dropped += waiting.future is None
            waiting.answer(errors.Unavailable())
        return []

    def _drop(self) -> None:
        """The next batch gets a new connection."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = None
        self._statements.clear()

    async def _prepared(self, lane: Lane) -> PreparedStatement:
        """Its statement, on a living connection of the cashier's own."""
        if self._connection is None or self._connection.is_closed():
            self._statements.clear()
            async with asyncio.timeout(CONNECT_SECONDS):
                self._connection = await self._database.connect(
                    application_name="creator-graph cashier",
                    plan_cache_mode="force_generic_plan",
                    # Everything here is looked up by its key, however small its table was as the plan was made.
                    enable_seqscan="off",
                    # Whoever was answered was charged: the commit is on disk before the answer leaves.
                    synchronous_commit="on",
                    statement_timeout="4s",
                    lock_timeout="1s",
                )
        if lane.name not in self._statements:
            async with asyncio.timeout(CONNECT_SECONDS):
                self._statements[lane.name] = await self._connection.prepare(lane.sql, name=lane.name)
        return self._statements[lane.name]
