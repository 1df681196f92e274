"""The express lane of settlement: what nothing stands against is charged by a statement that knows no exceptions.

It costs PostgreSQL half of what `ledger.SETTLE` does, which has to order, divide and refuse. Accounts are charged
whole or not at all: one of which anything is not plain (a key that ended, a month that began, a balance
that covers a part) is left as it was, and `ledger.SETTLE` judges its operations.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from db.notation import listed
from services import ledger
from services.ledger import Settled, Usage

# Its parts, in the order they run:
# asked     each key with the sum of what its operations cost, and whether anything stands against it now.
# due       by account, where nothing does.
# locked    their balances, locked in the one order in which every settlement locks them: one at a time, as they come.
# paid      those that cover all of it, in this month's balance.
# told      what operations have in common, written down once.
# booked, recorded: what is written of them, in the same commit.
# Lists come as text: see db.notation.
SETTLE = """
with asked as materialized (
  select t.*,
         k.livemode and k.monthly_credits is null
         and k.revoked_at is null
         and (k.expires_at is null or k.expires_at > now())
         and (k.retires_at is null or k.retires_at > now())
         and a.canceled_at is null and p.api_access as plain
    from unnest($1::text::uuid[], $2::text::uuid[], $3::text::bigint[]) with ordinality
         as t(account_id, key_id, credits, place)
    left join api_keys k on k.account_id = t.account_id and k.id = t.key_id
    left join accounts a on a.id = k.account_id
    left join plans p on p.name = a.plan
), due as materialized (
  select account_id, sum(credits)::bigint as credits
    from asked
   group by account_id
  having bool_and(plain is true)
), locked as materialized (
  select b.account_id, b.period, b.granted, b.used, d.credits
    from (select * from due order by account_id) d
   cross join lateral (select * from credit_balances c where c.account_id = d.account_id for no key update) b
), paid as (
  update credit_balances b
     set used = l.used + l.credits
    from locked l
   where b.account_id = l.account_id
     and l.period = date_trunc('month', now(), 'UTC')
     and l.used + l.credits <= l.granted
  returning b.account_id, b.granted, b.granted - b.used + l.credits as room, b.period
), told as materialized (
  select * from unnest($8::text::text[], $9::text::bytea[], $10::text::jsonb[], $11::text::text[], $12::text::inet[],
                       $13::text::text[]) with ordinality as t(operation, hash, coordinates, code, ip, country, about)
), booked as (
  insert into ledger (account_id, kind, amount, key_id)
  select account_id, 'charge', -credits, key_id
    from asked
    join paid using (account_id)
), recorded as (
  insert into usage_events (account_id, key_id, livemode, operation, operation_hash, coordinates,
                            credits, code, duration_us, ip, country)
  select q.account_id, q.key_id, true, w.operation, w.hash, w.coordinates,
         t.credits, w.code, t.duration_us, w.ip, w.country
    from unnest($4::text::bigint[], $5::text::bigint[], $6::text::bigint[], $7::text::bigint[])
         as t(place, about, credits, duration_us)
    join told w using (about)
    join asked q using (place)
    join paid using (account_id)
)
select account_id, granted, room, period from paid
"""


def takes(usage: Usage) -> bool:
    """Whether an operation may try it: one that costs something, of a live key without a budget of its own."""
    return usage.credits > 0 and usage.caller.livemode and usage.caller.monthly_credits is None


def columns(usages: Sequence[Usage], _gated: Sequence[bool]) -> tuple[str, ...]:
    """The statement's parameters: the keys, the operations, and what those tell. Somebody waits for each."""
    places: dict[UUID, int] = {}
    accounts: list[UUID] = []
    sums: list[int] = []
    told: dict[tuple[Any, ...], int] = {}
    operations: list[tuple[int, int, int, int]] = []
    for usage in usages:
        key_id, credits = usage.caller.key_id, usage.credits
        place = places.get(key_id)
        if place is None:
            place = places[key_id] = len(sums) + 1
            accounts.append(usage.caller.account_id)
            sums.append(0)
        sums[place - 1] += credits
        about = told.setdefault(_told(usage), len(told) + 1)
        operations.append((place, about, credits, usage.duration_us))
    lists: list[Sequence[Any]] = [accounts, list(places), sums]
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
    found: Mapping[UUID, tuple[int, int, Any]] = {
        row[0]: (row[1], row[2], ledger.next_month(row[3])) for row in rows
    }
    room = {account_id: stands[1] for account_id, stands in found.items()}
    settled: list[Settled | None] = []
    for usage in usages:
        account_id = usage.caller.account_id
        stands = found.get(account_id)
        if stands is None:
            settled.append(None)
            continue
        room[account_id] -= usage.credits
        settled.append(Settled(usage.credits, room[account_id], stands[0], stands[2]))
    return settled
