"""Credits: what an account has, and every change of it as a ledger row. Reads are charged by `services.cashier`."""

from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import raw
from services import balances, errors, events, ledger

Usage = ledger.Usage
Settled = ledger.Settled
Outcome = ledger.Outcome
stood = ledger.stood
Balance = balances.Balance
Statement = balances.Statement
Disagreement = balances.Disagreement
balance = balances.balance
key_left = balances.key_left
covers = balances.covers
show = balances.show
audit = balances.audit

LARGEST = 10**15

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

HAS_KEY = "select true from api_keys where account_id = :account_id and id = cast(:key_id as uuid)"


async def opened(session: AsyncSession, account_id: UUID) -> None:
    """The first balance of an account: its monthly number."""
    await session.execute(text(OPEN), {"account_id": account_id})


async def grant(session: AsyncSession, account_id: UUID, amount: int, note: str | None = None) -> None:
    """More credits for this month. Raises BadUserInput, NotFound."""
    _check_more(amount)
    await hold(session, account_id)
    await _change(session, account_id, "grant", amount, note)


async def adjust(session: AsyncSession, account_id: UUID, amount: int, note: str) -> None:
    """Set a balance right, up or down, but never below nothing. Raises BadUserInput, NotFound."""
    if amount == 0 or abs(amount) > LARGEST:
        raise errors.BadUserInput(
            f"`amount` must be -{LARGEST:,} to {LARGEST:,}, not 0.",
            remedy="Give how many credits more, or less, the account should have.",
            argument="amount",
        )
    _check_note(note)
    remaining = await hold(session, account_id)
    if remaining + amount < 0:
        raise errors.BadUserInput(
            f"`amount` takes away more than is left: {remaining} credits.",
            remedy=f"Take at most {remaining}." if remaining else "There is nothing to take.",
            argument="amount",
        )
    await _change(session, account_id, "adjustment", amount, note)


async def refund(
    session: AsyncSession, account_id: UUID, amount: int, note: str, *, key_id: UUID | None = None
) -> None:
    """Give back what was charged for nothing; to the key that paid it, where `key_id` says which.

    Raises BadUserInput, NotFound.
    """
    _check_more(amount)
    _check_note(note)
    await hold(session, account_id)
    values = {"account_id": account_id, "amount": amount, "key_id": key_id, "note": note}
    if key_id is not None and not await session.scalar(text(HAS_KEY), values):
        raise errors.NotFound("API key")
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
        row = await connection.fetchrow(ledger.SETTLE, *ledger.Batch([usage], [True]).columns())
    except asyncpg.LockNotAvailableError as error:
        raise errors.Unavailable from error
    return ledger.stood(ledger.outcome(row, usage))


def _check_more(amount: int) -> None:
    if not 1 <= amount <= LARGEST:
        raise errors.BadUserInput(
            f"`amount` must be 1 to {LARGEST:,}.",
            remedy="To take credits away, adjust the balance." if amount < 0 else "Give how many more.",
            argument="amount",
        )


def _check_note(note: str) -> None:
    """A balance that somebody set right says why."""
    if not note.strip():
        raise errors.BadUserInput(
            "`note` must not be empty.", remedy="Say why: it stands in the ledger.", argument="note"
        )


async def _change(session: AsyncSession, account_id: UUID, kind: str, amount: int, note: str | None) -> None:
    values = {"account_id": account_id, "kind": kind, "amount": amount, "note": note}
    await session.execute(text(CHANGE), values)
    await notify(session, account_id)
