"""One settlement: a single statement judges a batch of operations, charges them, and books what it did.

What it promises of a batch, in the order in which the operations came: each is charged whole or refused;
an account that runs out refuses only its own; a key that no longer stands gets nothing; every change of
a balance is a ledger row of the same commit, the change of month too.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services import callers, errors

# Its parts, in the order they run:
# asked     each operation with its key, account and plan as they stand now: why it is refused, what it costs.
#           `is distinct from now()`: a mutation may revoke its own key and still pay for having done so.
# locked    balances to be charged, locked in one order, so that two settlements cannot wait for each other.
# keyed     what keys with a budget of their own have used this month; locked too, always after the balances.
# stood     those, and the balances that are only told.
# balance   a balance of an older month is a fresh month's.
# walk      one operation after the other, account by account: what fits is taken off, what does not is passed.
#           `spent`: by key, where keys have budgets.
# settled   the verdict of each.
# paid, counted, booked, recorded, touched: what is written. Keys are touched once a minute and never waited for:
#           a transaction that changes a key holds its row, and everyone's settlement would stand behind it.
SETTLE = """
with recursive asked as materialized (
  select t.*,
         k.livemode,
         k.monthly_credits as budget,
         coalesce(a.monthly_credits, p.monthly_credits) as monthly,
         row_number() over (partition by t.account_id order by t.ord) as turn,
         j.refusal,
         k.last_used_at is null or k.last_used_at < now() - interval '1 minute' as due,
         case when t.gated and j.refusal is null and k.livemode then t.credits else 0 end as price
    from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::bigint[], $5::text[], $6::bytea[], $7::text[],
                $8::text[], $9::bigint[], $10::text[], $11::text[]) with ordinality
         as t(account_id, key_id, gated, credits, operation, operation_hash, coordinates,
              code, duration_us, ip, country, ord)
    left join api_keys k on k.account_id = t.account_id and k.id = t.key_id
    left join accounts a on a.id = k.account_id
    left join plans p on p.name = a.plan
   cross join lateral (
     select case when k.id is null or (k.revoked_at is not null and k.revoked_at is distinct from now())
                   then 'REVOKED'
                 when k.expires_at <= now() or k.retires_at <= now() then 'EXPIRED'
                 when k.livemode and (a.canceled_at is not null or not p.api_access) then 'PLAN'
            end as refusal) j
), locked as materialized (
  select b.account_id, b.period, b.granted, b.used
    from credit_balances b
   where b.account_id in (select account_id from asked where price > 0)
   order by b.account_id
     for no key update
), keyed as materialized (
  select b.account_id, b.key_id, b.period, b.used
    from (select count(*) as held from locked) first
    join key_balances b
      on first.held > 0
     and (b.account_id, b.key_id) in (select account_id, key_id from asked where price > 0 and budget is not null)
   order by b.account_id, b.key_id
     for no key update of b
), stood as materialized (
  select l.*, true as held from locked l
   union all
  select b.account_id, b.period, b.granted, b.used, false
    from credit_balances b
   where b.account_id in (select account_id from asked group by account_id having max(price) = 0)
), balance as materialized (
  select s.account_id, s.held, s.period < m.starts as stale, s.granted - s.used as left_over,
         greatest(s.period, m.starts) as period,
         case when s.period < m.starts then f.monthly else s.granted end as granted,
         case when s.period < m.starts then 0 else s.used end as used
    from stood s
    join (select account_id, max(monthly) as monthly from asked group by account_id) f using (account_id)
   cross join (select date_trunc('month', now(), 'UTC') as starts) m
), walk(account_id, turn, room, ord, fits, key_room, spent) as (
  select account_id, 0::bigint, granted - used, 0::bigint, false, null::bigint, '{}'::jsonb from balance
   union all
  select account_id, turn, room - case when fits then price else 0 end, ord, fits, key_room,
         case when fits and key_room is not null
              then spent || jsonb_build_object(key_id, coalesce((spent ->> key_id)::bigint, 0) + price)
              else spent end
    from (select w.account_id, q.turn, w.room, q.ord, q.price, q.key_id::text as key_id, w.spent, r.key_room,
                 q.price <= w.room and (r.key_room is null or q.price <= r.key_room) as fits
            from walk w
            join asked q on q.account_id = w.account_id and q.turn = w.turn + 1
           cross join lateral (
             select case when q.budget is not null and q.price > 0 then
                      greatest(0, q.budget - coalesce((w.spent ->> q.key_id::text)::bigint, 0)
                                  - coalesce((select k.used from keyed k
                                               where k.account_id = q.account_id and k.key_id = q.key_id
                                                 and k.period >= date_trunc('month', now(), 'UTC')), 0))
                    end as key_room) r) x
), settled as materialized (
  select q.*, w.room, w.key_room,
         case when q.gated then coalesce(q.refusal, case when q.price > 0 and w.fits is not true then
                case when q.price <= w.room then 'KEY' else 'CREDITS' end end)
         end as verdict,
         case when w.fits then q.price else 0 end as charged
    from asked q
    left join walk w using (ord)
), counted as (
  insert into key_balances as b (account_id, key_id, period, used)
  select account_id, key_id, date_trunc('month', now(), 'UTC'), sum(charged)::bigint
    from settled
   where budget is not null and charged > 0
   group by account_id, key_id
   order by account_id, key_id
      on conflict (account_id, key_id) do update
     set period = greatest(b.period, excluded.period),
         used = case when b.period < excluded.period then 0 else b.used end + excluded.used
), paid as (
  update credit_balances b
     set period = x.period, granted = x.granted, used = x.used + x.charged
    from (select l.account_id, l.period, l.granted, l.used, sum(s.charged)::bigint as charged
            from balance l
            join settled s using (account_id)
           where l.held
           group by l.account_id, l.period, l.granted, l.used, l.stale
          having l.stale or sum(s.charged) > 0) x
   where b.account_id = x.account_id
), booked as (
  insert into ledger (account_id, kind, amount, key_id)
  select account_id, kind, amount, key_id
    from (select account_id, 'reset' as kind, granted - left_over as amount, null::uuid as key_id, 0 as part
            from balance
           where held and stale
           union all
          select account_id, 'charge', -sum(charged)::bigint, key_id, 1
            from settled
           where charged > 0
           group by account_id, key_id) x
   order by account_id, part, key_id
), recorded as (
  insert into usage_events (account_id, key_id, livemode, operation, operation_hash, coordinates,
                            credits, code, duration_us, ip, country)
  select account_id, key_id, livemode, operation, operation_hash,
         case when verdict is null then coordinates else '{}' end::jsonb, charged,
         case verdict when 'REVOKED' then 'UNAUTHENTICATED' when 'EXPIRED' then 'UNAUTHENTICATED'
                      when 'PLAN' then 'FORBIDDEN' when 'CREDITS' then 'CREDITS_EXHAUSTED'
                      when 'KEY' then 'CREDITS_EXHAUSTED' else code end,
         duration_us, ip::inet, country
    from settled
   where livemode is not null
), seen as materialized (
  select k.account_id, k.id
    from api_keys k
   where (k.account_id, k.id) in (select account_id, key_id from asked where refusal is null and due)
     and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
   order by k.account_id, k.id
     for no key update skip locked
), touched as (
  update api_keys k
     set last_used_at = now(), last_used_ip = x.ip::inet, last_used_country = x.country
    from (select distinct on (q.account_id, q.key_id) q.account_id, q.key_id, q.ip, q.country
            from asked q
            join seen on seen.account_id = q.account_id and seen.id = q.key_id
           order by q.account_id, q.key_id, q.ord desc) x
   where k.account_id = x.account_id and k.id = x.key_id
)
select s.ord, s.verdict, s.charged, s.room, s.key_room, l.granted, l.period
  from settled s
  left join balance l using (account_id)
"""

LONGEST_OPERATION = 200


@dataclass(slots=True)
class Usage:
    """One operation, as it is charged and written down."""

    caller: callers.Caller
    credits: int = 0
    code: str = "OK"
    duration_us: int | None = 0
    """None: its read still ran as it was charged."""
    operation: str | None = None
    operation_hash: bytes | None = None
    coordinates: str = "{}"
    """By schema coordinate, how many and for how much: JSON."""
    ip: str | None = None
    country: str | None = None


@dataclass(slots=True)
class Settled:
    """What was charged, and the balance after it."""

    charged: int
    remaining: int
    limit: int
    reset_at: datetime


Outcome = Settled | errors.ServiceError


class Batch:
    """Operations for `SETTLE`. Those not gated are only written down: neither judged nor charged."""

    name = "settle"
    sql = SETTLE

    def __init__(self, usages: Sequence[Usage], gated: Sequence[bool]) -> None:
        self._usages = usages
        self._gated = gated

    def columns(self) -> tuple[list[Any], ...]:
        """The statement's parameters."""
        usages = self._usages
        return (
            [usage.caller.account_id for usage in usages],
            [usage.caller.key_id for usage in usages],
            list(self._gated),
            [usage.credits for usage in usages],
            [plain(usage.operation) for usage in usages],
            [usage.operation_hash for usage in usages],
            [usage.coordinates for usage in usages],
            [usage.code for usage in usages],
            [usage.duration_us for usage in usages],
            [usage.ip for usage in usages],
            [usage.country for usage in usages],
        )

    def outcomes(self, rows: Sequence[Any]) -> list[Outcome]:
        """What the statement's rows say about each operation."""
        by_place = {row[0]: row for row in rows}
        return [outcome(by_place[place], usage) for place, usage in enumerate(self._usages, 1)]


def outcome(row: Any, usage: Usage) -> Outcome:
    """What a row of the statement says about its operation."""
    _, verdict, charged, room, key_room, granted, period = row
    remaining, reset_at = room or 0, next_month(period or datetime.now(UTC))
    if verdict is None:
        return Settled(charged, remaining, granted or 0, reset_at)
    if verdict == "CREDITS":
        return errors.CreditsExhausted(usage.credits, remaining, reset_at)
    if verdict == "KEY":
        return errors.KeyCreditsExhausted(usage.credits, key_room, reset_at)
    if verdict == "PLAN":
        return callers.no_api_access()
    by_token = usage.caller.token_expires_at is not None
    return errors.InvalidToken(verdict) if by_token else errors.Unauthenticated(verdict)


def stood(outcome: Outcome) -> Settled:
    """What was settled; raises the refusal."""
    if isinstance(outcome, errors.ServiceError):
        raise outcome
    return outcome


def month_of(at: datetime) -> datetime:
    """The period an instant belongs to: its calendar month, UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@functools.lru_cache(maxsize=8)
def next_month(period: datetime) -> datetime:
    start = month_of(period)
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def plain(operation: str | None) -> str | None:
    """A name that PostgreSQL takes: what a client calls an operation may be any JSON text."""
    if operation is None or (operation.isascii() and operation.isprintable()):
        return operation and operation[:LONGEST_OPERATION]
    return ascii(operation[:LONGEST_OPERATION])[1:-1]
