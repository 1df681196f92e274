"""The asyncpg peers' reads: plain SQL, one lateral statement for each batch of creators."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from common import place

CREATOR = """
id, platform, username, display_name, bio, verified, followers, following, likes, views, video_count,
engagement_rate, connected_at, synced_at
"""
VIDEO = "id, title, url, views, likes, comments, shares, duration, published_at"
# The value that a list is ordered by, and what its cursors hold.
CREATOR_ORDERS = {"CONNECTED_AT": "connected_at", "FOLLOWERS": "coalesce(followers, -1)"}
VIDEO_ORDERS = {"PUBLISHED_AT": "published_at", "VIEWS": "coalesce(views, -1)"}
CASTS = {"CONNECTED_AT": datetime.fromisoformat, "FOLLOWERS": int}


async def creator(pool: asyncpg.Pool, account: UUID, id: UUID) -> asyncpg.Record | None:
    return await pool.fetchrow(
        f"select {CREATOR} from creators where account_id = $1 and id = $2", account, id
    )


async def creators(
    pool: asyncpg.Pool,
    account: UUID,
    first: int,
    after: str | None = None,
    followers: int | None = None,
    field: str = "CONNECTED_AT",
    direction: str = "DESC",
) -> list[asyncpg.Record]:
    """A page and one more row, each with the value it is ordered by as `position`."""
    key, values, where = CREATOR_ORDERS[field], [account, first + 1], ["account_id = $1", "livemode"]
    if followers is not None:
        values.append(followers)
        where.append(f"followers >= ${len(values)}")
    if stands := place(after):
        values += [CASTS[field](stands[0]), stands[1]]
        where.append(
            f"({key}, id) {'<' if direction == 'DESC' else '>'} (${len(values) - 1}, ${len(values)})"
        )
    return await pool.fetch(
        f"select {CREATOR}, {key} as position from creators where {' and '.join(where)}"
        f" order by {key} {direction}, id {direction} limit $2",
        *values,
    )


async def count(pool: asyncpg.Pool, account: UUID, followers: int | None) -> int:
    return await pool.fetchval(
        "select count(*) from creators where account_id = $1 and livemode and ($2::bigint is null or followers >= $2)",
        account, followers,
    )  # fmt: skip


async def videos(
    pool: asyncpg.Pool,
    account: UUID,
    ids: Sequence[UUID],
    first: int,
    views: int | None = None,
    field: str = "PUBLISHED_AT",
    direction: str = "DESC",
) -> list[list[asyncpg.Record]]:
    """A page and one more row for every creator."""
    key, values, where = VIDEO_ORDERS[field], [account, ids, first + 1], ""
    if views is not None:
        values.append(views)
        where = "and views >= $4"
    rows = await pool.fetch(
        f"""
        select c.id as creator_id, v.*
          from unnest($2::uuid[]) c(id)
         cross join lateral (
           select {VIDEO}, {key} as position from videos
            where account_id = $1 and creator_id = c.id and gone_at is null {where}
            order by {key} {direction}, id {direction} limit $3) v
        """,
        *values,
    )
    return _grouped(rows, ids)


async def history(
    pool: asyncpg.Pool, account: UUID, ids: Sequence[UUID], start: datetime, end: datetime
) -> list[list[asyncpg.Record]]:
    rows = await pool.fetch(
        """
        select creator_id, at, followers, likes, views from creator_stats
         where account_id = $1 and creator_id = any($2) and at >= $3 and at < $4
         order by creator_id, at
        """,
        account, ids, start, end,
    )  # fmt: skip
    return _grouped(rows, ids)


def _grouped(rows: list[asyncpg.Record], ids: Sequence[UUID]) -> list[list[asyncpg.Record]]:
    found: dict[UUID, list[asyncpg.Record]] = {id: [] for id in ids}
    for row in rows:
        found[row["creator_id"]].append(row)
    return [found[id] for id in ids]
