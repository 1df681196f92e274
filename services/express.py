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


def columns(usages: Sequence[Usage], _gated: Sequence[bool]) -> tuple[str, ...]:
    """The statement's parameters: accounts, keys, operations, and what those tell. Somebody waits for each."""
    due: dict[tuple[UUID, int | None], int] = {}
    keys: dict[tuple[int, UUID], int] = {}
    told: dict[tuple[Any, ...], int] = {}
    sums: list[int] = []
    parts: list[int] = []
    operations: list[tuple[int, int, int, int]] = []
    for usage in usages:
        caller, credits = usage.caller, usage.credits
        account = due.setdefault((caller.account_id, caller.terms), len(due) + 1)
        key = keys.setdefault((account, caller.key_id), len(keys) + 1)
        if account > len(sums):
            sums.append(0)
        if key > len(parts):
            parts.append(0)
        sums[account - 1] += credits
        parts[key - 1] += credits
        operations.append((key, told.setdefault(_told(usage), len(told) + 1), credits, usage.duration_us))
    lists: list[Sequence[Any]] = [*zip(*due, strict=True), sums, *zip(*keys, strict=True), parts]
    lists += zip(*operations, strict=True)
    lists += zip(*told, strict=True)
    return tuple([listed(values) for values in lists])


def _told(usage: Usage) -> tuple[str | None, ...]:
    """What many operations of a batch have in common, as text."""
    digest = usage.operation_hash
    hash = None if digest is None else f"\\x{digest.hex()}"
    return ledger.plain(usage.operation), hash, usage.coordinates, usage.code, usage.ip, usage.country


def outcomes(rows: Sequence[Any], usages: Sequence[Usage]) -> list[Settled | None]:
    """Of each operation what was charged, and the balance after it; None of those that are still to be judged."""
    due: dict[tuple[UUID, int | None], int] = {}
    stands = {row[0]: row for row in rows}
    room = {row[0]: row[2] for row in rows}
    settled: list[Settled | None] = []
    for usage in usages:
        caller = usage.caller
        account = due.setdefault((caller.account_id, caller.terms), len(due) + 1)
        row = stands.get(account)
        if row is None:
            settled.append(None)
            continue
        room[account] -= usage.credits
        settled.append(Settled(usage.credits, room[account], row[1], _reset_at(row[3])))
    return settled


@functools.lru_cache(maxsize=8)
def _reset_at(period: float) -> datetime:
    """When a balance of the month that began then ends."""
    return ledger.next_month(datetime.fromtimestamp(period, UTC))
