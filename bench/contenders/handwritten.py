"""The hand-written limit: no GraphQL, aiohttp and one tuned statement an operation; BENCH_VARIANT is its style.

Tuned: statements prepared once a connection, generic plans, no reset between uses, bytes as they come.
"""

import asyncio
import base64
import collections
import os
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import handwritten_sql
import orjson
from aiohttp import web
from common import DATABASE, POOL, account_of, serve, uuid_of

VARIANT = os.environ["BENCH_VARIANT"]
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
SETTINGS = {"timezone": "UTC", "plan_cache_mode": "force_generic_plan", "jit": "off"}
ROWS = VARIANT == "rows"
TEXTS = handwritten_sql.rows() if ROWS else handwritten_sql.made_of(handwritten_sql.STYLES[VARIANT])


class Connections:
    """A pool without manners: whoever waits longest gets the next free connection, as it is."""

    def __init__(self) -> None:
        self._free: list[dict[str, Any]] = []
        self._waiting: collections.deque[asyncio.Future[dict[str, Any]]] = collections.deque()

    async def open(self) -> None:
        for _ in range(POOL):
            connection = await asyncpg.connect(DATABASE, server_settings=SETTINGS)
            self._free.append({name: await connection.prepare(text) for name, text in TEXTS.items()})

    async def fetch(self, name: str, *values: Any) -> Any:
        """Rows, or the one value that the other styles make."""
        statements = self._free.pop() if self._free else await self._wait()
        try:
            statement = statements[name]
            return await (statement.fetch(*values) if ROWS else statement.fetchval(*values))
        finally:
            self._put(statements)

    async def _wait(self) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return await future

    def _put(self, statements: dict[str, Any]) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(statements)
                return
        self._free.append(statements)


CONNECTIONS = Connections()


def values_of(name: str, given: Any, account: UUID) -> tuple[Any, ...]:
    if name == "small":
        return (account, uuid_of(given["id"]))
    if name == "totalCount":
        return (account, given["followers"])
    if name == "deep":
        span = datetime.fromisoformat(given["from"]), datetime.fromisoformat(given["to"])
        return (account, given["followers"], given["views"], *span)
    if given["after"] is None:
        return (account,)
    data = base64.b64decode(given["after"])
    at = EPOCH + timedelta(microseconds=struct.unpack(">q", data[:8])[0])
    return (account, at, UUID(bytes=data[8:]))


async def handle(request: web.Request) -> web.Response:
    name, given = request.path[1:], orjson.loads(await request.read())
    statement = f"{name} after" if given.get("after") else name
    found = await CONNECTIONS.fetch(statement, *values_of(name, given, account_of(request)))
    body = orjson.dumps({"data": ASSEMBLERS[name](found)}) if ROWS else found
    return web.Response(body=body, content_type="application/json")


# -- rows to objects


def small(rows: Any) -> Any:
    return {"creator": {**_creator(rows[0]), "bio": rows[0]["bio"]} if rows else None}


def total(rows: Any) -> Any:
    row = rows[0]
    return {"creators": {"totalCount": row["total"], "edges": [{"node": {"id": "crt_" + row["id"]}}]}}


def wide(rows: Any) -> Any:
    return {
        "creators": _page([{"cursor": row["cur"], "node": _creator(row)} for row in rows[:100]], rows, 100)
    }


def nested(rows: Any) -> Any:
    edges = [_nested_edge(group) for group in _groups(rows)]
    return {"creators": _page(edges[:20], edges, 20)}


def deep(rows: Any) -> Any:
    edges = [_deep_edge(group) for group in _groups(rows)]
    return {"creators": _page(edges[:10], edges, 10)}


ASSEMBLERS = {"small": small, "totalCount": total, "wide": wide, "nested": nested, "deep": deep}


def _groups(rows: Any) -> list[list[Any]]:
    """Rows of one creator after the other."""
    groups: list[list[Any]] = []
    last = None
    for row in rows:
        if row["cur"] != last:
            last = row["cur"]
            groups.append([])
        groups[-1].append(row)
    return groups


def _page(edges: Any, found: Any, size: int) -> Any:
    end = edges[-1]["cursor"] if edges else None
    return {"edges": edges, "pageInfo": {"hasNextPage": len(found) > size, "endCursor": end}}


def _creator(row: Any) -> Any:
    return {
        "id": "crt_" + row["id"],
        "platform": row["platform"],
        "username": row["username"],
        "displayName": row["display_name"],
        "verified": row["verified"],
        "stats": {
            "followers": row["followers"],
            "following": row["following"],
            "likes": row["likes"],
            "views": row["views"],
            "videoCount": row["video_count"],
            "engagementRate": row["engagement_rate"],
        },
        "connectedAt": row["connected_at"],
        "syncedAt": row["synced_at"],
    }


def _nested_edge(group: Any) -> Any:
    row = group[0]
    edges = [
        {
            "cursor": vcur,
            "node": {
                "id": "vid_" + vid,
                "title": title,
                "url": url,
                "views": views,
                "likes": likes,
                "comments": comments,
                "shares": shares,
                "duration": duration,
                "publishedAt": published_at,
            },
        }
        for *_, vcur, vid, title, url, views, likes, comments, shares, duration, published_at in group[:10]
        if vcur
    ]
    node = {
        "id": "crt_" + row["id"],
        "platform": row["platform"],
        "username": row["username"],
        "displayName": row["display_name"],
        "stats": {"followers": row["followers"], "views": row["views"]},
        "videos": _page(edges, group, 10),
    }
    return {"cursor": row["cur"], "node": node}


def _deep_edge(group: Any) -> Any:
    row = group[0]
    edges = [
        {
            "cursor": vcur,
            "node": {"id": "vid_" + vid, "title": title, "views": views, "publishedAt": published_at},
        }
        for *_, vcur, vid, title, views, published_at in group[:5]
        if vcur
    ]
    points = zip(
        row["hat"] or (), row["hfollowers"] or (), row["hlikes"] or (), row["hviews"] or (), strict=True
    )
    node = {
        "id": "crt_" + row["id"],
        "username": row["username"],
        "stats": {"followers": row["followers"], "likes": row["likes"]},
        "history": [
            {"at": at, "followers": followers, "likes": likes, "views": views}
            for at, followers, likes, views in points
        ],
        "videos": _page(edges, group, 5),
    }
    return {"cursor": row["cur"], "node": node}


async def app() -> web.Application:
    await CONNECTIONS.open()
    made = web.Application()
    made.router.add_post("/{name}", handle)
    return made


serve(app())
