"""A platform's definitive refusals, counted: one ends a grant, a wave of them is the platform's own trouble.

Grants do not die together. Where many are refused at once, something is wrong with the platform or with our
app, and none of them is touched: those that were judged before the wave was known are given back.
"""

import random
from datetime import timedelta

import structlog

from db.session import Connection

WINDOW = timedelta(minutes=10)
WAVE_LEAST, WAVE_SHARE = 10, 0.5
KEPT = timedelta(days=1)
PARTS = 8
"""Attempts are counted in one of so many rows, so that they do not wait for each other."""

# Refusals share one row a minute (part 0): each sees all that were counted before it.
COUNT = """
insert into platform_refusals as r (platform, livemode, minute, part, attempts, refusals)
values ($1, $2, date_trunc('minute', clock_timestamp()), $3, 1, $4)
on conflict (platform, livemode, minute, part) do update set
  attempts = r.attempts + 1, refusals = r.refusals + excluded.refusals
"""

SUMS = """
select coalesce(sum(attempts), 0)::int8 as attempts, coalesce(sum(refusals), 0)::int8 as refusals
from platform_refusals where platform = $1 and livemode = $2 and minute > clock_timestamp() - $3::interval
"""

# The creators first, as everywhere; one that is being erased is left to that. They are read again soon, not at once.
GIVE_BACK = """
with found as (
  select c.account_id, c.id
  from grants g join creators c on (c.account_id, c.id) = (g.account_id, g.creator_id)
  where g.status = 'NEEDS_REAUTH' and g.refused_at > now() - $3::interval and c.platform = $1 and c.livemode = $2
  for no key update of c skip locked
), due as (
  update creators c set next_sync_at = now() + random() * $3::interval
  from found where (c.account_id, c.id) = (found.account_id, found.id)
)
update grants g set status = 'ACTIVE', refused_at = null, reason = null
from found where (g.account_id, g.creator_id) = (found.account_id, found.id) and g.status = 'NEEDS_REAUTH'
"""

FORGET = "delete from platform_refusals where minute < now() - $1::interval"

log = structlog.get_logger(__name__)


async def accepted(connection: Connection, platform: str, livemode: bool) -> None:
    """A grant was used and the platform took it. The last statement of its transaction: many count here."""
    part = 1 + random.randrange(PARTS)  # noqa: S311 -- spreads, hides nothing
    await connection.execute(COUNT, platform, livemode, part, 0)


async def is_wave(connection: Connection, platform: str, livemode: bool) -> bool:
    """Count a definitive refusal; whether it is one of a wave, whose grants are given back here."""
    await connection.execute(COUNT, platform, livemode, 0, 1)
    (sums,) = await connection.fetch(SUMS, platform, livemode, WINDOW)
    attempts, refused = sums["attempts"], sums["refusals"]
    if refused < WAVE_LEAST or refused < attempts * WAVE_SHARE:
        return False
    given = await connection.execute(GIVE_BACK, platform, livemode, WINDOW)
    log.error(
        "platform.refuses_all", platform=platform, livemode=livemode, refusals=refused, attempts=attempts,
        given_back=int(given.split()[-1]),
    )  # fmt: skip
    return True


async def forget_old(connection: Connection) -> None:
    await connection.execute(FORGET, KEPT)
