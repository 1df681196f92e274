"""Who is due: open syncs and revocations that no job speaks of, and creators not read for a day.

These statements look over all accounts: they are the operator's, and answer ids only.
"""

from collections.abc import Iterable
from datetime import timedelta
from itertools import zip_longest
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.session import raw
from services import erase, errors, jobs, sync

STALE_AFTER = timedelta(seconds=60)
REFRESH_EVERY = timedelta(hours=24)
MOST_A_TURN = 1_000
MOST_QUEUED = 5_000

# Whatever lost the job (a crash, a hand in the queue's table), the row is the truth and finds a new one.
OPEN_SYNCS = f"""
select s.account_id, s.livemode, s.id, s.slice from syncs s
where s.status in ('QUEUED', 'RUNNING') and s.touched_at < now() - $1::interval
  and not exists (select from {jobs.TABLE} q
                  where q.dedupe_key = s.id || ':' || s.slice and q.status in ('queued', 'picked'))
order by s.touched_at limit $2
"""  # noqa: S608 -- our constant

REVOCATIONS = f"""
select r.account_id, r.livemode, r.id from revocations r
where r.next_attempt_at < now()
  and not exists (select from {jobs.TABLE} q
                  where q.dedupe_key = r.id || ':revoke' and q.status in ('queued', 'picked'))
order by r.next_attempt_at limit $1
"""  # noqa: S608 -- our constant

# Longest unread first, with a living grant and nothing begun since; the queue is kept short.
CREATORS = f"""
select c.account_id, c.livemode, c.id
from creators c join grants g on (g.account_id, g.creator_id) = (c.account_id, c.id)
where coalesce(c.synced_at, '-infinity'::timestamptz) < now() - $1::interval and g.status = 'ACTIVE'
  and not exists (select from syncs s where s.account_id = c.account_id and s.creator_id = c.id
                  and s.queued_at > now() - $1::interval)
  and (select count(*) from {jobs.TABLE}) < $2
order by coalesce(c.synced_at, '-infinity'::timestamptz) limit $3
"""  # noqa: S608 -- our constant


async def sweep(session: AsyncSession, stale_after: timedelta = STALE_AFTER) -> int:
    """A new job for every row that waits for one; answers how many were made."""
    connection = await raw(session)
    slices = await connection.fetch(OPEN_SYNCS, stale_after, MOST_A_TURN)
    revocations = await connection.fetch(REVOCATIONS, MOST_A_TURN)
    made = 0
    for entrypoint, found in (
        (jobs.SYNC_SLICE, [sync.job(*row) for row in slices]),
        (jobs.RETRY_REVOCATION, [erase.job(*row) for row in revocations]),
    ):
        if found:
            made += await jobs.enqueue_many(session, entrypoint, [(key, load) for load, key in found])
    return made


async def refresh(session: AsyncSession, every: timedelta = REFRESH_EVERY) -> int:
    """Open a sync for creators that are due, the accounts taking turns; answers how many."""
    connection = await raw(session)
    found = await connection.fetch(CREATORS, every, MOST_QUEUED, MOST_A_TURN)
    begun = 0
    for account_id, livemode, creator_id in _in_turns(found):
        try:
            await sync.request(session, account_id, livemode, creator_id, "SCHEDULED")
        except (errors.NotFound, errors.Conflict):
            continue
        begun += 1
    return begun


def _in_turns(rows: Iterable[Any]) -> list[tuple[UUID, bool, UUID]]:
    """One of each account, then the next of each: a large account does not make a small one wait."""
    accounts: dict[UUID, list[tuple[UUID, bool, UUID]]] = {}
    for row in rows:
        accounts.setdefault(row["account_id"], []).append(tuple(row))
    return [row for turn in zip_longest(*accounts.values()) for row in turn if row is not None]
