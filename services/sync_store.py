"""The statements of a sync: taking it, writing a page under its fence, ending it.

Lock order everywhere: the creator's row first (here for key share, in `services.erase` for update), then the
sync's. So a disconnect waits for at most one page, and no page is written after it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.session import Connection
from services import cadence, events, grants, lookback, refusals, sync_values, tombstones, unseen
from services.platforms import base
from services.vault import Vault

KEPT = timedelta(days=90)

# A creator that is not being erased, and a sync nobody has open: `request` joins the open one.
KNOWN = """
select 1 from creators where account_id = $1 and livemode = $2 and id = $3 for key share
"""

# The partial unique index is the rule "one open sync a creator"; the loser of a race gets nothing back.
OPEN = """
insert into syncs (account_id, livemode, creator_id, trigger, awaited) values ($1, $2, $3, $4, $5)
on conflict (account_id, creator_id) where status in ('QUEUED', 'RUNNING') do nothing
returning id
"""

JOIN = """
select id, slice from syncs
where account_id = $1 and livemode = $2 and creator_id = $3 and status in ('QUEUED', 'RUNNING')
for key share
"""

# Who waits finds a sync that nobody waited for: from now on it goes first, and reads every video.
JOIN_AWAITED = """
update syncs s set awaited = true, back_to = null, videos_expected = case when back_to is null then videos_expected
  else (select video_count from creators c where (c.account_id, c.id) = (s.account_id, s.creator_id)) end
where account_id = $1 and livemode = $2 and creator_id = $3 and status in ('QUEUED', 'RUNNING')
returning id, slice
"""

# Every taker raises the fence; who took it before writes nothing any more. A take counts as a failure until
# a page is stored: a sync that kills its worker each time ends. Nobody takes it before the time for which it waits,
# whatever became of the job that waited.
TAKE = """
update syncs set fence = fence + 1, status = 'RUNNING', started_at = coalesce(started_at, now()),
  touched_at = now(), attempts = attempts + (attempts = 0 or failures > 0)::int, failures = failures + 1
where account_id = $1 and livemode = $2 and id = $3 and slice = $4 and status in ('QUEUED', 'RUNNING')
  and (error_retry_at is null or error_retry_at <= now())
returning creator_id, fence, slice, cursor::text as cursor, failures, queued_at, videos_seen, trigger, awaited,
  old.error_retry_at - old.touched_at as waited
"""

EARLY = """
select error_retry_at - now() + interval '10 milliseconds' from syncs
where account_id = $1 and livemode = $2 and id = $3 and slice = $4 and status in ('QUEUED', 'RUNNING')
  and error_retry_at > now()
"""

WHO = """
select platform, external_id, read_deep_at, read_whole_at from creators where account_id = $1 and livemode = $2 and id = $3
"""

# Before any write of a slice: the creator stands, was not disconnected, and nobody took the sync after us.
# The rows are locked in the order of the two clauses. None of it need be on disk when it commits: what a crash of
# PostgreSQL takes away is the end of the log, the page and the cursor behind it together. Whoever was charged for an
# answer that tells of it finds it: the charge stands behind it in the log, and is on disk before the answer leaves.
# The take is on disk: no fence is given out twice. A taker that outlives such a crash finds the sync behind what it
# wrote, and writes nothing any more: the pages between would be missing.
HOLD = """
select set_config('synchronous_commit', 'off', true), s.awaited, s.back_to, c.video_count
from creators c join syncs s on (s.account_id, s.creator_id) = (c.account_id, c.id)
where s.account_id = $1 and s.livemode = $2 and s.id = $3 and s.fence = $4 and s.status = 'RUNNING'
  and coalesce((s.cursor ->> 'pages')::int, 0) = $6
  and not exists (select from tombstones t
                  where t.account_id = $1 and t.livemode = $2 and t.digest = any($5::bytea[]))
for key share of c for no key update of s
"""

PROFILE = """
update creators set username = $4, display_name = $5, bio = $6, avatar_url = $7, profile_url = $8,
  verified = $9, followers = $10, following = $11, likes = $12, views = $13, video_count = $14,
  app_scoped_id = coalesce($15, app_scoped_id)
where account_id = $1 and livemode = $2 and id = $3
"""

# Reconnecting keeps id, data and the partner's reference; what the platform tells is written over.
CONNECT = """
insert into creators as c (account_id, livemode, platform, external_id, reference, username, display_name, bio,
  avatar_url, profile_url, verified, followers, following, likes, views, video_count, app_scoped_id)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
on conflict (account_id, livemode, platform, external_id) do update set
  reference = coalesce(excluded.reference, c.reference), username = excluded.username,
  display_name = excluded.display_name, bio = excluded.bio, avatar_url = excluded.avatar_url,
  profile_url = excluded.profile_url, verified = excluded.verified, followers = excluded.followers,
  following = excluded.following, likes = excluded.likes, views = excluded.views,
  video_count = excluded.video_count, app_scoped_id = coalesce(excluded.app_scoped_id, c.app_scoped_id)
returning id
"""

# One point an hour: the hour's last reading stands.
CREATOR_POINT = """
insert into creator_stats (account_id, livemode, creator_id, at, followers, following, likes, views, video_count)
values ($1, $2, $3, date_trunc('hour', now()), $4, $5, $6, $7, $8)
on conflict (account_id, creator_id, at) do update set followers = excluded.followers,
  following = excluded.following, likes = excluded.likes, views = excluded.views,
  video_count = excluded.video_count
"""

# Of a walk that goes back only so far, what is there already of that time.
EXPECT = """
update syncs s set back_to = $6, touched_at = now(), videos_expected = case when $6::timestamptz is null then $5 else (
  select count(*) from videos v where v.account_id = s.account_id and v.creator_id = s.creator_id
    and v.gone_at is null and v.published_at >= $6) end
where account_id = $1 and livemode = $2 and id = $3 and fence = $4
"""

# A page in one statement: videos, their history, the sync's counters and cursor, and the hint.
# `seen_in` moves on every row, so that an ended walk knows whom it missed; a row counts as updated only where
# something lasting changed (cover and media addresses die by themselves), and once a sync. A counter that could
# not be read this time (`partial`) stays as it was; one the platform does not tell becomes null.
PAGE = """
with page as (
  select * from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                       $13::int8[], $14::int8[], $15::int8[], $16::int8[], $17::int8[], $18::timestamptz[],
                       $20::bool[])
    as page (external_id, kind, title, description, url, cover_url, media_url,
             views, likes, comments, shares, duration, published_at, partial)
), told as (
  select page.external_id, page.kind, page.title, page.description, page.url, page.cover_url, page.media_url,
         coalesce(page.views, v.views), coalesce(page.likes, v.likes), coalesce(page.comments, v.comments),
         coalesce(page.shares, v.shares), page.duration, page.published_at
  from page left join videos v on page.partial and v.account_id = $1 and v.creator_id = $3
                               and v.external_id = page.external_id
), written as (
  insert into videos (account_id, livemode, creator_id, seen_in, external_id, kind, title, description, url,
                      cover_url, media_url, views, likes, comments, shares, duration, published_at)
  select $1, $2, $3, $4, told.* from told
  on conflict (account_id, creator_id, external_id) do update set
    seen_in = excluded.seen_in, kind = excluded.kind, title = excluded.title,
    description = excluded.description, url = excluded.url, cover_url = excluded.cover_url,
    media_url = excluded.media_url, views = excluded.views, likes = excluded.likes,
    comments = excluded.comments, shares = excluded.shares, duration = excluded.duration,
    published_at = excluded.published_at, gone_at = null
  returning new.id, new.views, new.likes, new.comments, new.shares,
    old.id is null as added,
    old.seen_in is distinct from new.seen_in as first_seen,
    old.id is not null and old.seen_in <> new.seen_in and
      (old.kind, old.title, old.description, old.url, old.views, old.likes, old.comments, old.shares,
       old.duration, old.published_at, old.gone_at)
      is distinct from
      (new.kind, new.title, new.description, new.url, new.views, new.likes, new.comments, new.shares,
       new.duration, new.published_at, new.gone_at) as updated,
    (old.views, old.likes, old.comments, old.shares)
      is distinct from (new.views, new.likes, new.comments, new.shares) as moved
), points as (
  insert into video_stats (account_id, livemode, creator_id, video_id, at, views, likes, comments, shares)
  select $1, $2, $3, id, date_trunc('hour', now()), views, likes, comments, shares from written
  where (added or moved) and num_nonnulls(views, likes, comments, shares) > 0
  on conflict (account_id, creator_id, video_id, at) do update set views = excluded.views,
    likes = excluded.likes, comments = excluded.comments, shares = excluded.shares
), counted as (
  select count(*) filter (where first_seen) as seen, count(*) filter (where added) as added,
         count(*) filter (where updated) as updated
  from written
)
update syncs set videos_seen = videos_seen + counted.seen, videos_added = videos_added + counted.added,
  videos_updated = videos_updated + counted.updated, cursor = cast($19::text as jsonb), failures = 0,
  error_code = null, error_message = null, error_retry_at = null, touched_at = now()
from counted
where account_id = $1 and livemode = $2 and id = $4 and fence = $5
returning pg_notify('creator_graph_sync', id::text)
"""

NEXT_SLICE = """
update syncs set slice = slice + 1 where account_id = $1 and livemode = $2 and id = $3 and fence = $4
returning slice
"""

# Mean over the 30 newest; those without a rate do not count.
READ = """
update creators set synced_at = now(), read_deep_at = case when $4 then now() else read_deep_at end,
  read_whole_at = case when $5 then now() else read_whole_at end, engagement_rate = (
  select avg(engagement_rate) from (
    select engagement_rate from videos
    where account_id = $1 and livemode = $2 and creator_id = $3 and gone_at is null
    order by published_at desc, id desc limit 30) newest)
where account_id = $1 and livemode = $2 and id = $3
"""

END = """
update syncs set status = $5, error_code = $6, error_message = $7, error_retry_at = null, cursor = null,
  finished_at = now(), touched_at = now(), failures = 0
where account_id = $1 and livemode = $2 and id = $3 and fence = $4
"""

# What nobody asks about any more, a creator's at a time: its index is at hand.
PRUNE = """
delete from syncs where account_id = $1 and livemode = $2 and creator_id = $3
  and queued_at < now() - $4::interval and status not in ('QUEUED', 'RUNNING')
"""

# The slice is tried again later. Waiting because the platform said so is no failure.
PUT_OFF = """
update syncs set error_code = $5, error_message = $6, error_retry_at = now() + $7, touched_at = now(),
  failures = case when $8 then greatest(failures - 1, 0) else failures end
where account_id = $1 and livemode = $2 and id = $3 and fence = $4
returning pg_notify('creator_graph_sync', id::text)
"""

SEEN = "select videos_seen from syncs where account_id = $1 and livemode = $2 and id = $3 and fence = $4"
STATUS = "select status from syncs where account_id = $1 and livemode = $2 and id = $3"


class Superseded(Exception):
    """Somebody took the sync after us, what we wrote was lost, or the creator is gone: nothing may be written."""


@dataclass(frozen=True)
class Run:
    """A sync as one taker holds it. `asked`: up to which id its platform was asked for what the walk did not

    meet; None while it walks.
    """

    account_id: UUID
    livemode: bool
    id: UUID
    creator_id: UUID
    platform: str
    fence: int
    slice: int
    cursor: Mapping[str, Any] | None
    skipped: int
    withheld: int
    pages: int
    asked: str | None
    begun: bool
    trigger: str
    awaited: bool
    read_deep_at: datetime | None
    read_whole_at: datetime | None
    failures: int
    waited: timedelta | None
    queued_at: datetime
    seen: int
    digests: tuple[bytes, ...]

    @property
    def key(self) -> tuple[UUID, bool, UUID, int]:
        return self.account_id, self.livemode, self.id, self.fence

    @property
    def creator(self) -> tuple[UUID, bool, UUID]:
        return self.account_id, self.livemode, self.creator_id

    @property
    def walk(self) -> tuple[UUID, bool, UUID, UUID]:
        return *self.creator, self.id


@dataclass(frozen=True)
class Standing:
    """What others may have changed of a sync while its taker asked the platform."""

    awaited: bool
    back_to: datetime | None
    video_count: int | None


async def take(
    connection: Connection, vault: Vault, account_id: UUID, livemode: bool, sync_id: UUID, number: int
) -> Run | None:
    """Make this taker the only one; None when the slice is over, or the sync, or the creator gone, or it is EARLY."""
    row = await connection.fetchrow(TAKE, account_id, livemode, sync_id, number)
    if row is None:
        return None
    who = await connection.fetchrow(WHO, account_id, livemode, row["creator_id"])
    if who is None:
        return None
    saved = json.loads(row["cursor"]) if row["cursor"] else {}
    return Run(
        account_id=account_id,
        livemode=livemode,
        id=sync_id,
        creator_id=row["creator_id"],
        platform=who["platform"],
        fence=row["fence"],
        slice=row["slice"],
        cursor=saved.get("next"),
        skipped=saved.get("skipped", 0),
        withheld=saved.get("withheld", 0),
        pages=saved.get("pages", 0),
        asked=saved.get("asked"),
        begun=bool(saved),
        trigger=row["trigger"],
        awaited=row["awaited"],
        read_deep_at=who["read_deep_at"],
        read_whole_at=who["read_whole_at"],
        failures=row["failures"],
        waited=row["waited"],
        queued_at=row["queued_at"],
        seen=row["videos_seen"],
        digests=tombstones.digests(vault, who["platform"], who["external_id"]),
    )


async def hold(connection: Connection, run: Run, pages: int) -> Standing:
    """Lock creator and sync for this transaction. Raises Superseded when this taker may not write.

    `pages`: how many the taker knows to be stored.
    """
    row = await connection.fetchrow(HOLD, *run.key, list(run.digests), pages)
    if row is None:
        raise Superseded
    return Standing(row["awaited"], row["back_to"], row["video_count"])


async def write_profile(
    connection: Connection, run: Run, profile: base.Profile, back_to: datetime | None
) -> None:
    """The creator's row, the hour's history point, how far back is read and how many videos to expect."""
    told = sync_values.profile_values(profile)
    await connection.execute(PROFILE, *run.creator, *told, profile.app_scoped_id)
    await connection.execute(CREATOR_POINT, *run.creator, *told[6:])
    await connection.execute(EXPECT, *run.key, told[-1], back_to)
    await events.notify(connection, events.SYNC, str(run.id))
    await refusals.accepted(connection, run.platform, run.livemode)


async def write_page(
    connection: Connection, run: Run, videos: Iterable[base.VideoRecord], saved: Mapping[str, Any]
) -> None:
    """A page's videos and history, and beside them where the next one begins."""
    unique = {video.external_id: video for video in videos}  # a row can be written once a statement
    rows = [sync_values.video_values(video) for video in unique.values()]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(13)]
    partial = [video.partial for video in unique.values()]
    await connection.execute(PAGE, *run.creator, run.id, run.fence, *columns, json.dumps(saved), partial)


async def finish(
    connection: Connection,
    run: Run,
    status: str,
    *,
    walked: bool,
    back_to: datetime | None = None,
    error: tuple[str, str] | None = None,
    shows_newest: int | None = None,
) -> None:
    """End the sync. After a walk that came to its end the creator's mean and times; the gone videos only

    when that end was the last video, and nothing was skipped. `shows_newest`: see `base.Connector`.
    """
    if walked and status == "SUCCEEDED" and back_to is None:
        await unseen.mark_gone(connection, run.walk, shows_newest)
    if walked:
        deep = lookback.is_deep(back_to, run.queued_at)
        await connection.execute(READ, *run.creator, deep, back_to is None)
    await connection.execute(END, *run.key, status, *(error or (None, None)))
    await connection.execute(PRUNE, *run.creator, KEPT)
    await cadence.set_next(connection, grants.Whose(*run.creator))
    await events.notify(connection, events.SYNC, str(run.id))
    world = "live" if run.livemode else "test"
    await events.notify(connection, events.CREATOR, f"{run.account_id}:{world}:{run.creator_id}")
