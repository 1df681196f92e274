"""fetchVideo: what a platform tells anyone about a video, kept for an hour, and whose of our creators it is.

An answer is kept once for all accounts of a world: it is public, and names no account. What a creator's
disconnect erases of it is in `ERASE`; an unlogged table, so that no backup brings it back.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.models import PUBLIC_ID
from db.session import Database, raw
from services import errors
from services.platforms import base, client, oembed, registry, video_links

KEPT, KEPT_MISSING = timedelta(hours=1), timedelta(minutes=1)
MOST_KEPT = 100_000
DROPPED_A_WRITE = 20

FIND = """
select found, title, author_name, author_url, cover_url, html from public_videos
where livemode = $1 and platform = $2 and external_id = $3 and expires_at > $4
"""

# Each write drops more than it adds, as long as something is over; above the number nothing is kept. The number
# is the planner's estimate, which costs nothing to ask.
KEEP = """
with over as (
  delete from public_videos where (livemode, platform, external_id) in (
    select livemode, platform, external_id from public_videos where expires_at <= $10
      and (livemode, platform, external_id) <> ($1, $2, $3)
    order by expires_at limit $11 for update skip locked)
)
insert into public_videos (livemode, platform, external_id, found, title, author_name, author_url, cover_url,
                           html, expires_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $12
where (select reltuples from pg_class where oid = 'public_videos'::regclass) < $13
on conflict (livemode, platform, external_id) do update set found = excluded.found, title = excluded.title,
  author_name = excluded.author_name, author_url = excluded.author_url, cover_url = excluded.cover_url,
  html = excluded.html, expires_at = excluded.expires_at
"""

# By the index on the id that stands in a video's address; for who is held to certain creators, among those alone.
OWN = f"""
select v.id, v.external_id from videos v
join creators c on (c.account_id, c.id) = (v.account_id, v.creator_id)
where v.account_id = $1 and v.livemode = $2 and {PUBLIC_ID.replace("url", "v.url").replace("external_id", "v.external_id")} = $4
  and v.gone_at is null and c.platform = $3 and c.livemode = $2 and ($5::uuid[] is null or c.id = any($5))
order by c.connected_at desc limit 1
"""  # noqa: S608 -- our constant

# Kept answers about a creator's videos: by the videos we know, and by who the platform says made them.
ERASE = f"""
delete from public_videos p using creators c
where c.account_id = $1 and c.livemode = $2 and c.id = $3
  and p.livemode = c.livemode and p.platform = c.platform
  and (p.author_url = c.profile_url or split_part(lower(p.author_url), '/@', 2) = lower(c.username)
       or p.external_id in (select {PUBLIC_ID} from videos
                            where account_id = $1 and livemode = $2 and creator_id = $3))
"""  # noqa: S608 -- our constant


@dataclass(frozen=True)
class PublicVideo:
    """A public video. `video_id`: the account's own row of it, where a connected creator made it."""

    url: str
    platform: str
    external_id: str | None
    told: oembed.Told
    video_id: UUID | None


def read_link(url: str, *, livemode: bool) -> video_links.Link:
    """The video an address names. Raises BadUserInput, before anything is asked of anyone."""
    try:
        return video_links.read(url, simulated=not livemode)
    except video_links.NoVideo as refusal:
        raise errors.BadUserInput(
            f"`url` must be a video's page on TikTok, YouTube or Instagram: {refusal}.",
            argument="url",
            remedy="Give the address that the platform shows for the video.",
        ) from None


async def fetch(
    database: Database,
    platforms: registry.Platforms,
    *,
    account_id: UUID,
    livemode: bool,
    link: video_links.Link,
    allowed: Collection[UUID] | None = None,
    now: datetime | None = None,
) -> PublicVideo:
    """What the platform tells, asked or kept. Raises NotFound where there is nothing for everyone, PlatformError.

    `allowed`: the creators that may be known of; None: all of the account's.
    """
    moment = now or datetime.now(UTC)
    source, http = platforms.oembed_of(link.platform, livemode)
    async with database.read() as connection:
        row = await connection.fetchrow(FIND, livemode, link.platform, link.id, moment)
    if row is None:
        told = await _ask(database, http, source, link, livemode, moment)
    else:
        told = _told(row) if row["found"] else None
    if told is None:
        missing = errors.NotFound("public video")
        missing.remedy = "Check the address; a private or removed video is not told about."
        raise missing
    held = None if allowed is None else list(allowed)
    async with database.read() as connection:
        own = await connection.fetchrow(OWN, account_id, livemode, link.platform, link.id, held)
    named = None if link.platform == "INSTAGRAM" else link.id  # its addresses bear a word, not the id
    return PublicVideo(
        link.url, link.platform, own["external_id"] if own else named, told, own["id"] if own else None
    )


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop what is over; it is not read any more anyhow."""
    await (await raw(session)).execute("delete from public_videos where expires_at <= $1", now)


async def _ask(
    database: Database,
    http: client.Client,
    source: oembed.Source,
    link: video_links.Link,
    livemode: bool,
    now: datetime,
) -> oembed.Told | None:
    """The platform's answer, kept; None where it has no such video. A stumble is not kept."""
    try:
        told: oembed.Told | None = await oembed.ask(http, source, link)
    except oembed.Missing:
        told = None
    except base.Failure as failure:
        error = registry.explain(link.platform, failure)
        if isinstance(failure, base.RateLimited) and failure.retry_at is not None:
            error.extra["retryAfter"] = max(1, round((failure.retry_at - datetime.now(UTC)).total_seconds()))
        raise error from failure
    values = (None,) * 5 if told is None else _values(told)
    end = now + (KEPT_MISSING if told is None else KEPT)
    key = (livemode, link.platform, link.id, told is not None)
    async with database.write() as session:
        connection = await raw(session)
        await connection.execute(KEEP, *key, *values, now, DROPPED_A_WRITE, end, MOST_KEPT)
    return told


def _values(told: oembed.Told) -> tuple[str | None, ...]:
    return told.title, told.author_name, told.author_url, told.cover_url, told.html


def _told(row: Any) -> oembed.Told:
    return oembed.Told(
        title=row["title"],
        author_name=row["author_name"],
        author_url=row["author_url"],
        cover_url=row["cover_url"],
        html=row["html"],
    )
