"""The express lane of settlement: what nothing stands against is charged by a statement that knows no exceptions.

It costs PostgreSQL half of what `ledger.SETTLE` does, which has to order, divide and refuse. Accounts are charged
whole or not at all: one of which anything is not plain (a key that ended, a month that began, a balance
that covers a part) is left as it was, and `ledger.SETTLE` judges its operations.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from services import ledger
from services.ledger import Settled, Usage

# Its parts, in the order they run:
# asked     each key with the sum of what its operations cost, and whether anything stands against it now.
# due       by account, where nothing does.
# locked    their balances, locked in the one order in which every settlement locks them.
# paid      those that cover all of it, in this month's balance.
# booked, recorded: what is written of them, in the same commit.
SETTLE = """
with asked as materialized (
  select t.*,
         k.livemode and k.monthly_credits is null
         and k.revoked_at is null
         and (k.expires_at is null or k.expires_at > now())
         and (k.retires_at is null or k.retires_at > now())
         and a.canceled_at is null and p.api_access as plain
    from unnest($1::uuid[], $2::uuid[], $3::bigint[]) with ordinality as t(account_id, key_id, credits, place)
    left join api_keys k on k.account_id = t.account_id and k.id = t.key_id
    left join accounts a on a.id = k.account_id
    left join plans p on p.name = a.plan
), due as materialized (
  select account_id, sum(credits)::bigint as credits
    from asked
   group by account_id
  having bool_and(plain is true)
), locked as materialized (
  select b.account_id
    from credit_balances b
   where b.account_id in (select account_id from due)
   order by b.account_id
     for no key update
), paid as (
  update credit_balances b
     set used = b.used + d.credits
    from locked l
    join due d using (account_id)
   where b.account_id = l.account_id
     and b.period = date_trunc('month', now(), 'UTC')
     and b.used + d.credits <= b.granted
  returning b.account_id, b.granted, b.granted - b.used + d.credits as room, b.period
), booked as (
  insert into ledger (account_id, kind, amount, key_id)
  select account_id, 'charge', -credits, key_id
    from asked
    join paid using (account_id)
), recorded as (
  insert into usage_events (account_id, key_id, livemode, operation, operation_hash, coordinates,
                            credits, code, duration_us, ip, country)
  select q.account_id, q.key_id, true, t.operation, t.operation_hash, t.coordinates::jsonb,
         t.credits, t.code, t.duration_us, t.ip::inet, t.country
    from unnest($4::bigint[], $5::bigint[], $6::text[], $7::bytea[], $8::text[], $9::text[], $10::bigint[],
                $11::text[], $12::text[])
         as t(place, credits, operation, operation_hash, coordinates, code, duration_us, ip, country)
    join asked q using (place)
    join paid using (account_id)
)
select account_id, granted, room, period from paid
"""


def takes(usage: Usage) -> bool:
    """Whether an operation may try it: one that costs something, of a live key without a budget of its own."""
    return usage.credits > 0 and usage.caller.livemode and usage.caller.monthly_credits is None


def columns(usages: Sequence[Usage], _gated: Sequence[bool]) -> tuple[Any, ...]:
    """The statement's parameters: the keys, then the operations with the place of their key. Somebody waits for each."""
    places: dict[UUID, int] = {}
    accounts: list[UUID] = []
    sums: list[int] = []
    told: list[int] = []
    for usage in usages:
        key_id = usage.caller.key_id
        place = places.setdefault(key_id, len(sums) + 1)
        if place > len(sums):
            accounts.append(usage.caller.account_id)
            sums.append(0)
        sums[place - 1] += usage.credits
        told.append(place)
    return (accounts, list(places), sums, told, *ledger.written(usages))


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
