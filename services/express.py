"""The express lane of settlement: what nothing stands against is charged by a statement that knows no exceptions.

It costs PostgreSQL a third of what `ledger.SETTLE` does, which has to look up, order, divide and refuse. That nothing
stands against a key, the process saw when it read it: the balance counts the changes of its account's keys, of the
account and of its plan, and is charged only while that count is the same. Accounts are charged whole or not at all:
one of which anything is not plain (a key that ended, a month that began, a balance that covers a part) is
left as it was, and `ledger.SETTLE` judges its operations.
"""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from db.notation import listed
from services import ledger
from services.callers import Caller
from services.ledger import Settled, Usage

# Its parts, in the order they run:
# locked    balances of which nothing changed since the operations were let in; locked one at a time, in the one order in
#           which every settlement locks them.
# paid      those that cover all of it, in this month's balance.
# charged   each key's part of it.
# booked, recorded: what is written of them, in the same commit. `w`: what operations have in common.
# Lists come as text: see db.notation.
SETTLE = """
with locked as materialized (
  select b.account_id, b.period, b.granted, b.used, d.credits, d.account
    from (select * from unnest($1::text::uuid[], $2::text::bigint[], $3::text::bigint[]) with ordinality
           as t(account_id, terms, credits, account) order by account_id) d
   cross join lateral (
     select * from credit_balances c
      where c.account_id = d.account_id and c.terms = d.terms
        for no key update) b
), paid as (
  update credit_balances b
     set used = l.used + l.credits
    from locked l
   where b.account_id = l.account_id
     and l.period = date_trunc('month', now(), 'UTC')
     and l.used + l.credits <= l.granted
  returning l.account, b.account_id, b.granted, b.granted - b.used + l.credits as room, b.period
), charged as materialized (
  select p.account_id, k.*
    from unnest($4::text::bigint[], $5::text::uuid[], $6::text::bigint[]) with ordinality
         as k(account, key_id, credits, key)
    join paid p using (account)
), booked as (
  insert into ledger (account_id, kind, amount, key_id)
  select account_id, 'charge', -credits, key_id from charged
), recorded as (
  insert into usage_events (account_id, key_id, livemode, operation, operation_hash, coordinates,
                            credits, code, duration_us, ip, country)
  select c.account_id, c.key_id, true, w.operation, w.hash, w.coordinates,
         t.credits, w.code, t.duration_us, w.ip, w.country
    from unnest($7::text::bigint[], $8::text::bigint[], $9::text::bigint[], $10::text::bigint[])
         as t(key, about, credits, duration_us)
    join unnest($11::text::text[], $12::text::bytea[], $13::text::jsonb[], $14::text::text[], $15::text::inet[],
                $16::text::text[]) with ordinality as w(operation, hash, coordinates, code, ip, country, about)
   using (about)
    join charged c using (key)
)
select account, granted, room, date_part('epoch', period) from paid
"""


def takes(usage: Usage) -> bool:
    """Whether an operation may try it: one that costs something, of a caller against whom nothing stood."""
    return usage.credits > 0 and usage.caller.terms is not None


class Batch:
    """Operations for `SETTLE`, all of which it takes. Somebody waits for each."""

    name = "express"
    sql = SETTLE

    def __init__(self, usages: Sequence[Usage], _gated: Sequence[bool]) -> None:
        self._usages = usages
        # What is of one account, but was let in under different counts, is of two: at most one of them is charged.
        self._accounts: dict[tuple[UUID, int | None], int] = {}
        self._keys: dict[tuple[int, UUID], int] = {}
        callers: dict[int, int] = {}
        # Of each operation the place of its key, from 1.
        self._places = [
            callers.get(id(usage.caller)) or callers.setdefault(id(usage.caller), self._place(usage.caller))
            for usage in usages
        ]

    def _place(self, caller: Caller) -> int:
        account = self._accounts.setdefault((caller.account_id, caller.terms), len(self._accounts) + 1)
        return self._keys.setdefault((account, caller.key_id), len(self._keys) + 1)

    def columns(self) -> tuple[str, ...]:
        """The statement's parameters: accounts, keys, operations, and what those tell."""
        usages = self._usages
        credits = [usage.credits for usage in usages]
        parts = [0] * len(self._keys)
        for place, charge in zip(self._places, credits, strict=True):
            parts[place - 1] += charge
        sums = [0] * len(self._accounts)
        for (account, _), part in zip(self._keys, parts, strict=True):
            sums[account - 1] += part
        told: dict[tuple[Any, ...], int] = {}
        about = [told.setdefault(_told(usage), len(told) + 1) for usage in usages]
        lists = (
            *zip(*self._accounts, strict=True), sums,
            *zip(*self._keys, strict=True), parts,
            self._places, about, credits, [usage.duration_us for usage in usages],
            *zip(*map(_written, told), strict=True),
        )  # fmt: skip
        return tuple([listed(values) for values in lists])

    def outcomes(self, rows: Sequence[Any]) -> list[Settled | None]:
        """Of each operation what was charged, and the balance after it; None of those still to be judged."""
        accounts = [account for account, _ in self._keys]
        stands = {row[0]: (row[1], _reset_at(row[3])) for row in rows}
        room = {row[0]: row[2] for row in rows}
        settled: list[Settled | None] = []
        for place, usage in zip(self._places, self._usages, strict=True):
            account = accounts[place - 1]
            if account in room:
                left = room[account] = room[account] - usage.credits
                settled.append(Settled(usage.credits, left, *stands[account]))
            else:
                settled.append(None)
        return settled


def _told(usage: Usage) -> tuple[Any, ...]:
    """What many operations of a batch have in common."""
    return usage.operation, usage.operation_hash, usage.coordinates, usage.code, usage.ip, usage.country


def _written(told: tuple[Any, ...]) -> tuple[str | None, ...]:
    """The same, as text."""
    operation, digest, *rest = told
    return ledger.plain(operation), None if digest is None else f"\\x{digest.hex()}", *rest


@functools.lru_cache(maxsize=8)
def _reset_at(period: float) -> datetime:
    """When a balance of the month that began then ends."""
    return ledger.next_month(datetime.fromtimestamp(period, UTC))
