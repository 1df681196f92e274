"""Credits: what an account has, every change of it as a ledger row, and the cashier who charges for reads."""

import asyncio
import collections
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database, raw
from services import balances, errors, events, ledger, purses

log = logging.getLogger(__name__)

Usage = ledger.Usage
Settled = ledger.Settled
Balance = balances.Balance
Statement = balances.Statement
Disagreement = balances.Disagreement
balance = balances.balance
key_left = balances.key_left
show = balances.show
audit = balances.audit

MOST_AT_ONCE = 500
MOST_RECORDS = 10_000
CONNECT_SECONDS = 3
LARGEST = 10**15
# The tables changed under a prepared statement, or this server no longer writes: only a new connection helps.
STALE = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.ReadOnlySQLTransactionError,
)

# The first balance and its ledger row, in one statement.
OPEN = """
with opened as (
  insert into credit_balances (account_id, period, granted)
  select a.id, date_trunc('month', now(), 'UTC'), coalesce(a.monthly_credits, p.monthly_credits)
    from accounts a
    join plans p on p.name = a.plan
   where a.id = :account_id
  returning account_id, granted
)
insert into ledger (account_id, kind, amount, note)
select account_id, 'grant', granted, 'opening balance' from opened
"""

# The balance row, held until the transaction ends, and brought to this month first.
HOLD = """
with held as materialized (
  select b.account_id, b.period, b.granted, b.used,
         coalesce(a.monthly_credits, p.monthly_credits) as monthly,
         date_trunc('month', now(), 'UTC') as month
    from credit_balances b
    join accounts a on a.id = b.account_id
    join plans p on p.name = a.plan
   where b.account_id = :account_id
     for no key update of b
), renewed as (
  update credit_balances b
     set period = h.month, granted = h.monthly, used = 0
    from held h
   where b.account_id = h.account_id and h.period < h.month
), booked as (
  insert into ledger (account_id, kind, amount)
  select account_id, 'reset', monthly - (granted - used) from held where period < month
)
select case when period < month then monthly else granted - used end as remaining from held
"""

# One change of what was granted, and its ledger row.
CHANGE = """
with changed as (
  update credit_balances set granted = granted + :amount where account_id = :account_id
)
insert into ledger (account_id, kind, amount, note) values (:account_id, :kind, :amount, :note)
"""

# Given back: first of what was used this month, the rest on top of what was granted. The key's own count too.
REFUND = """
with back as (
  update credit_balances b
     set used = b.used - least(b.used, :amount), granted = b.granted + (:amount - least(b.used, :amount))
   where account_id = :account_id
), counted as (
  update key_balances set used = greatest(0, used - :amount)
   where account_id = :account_id and key_id = cast(:key_id as uuid)
     and period = date_trunc('month', now(), 'UTC')
)
insert into ledger (account_id, kind, amount, key_id, note)
values (:account_id, 'refund', :amount, :key_id, :note)
"""


async def opened(session: AsyncSession, account_id: UUID) -> None:
    """The first balance of an account: its monthly number."""
    await session.execute(text(OPEN), {"account_id": account_id})


async def grant(session: AsyncSession, account_id: UUID, amount: int, note: str | None = None) -> None:
    """More credits for this month. Raises BadUserInput, NotFound."""
    if not 1 <= amount <= LARGEST:
        raise errors.BadUserInput(f"`amount` must be 1 to {LARGEST}.", argument="amount")
    await hold(session, account_id)
    await _change(session, account_id, "grant", amount, note)


async def adjust(session: AsyncSession, account_id: UUID, amount: int, note: str) -> None:
    """Set a balance right, up or down, but never below nothing. Raises BadUserInput, NotFound."""
    if amount == 0 or abs(amount) > LARGEST:
        raise errors.BadUserInput(f"`amount` must be -{LARGEST} to {LARGEST}, not 0.", argument="amount")
    remaining = await hold(session, account_id)
    if remaining + amount < 0:
        raise errors.BadUserInput(
            f"`amount` takes away more than is left: {remaining} credits.", argument="amount"
        )
    await _change(session, account_id, "adjustment", amount, note)


async def refund(
    session: AsyncSession, account_id: UUID, amount: int, note: str, *, key_id: UUID | None = None
) -> None:
    """Give back what was charged for nothing. Raises BadUserInput, NotFound."""
    if not 1 <= amount <= LARGEST:
        raise errors.BadUserInput(f"`amount` must be 1 to {LARGEST}.", argument="amount")
    await hold(session, account_id)
    values = {"account_id": account_id, "amount": amount, "key_id": key_id, "note": note}
    await session.execute(text(REFUND), values)
    await notify(session, account_id)


async def notify(session: AsyncSession, account_id: UUID) -> None:
    """Tell every process to look at this balance again, once this transaction commits."""
    await events.notify(await raw(session), events.CREDITS, str(account_id))


async def hold(session: AsyncSession, account_id: UUID) -> int:
    """What remains, held until the transaction ends: nobody else charges this account meanwhile.

    Raises NotFound.
    """
    remaining: int | None = await session.scalar(text(HOLD), {"account_id": account_id})
    if remaining is None:
        raise errors.NotFound("account")
    return remaining


async def renumber(session: AsyncSession, account_id: UUID, before: int, after: int, held: int) -> None:
    """A new monthly number counts at once, by its difference; what is spent stays spent. Needs `hold`."""
    amount = max(after - before, -held)
    if amount:
        await _change(session, account_id, "adjustment", amount, f"monthly credits {before} to {after}")


async def charge(session: AsyncSession, usage: Usage) -> Settled:
    """Settle a mutation inside its own transaction, as its last statement: it holds the account's balance.

    Raises Unauthenticated, Forbidden or CreditsExhausted, upon which the transaction must not commit.
    """
    connection = await raw(session)
    try:
        row = await connection.fetchrow(ledger.SETTLE, *ledger.columns([usage], [True]))
    except asyncpg.LockNotAvailableError as error:
        raise errors.Unavailable from error
    return _settled(ledger.outcome(row, usage))


def _settled(outcome: ledger.Outcome) -> Settled:
    if isinstance(outcome, errors.ServiceError):
        raise outcome
    return outcome


async def _change(session: AsyncSession, account_id: UUID, kind: str, amount: int, note: str | None) -> None:
    values = {"account_id": account_id, "kind": kind, "amount": amount, "note": note}
    await session.execute(text(CHANGE), values)
    await notify(session, account_id)


# -- the cashier


class _Waiting(NamedTuple):
    """An operation in the queue. Without a future it is only written down."""

    usage: Usage
    future: asyncio.Future[ledger.Outcome] | None

    def answer(self, outcome: ledger.Outcome) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(outcome)


class Cashier:
    """Settles reads before their answers leave, many in one commit: while one batch is under way the next
    gathers. One a process; more would only make smaller batches.
    """

    def __init__(
        self, database: Database, *, most_at_once: int = MOST_AT_ONCE, most_records: int = MOST_RECORDS
    ) -> None:
        self._database = database
        self._most_at_once = most_at_once
        self._most_records = most_records
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._work: asyncio.Task[None] | None = None
        self._connection: asyncpg.Connection | None = None
        self._statement: PreparedStatement | None = None
        self._closed = False
        self._reading: dict[UUID, asyncio.Future[purses.Standing]] = {}
        self.purses = purses.Purses()
        """Balances as this process last saw them."""
        self.dropped = 0
        """Records that were not written down, because the queue was full or the database away."""

    async def settle(self, usage: Usage) -> Settled:
        """Charge an operation and write it down; only then may its answer leave.

        Raises Unauthenticated (REVOKED, EXPIRED), Forbidden (PLAN), CreditsExhausted: nothing was charged.
        Raises Unavailable: whether it was charged is unknown. A caller that is cancelled is charged as well.
        """
        if self._closed:
            raise errors.Unavailable
        # A future each: when a client hangs up, its neighbours' answers must not be cancelled with its own.
        future: asyncio.Future[ledger.Outcome] = asyncio.get_running_loop().create_future()
        self._put(_Waiting(usage, future))
        return _settled(await future)

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
            stands = await balance(connection, account_id, datetime.now(UTC))
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
        if self._connection is not None:
            await self._connection.close(timeout=CONNECT_SECONDS)
            self._connection = None

    def _put(self, waiting: _Waiting) -> None:
        self._queue.append(waiting)
        if self._work is None or self._work.done():
            # The task starts after whatever else is ready to run now, so that it joins the first batch.
            self._work = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._queue:
            size = min(len(self._queue), self._most_at_once)
            await self._settle([self._queue.popleft() for _ in range(size)])

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        """Every one of the batch gets an answer, whatever happens."""
        try:
            for row in await self._ask(batch):
                waiting = batch[row["ord"] - 1]
                outcome = ledger.outcome(row, waiting.usage)
                self._see(waiting.usage, outcome)
                waiting.answer(outcome)
        except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
            self._lose(batch, error)
        except asyncpg.PostgresError as error:
            await self._divide(batch, error)
        except Exception as error:  # noqa: BLE001 -- whoever waits must be told
            self._lose(batch, error)

    def _see(self, usage: Usage, outcome: ledger.Outcome) -> None:
        """Remember the balance, and who is short."""
        account_id = usage.caller.account_id
        if isinstance(outcome, Settled):
            self.purses.see(account_id, outcome.remaining, outcome.limit, outcome.reset_at)
        elif isinstance(outcome, errors.CreditsExhausted):
            of_key = isinstance(outcome, errors.KeyCreditsExhausted)
            whose = usage.caller.key_id if of_key else account_id
            self.purses.withhold(whose, outcome.remaining, outcome.reset_at)

    async def _ask(self, batch: Sequence[_Waiting]) -> list[asyncpg.Record]:
        statement = await self._prepared()
        gated = [waiting.future is not None for waiting in batch]
        return await statement.fetch(*ledger.columns([waiting.usage for waiting in batch], gated))

    async def _divide(self, batch: Sequence[_Waiting], error: asyncpg.PostgresError) -> None:
        """PostgreSQL refused the statement, so nothing was charged: try halves, to find whose fault it is."""
        if isinstance(error, STALE):
            self._drop()
        if len(batch) == 1:
            self._fail(batch, error)
            return
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    def _lose(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """What became of the statement is unknown, and the connection is not to be trusted."""
        self._drop()
        self._fail(batch, error)

    def _fail(self, batch: Sequence[_Waiting], error: Exception) -> None:
        log.warning("settlement of %d operations failed: %r", len(batch), error)
        for waiting in batch:
            self.dropped += waiting.future is None
            waiting.answer(errors.Unavailable())

    def _drop(self) -> None:
        """The next batch gets a new connection."""
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._statement = None

    async def _prepared(self) -> PreparedStatement:
        """The statement, on a living connection of the cashier's own."""
        if self._statement is None or self._connection is None or self._connection.is_closed():
            async with asyncio.timeout(CONNECT_SECONDS):
                self._connection = await self._database.connect(
                    application_name="creator-graph cashier",
                    plan_cache_mode="force_generic_plan",
                    # Whoever was answered was charged: the commit is on disk before the answer leaves.
                    synchronous_commit="on",
                    statement_timeout="4s",
                    lock_timeout="1s",
                )
                self._statement = await self._connection.prepare(ledger.SETTLE, name="settle")
        return self._statement
