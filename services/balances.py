"""Balances as they are read: what is left, why, and whether the books agree."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.session import Connection
from services import callers, errors, ledger

# A balance with the number it would be renewed to.
BALANCE = """
select b.period, b.granted, b.used, coalesce(a.monthly_credits, p.monthly_credits) as monthly
  from credit_balances b
  join accounts a on a.id = b.account_id
  join plans p on p.name = a.plan
 where b.account_id = $1
"""

# What a key with a monthly limit of its own may still spend; no row: it has none. (`greatest` would skip a null.)
KEY_LEFT = """
select greatest(0, k.monthly_credits - coalesce(b.used, 0))
  from api_keys k
  left join key_balances b on (b.account_id, b.key_id) = (k.account_id, k.id)
   and b.period >= date_trunc('month', now(), 'UTC')
 where k.account_id = $1 and k.id = $2 and k.monthly_credits is not null
"""

ENTRIES = "select at, kind, amount, key_id, note from ledger where account_id = $1 order by id desc limit $2"

# Every balance that is not the sum of its ledger rows; one snapshot, so that what runs meanwhile does not matter.
AUDIT = """
select account_id, coalesce(b.remaining, 0) as remaining, coalesce(l.booked, 0)::bigint as booked
  from (select account_id, granted - used as remaining from credit_balances) b
  full join (select account_id, sum(amount) as booked from ledger group by account_id) l using (account_id)
 where b.remaining is distinct from l.booked
 order by account_id
"""


@dataclass(frozen=True)
class Balance:
    """What is left of this month's credits."""

    limit: int
    used: int
    remaining: int
    reset_at: datetime


@dataclass(frozen=True)
class Entry:
    """One change of a balance."""

    at: datetime
    kind: str
    amount: int
    key_id: UUID | None
    note: str | None


@dataclass(frozen=True)
class Statement:
    """A balance and its last changes, the newest first."""

    balance: Balance
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Disagreement:
    """A balance that its ledger rows do not sum to. There should be none, ever."""

    account_id: UUID
    remaining: int
    booked: int


async def balance(connection: Connection, account_id: UUID, now: datetime) -> Balance:
    """What is left; a balance of an older month reads as the month's own number. Raises NotFound."""
    row = await connection.fetchrow(BALANCE, account_id)
    if row is None:
        raise errors.NotFound("account")
    month = ledger.month_of(now)
    if row["period"] < month:
        return Balance(row["monthly"], 0, row["monthly"], ledger.next_month(month))
    granted, used = row["granted"], row["used"]
    return Balance(granted, used, granted - used, ledger.next_month(row["period"]))


async def key_left(connection: Connection, caller: callers.Caller) -> int | None:
    """What the caller's key may still spend of its own monthly limit; None: it has none."""
    left: int | None = await connection.fetchval(KEY_LEFT, caller.account_id, caller.key_id)
    return left


async def covers(connection: Connection, caller: callers.Caller, charge: int, now: datetime) -> bool:
    """Whether the caller could pay so much now: from the account's balance, and within the key's own limit."""
    if not caller.livemode:
        return True
    account, of_key = await balance(connection, caller.account_id, now), await key_left(connection, caller)
    return charge <= account.remaining and (of_key is None or charge <= of_key)


async def show(connection: Connection, account_id: UUID, now: datetime, last: int = 20) -> Statement:
    """The balance and the last ledger rows. Raises NotFound."""
    stands = await balance(connection, account_id, now)
    rows = await connection.fetch(ENTRIES, account_id, last)
    return Statement(stands, tuple(Entry(**dict(row)) for row in rows))


async def audit(connection: Connection) -> list[Disagreement]:
    """The accounts whose ledger does not sum to their balance: none."""
    return [Disagreement(**dict(row)) for row in await connection.fetch(AUDIT)]
