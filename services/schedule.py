"""Who is due: open syncs and revocations that no job speaks of, and creators whose time has come.

Nothing is queued ahead: a creator's row says when it is due (`next_sync_at`), and the planner opens syncs just in
time, as many as are soon read. These statements look over all accounts: they are the operator's, and answer
ids only.
"""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, raw
from services import jobs, revocations, sync

STALE_AFTER = timedelta(seconds=60)
MOST_A_TURN = 1_000
MOST_OPEN = 2_000
"""Scheduled syncs open at once in a platform's world. Who waits for a budget counts: no more pile up behind."""

DEPTHS = (4, 64, MOST_A_TURN)
"""So many of each account are looked at, then more: a backlog of millions costs a turn no more than its room."""

CLAIMED_FOR = timedelta(days=1)
"""A claimed creator is due again after it, if its sync should never end; its end tells better."""

# Whatever lost the job (a crash, a hand in the queue's table), the row is the truth and finds a new one.
OPEN_SYNCS = f"""
select s.account_id, s.livemode, s.id, s.slice, s.awaited from syncs s
where s.status in ('QUEUED', 'RUNNING') and s.touched_at < now() - $1::interval
  and (s.error_retry_at is null or s.error_retry_at < now())
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

# One planner at a time is enough; two would only claim other rows.
ALONE = "select pg_try_advisory_xact_lock(hashtext('creator-graph planner'))"

WORLDS = "select platform, livemode from (values ('TIKTOK'), ('INSTAGRAM'), ('YOUTUBE')) p (platform), (values (true), (false)) m (livemode)"

# Few are open, so each looks its creator up: a join might be tempted to read all creators. `limit` forbids it.
OPEN = """
select c.platform, s.livemode, count(*) as open
from syncs s cross join lateral (
  select platform from creators where (account_id, id) = (s.account_id, s.creator_id) limit 1) c
where s.status in ('QUEUED', 'RUNNING') and s.trigger = 'SCHEDULED'
group by c.platform, s.livemode
"""

# Round-robin: every account's longest overdue first, then every account's second. A look into the index an
# account, and no further than $5 rows, however many are overdue. Claimed, opened and told in one statement; a
# creator somebody holds, or whose sync is open, is left.
PLAN = """
with due as (
  select d.account_id, d.id, d.turn
  from accounts a cross join lateral (
    select c.account_id, c.id, c.next_sync_at, row_number() over (order by c.next_sync_at) as turn
    from creators c
    where c.account_id = a.id and c.livemode = $2 and c.platform = $1 and c.next_sync_at <= now()
    order by c.next_sync_at limit $5) d
  where a.canceled_at is null
  order by d.turn, d.next_sync_at limit $3
), held as (
  select c.account_id, c.id, due.turn
  from due cross join lateral (
    select account_id, id from creators
    where (account_id, id) = (due.account_id, due.id) and next_sync_at <= now()
    limit 1 for no key update skip locked) c
), moved as (
  update creators c set next_sync_at = now() + $4::interval
  from held where (c.account_id, c.id) = (held.account_id, held.id)
  returning c.account_id, c.livemode, c.id, held.turn
), opened as (
  insert into syncs (account_id, livemode, creator_id, trigger)
  select account_id, livemode, id, 'SCHEDULED' from moved
  on conflict (account_id, creator_id) where status in ('QUEUED', 'RUNNING') do nothing
  returning account_id, livemode, id, slice, creator_id
)
select o.account_id, o.livemode, o.id, o.slice
from opened o join moved m on (m.account_id, m.id) = (o.account_id, o.creator_id)
order by m.turn
"""


async def sweep(session: AsyncSession, stale_after: timedelta = STALE_AFTER) -> int:
    """A new job for every row that waits for one; answers how many were made."""
    connection = await raw(session)
    slices = await connection.fetch(OPEN_SYNCS, stale_after, MOST_A_TURN)
    owed = await connection.fetch(REVOCATIONS, MOST_A_TURN)
    made = 0
    for entrypoint, awaited, found in (
        (jobs.SYNC_SLICE, True, [sync.job(*row[:4]) for row in slices if row["awaited"]]),
        (jobs.SYNC_SLICE, False, [sync.job(*row[:4]) for row in slices if not row["awaited"]]),
        (jobs.RETRY_REVOCATION, False, [revocations.job(*row) for row in owed]),
    ):
        if found:
            keyed = [(key, load) for load, key in found]
            made += await jobs.enqueue_many(session, entrypoint, keyed, priority=jobs.priority(awaited))
    return made


async def plan(session: AsyncSession) -> int:
    """Open a sync for creators that are due, as far as there is room, the accounts taking turns; answers how many."""
    connection = await raw(session)
    if not await connection.fetchval(ALONE):
        return 0
    taken = {(row["platform"], row["livemode"]): row["open"] for row in await connection.fetch(OPEN)}
    begun = 0
    for platform, livemode in await connection.fetch(WORLDS):
        room = min(MOST_A_TURN, MOST_OPEN - taken.get((platform, livemode), 0))
        if room > 0:
            begun += await _open(session, connection, platform, livemode, room)
    return begun


async def _open(
    session: AsyncSession, connection: Connection, platform: str, livemode: bool, room: int
) -> int:
    """As many as there is room for; deeper into the accounts only where few have so many due."""
    begun = 0
    for depth in DEPTHS:
        rows = await connection.fetch(PLAN, platform, livemode, room - begun, CLAIMED_FOR, depth)
        found = [sync.job(*row) for row in rows]
        if found:
            await jobs.enqueue_many(session, jobs.SYNC_SLICE, [(key, load) for load, key in found])
        begun += len(found)
        if not found or begun >= room:
            break
    return begun
