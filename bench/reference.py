"""The right answers, read plainly from the tables, row by row; no contender's code, no cursors."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from bench.bed import Bed
from bench.operations import Operation, Want

STATS = ("followers", "following", "likes", "views", "video_count", "engagement_rate")
BY_CONNECTED = "connected_at desc, id desc"
BY_FOLLOWERS = "coalesce(followers, -1), id"
BY_PUBLISHED = "published_at desc, id desc"
BY_VIEWS = "coalesce(views, -1) desc, id desc"
ONE = ("id", "platform", "username", "display_name", "bio", "verified", *STATS, "connected_at", "synced_at")
WIDE = tuple(name for name in ONE if name != "bio")
VIDEO = ("id", "title", "url", "views", "likes", "comments", "shares", "duration", "published_at")


def knows(operation: Operation) -> bool:
    return _plain_name(operation) in ANSWERS


def _plain_name(operation: Operation) -> str:
    """Without what a metering run adds to it."""
    return operation.name.partition(" (")[0]


async def answer(connection: asyncpg.Connection, bed: Bed, operation: Operation, want: Want) -> Any:
    """`data` as the contract has it, cursors left out."""
    account = UUID(bed.tenants[want.tenant].id)
    return await ANSWERS[_plain_name(operation)](connection, account, want)


async def _small(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    id = UUID(want.variables["id"].removeprefix("crt_"))
    row = await connection.fetchrow("select * from creators where account_id = $1 and id = $2", account, id)
    assert row is not None
    return {"creator": _object(row, ONE)}


async def _nested(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    names = ("id", "platform", "username", "display_name", "followers", "views")
    rows = await _creators(connection, account, BY_CONNECTED, 0, want.page * 20, 21)
    page = _page(rows, 20, names)
    for edge, row in zip(page["edges"], rows, strict=False):
        edge["node"]["videos"] = _page(await _videos(connection, row, BY_PUBLISHED, 0, 11), 10, VIDEO)
    return {"creators": page}


async def _wide(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    rows = await _creators(connection, account, BY_CONNECTED, 0, want.page * 100, 101)
    return {"creators": _page(rows, 100, WIDE)}


async def _deep(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    least, span = want.variables["views"], (want.variables["from"], want.variables["to"])
    rows = await _creators(connection, account, BY_FOLLOWERS, want.variables["followers"], 0, 11)
    page = _page(rows, 10, ("id", "username", "followers", "likes"))
    for edge, row in zip(page["edges"], rows, strict=False):
        videos = await _videos(connection, row, BY_VIEWS, least, 6)
        edge["node"]["history"] = await _history(connection, row, *span)
        edge["node"]["videos"] = _page(videos, 5, ("id", "title", "views", "published_at"))
    return {"creators": page}


async def _total(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    rows = await _creators(connection, account, BY_CONNECTED, want.variables["followers"], 0, 1000)
    edges = [{"node": _object(row, ("id",))} for row in rows[:1]]
    return {"creators": {"totalCount": len(rows), "edges": edges}}


async def _far(connection: asyncpg.Connection, account: UUID, want: Want) -> Any:
    rows = await connection.fetch(
        f"select * from videos where account_id = $1 and livemode and gone_at is null"
        f" order by {BY_PUBLISHED} offset $2 limit 21",
        account,
        want.page * 20,
    )
    return {"videos": _page(rows, 20, ("id", "title", "views", "published_at"))}


ANSWERS = {
    "page 1": _far,
    "page 1000": _far,
    "small": _small,
    "nested": _nested,
    "wide": _wide,
    "deep": _deep,
    "totalCount": _total,
}


async def _creators(
    connection: asyncpg.Connection, account: UUID, order: str, followers: int, skip: int, limit: int
) -> list[asyncpg.Record]:
    return await connection.fetch(
        f"select * from creators where account_id = $1 and livemode and ($2 = 0 or followers >= $2)"
        f" order by {order} offset $3 limit $4",
        account, followers, skip, limit,
    )  # fmt: skip


async def _videos(
    connection: asyncpg.Connection, creator: asyncpg.Record, order: str, views: int, limit: int
) -> list[asyncpg.Record]:
    return await connection.fetch(
        "select * from videos where account_id = $1 and creator_id = $2 and gone_at is null"
        f" and ($3 = 0 or views >= $3) order by {order} limit $4",
        creator["account_id"], creator["id"], views, limit,
    )  # fmt: skip


async def _history(connection: asyncpg.Connection, creator: asyncpg.Record, start: str, end: str) -> Any:
    rows = await connection.fetch(
        "select * from creator_stats where account_id = $1 and creator_id = $2 and at >= $3 and at < $4 order by at",
        creator["account_id"], creator["id"], datetime.fromisoformat(start), datetime.fromisoformat(end),
    )  # fmt: skip
    return [_object(row, ("at", "followers", "likes", "views")) for row in rows]


def _page(rows: list[asyncpg.Record], size: int, names: tuple[str, ...]) -> dict[str, Any]:
    edges = [{"node": _object(row, names)} for row in rows[:size]]
    return {"edges": edges, "pageInfo": {"hasNextPage": len(rows) > size}}


def _object(row: asyncpg.Record, names: tuple[str, ...]) -> dict[str, Any]:
    return {_camel(name): _plain(row[name]) for name in names}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return value.hex
    return value.isoformat() if isinstance(value, datetime) else value
