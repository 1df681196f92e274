"""Ariadne, schema first, over the same asyncpg reads; its loaders are Strawberry's, which stand alone."""

import functools
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import reads
from aiohttp import web
from ariadne import ObjectType, QueryType, ScalarType, graphql, make_executable_schema
from common import account_of, crt, cursor, open_pool, serve, uuid_of, vid
from graphql import DocumentNode, parse, validate
from strawberry.dataloader import DataLoader

query, creator, connection, video = (
    QueryType(),
    ObjectType("Creator"),
    ObjectType("CreatorConnection"),
    ObjectType("Video"),
)
big_int = ScalarType("BigInt", value_parser=int)
date_time = ScalarType("DateTime", serializer=datetime.isoformat, value_parser=datetime.fromisoformat)


class Reads:
    """One request's pool, account and loaders."""

    def __init__(self, pool: Any, account: UUID) -> None:
        self.pool, self.account = pool, account
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}

    def loader(self, read: Any, *arguments: Any) -> DataLoader[Any, Any]:
        async def load(ids: list[UUID]) -> Any:
            return await read(self.pool, self.account, ids, *arguments)

        return self._loaders.setdefault((read, *arguments), DataLoader(load_fn=load))


@query.field("creator")
async def resolve_creator(_: Any, info: Any, id: str) -> Any:
    return await reads.creator(info.context.pool, info.context.account, uuid_of(id))


@query.field("creators")
async def resolve_creators(
    _: Any, info: Any, first: int = 20, after: Any = None, filter: Any = None, **order_by: Any
) -> Any:
    least = (filter or {}).get("followersMin")
    order = order_by.get("orderBy") or {"field": "CONNECTED_AT", "direction": "DESC"}
    found = await reads.creators(
        info.context.pool, info.context.account, first, after, least, order["field"], order["direction"]
    )
    return {**_page(found, first), "least": least}


@connection.field("totalCount")
async def resolve_total(page: Any, info: Any) -> int:
    return await reads.count(info.context.pool, info.context.account, page["least"])


@creator.field("videos")
async def resolve_videos(row: Any, info: Any, first: int = 20, filter: Any = None, **order_by: Any) -> Any:
    order = order_by.get("orderBy") or {"field": "PUBLISHED_AT", "direction": "DESC"}
    least = (filter or {}).get("viewsMin")
    loader = info.context.loader(reads.videos, first, least, order["field"], order["direction"])
    return _page(await loader.load(row["id"]), first)


@creator.field("history")
async def resolve_history(row: Any, info: Any, to: Any, **span: Any) -> Any:
    return await info.context.loader(reads.history, span["from"], to).load(row["id"])


def _page(rows: Any, first: int) -> Any:
    edges = [{"cursor": cursor(row["position"], row["id"]), "node": row} for row in rows[:first]]
    end = edges[-1]["cursor"] if edges else None
    return {"edges": edges, "pageInfo": {"hasNextPage": len(rows) > first, "endCursor": end}}


def _column(of: ObjectType, name: str, key: str) -> None:
    of.set_field(name, lambda row, _info: row[key])


creator.set_field("id", lambda row, _: crt(row["id"]))
creator.set_field("stats", lambda row, _: row)
video.set_field("id", lambda row, _: vid(row["id"]))
stats, point = ObjectType("CreatorStats"), ObjectType("CreatorStatsPoint")
for name in ("platform", "username", "bio", "verified"):
    _column(creator, name, name)
for name, key in (
    ("displayName", "display_name"),
    ("connectedAt", "connected_at"),
    ("syncedAt", "synced_at"),
):
    _column(creator, name, key)
for name in ("followers", "following", "likes", "views"):
    _column(stats, name, name)
for name, key in (("videoCount", "video_count"), ("engagementRate", "engagement_rate")):
    _column(stats, name, key)
for name in ("at", "followers", "likes", "views"):
    _column(point, name, name)
for name in ("title", "url", "views", "likes", "comments", "shares", "duration"):
    _column(video, name, name)
_column(video, "publishedAt", "published_at")

SCHEMA = make_executable_schema(
    Path(__file__).with_name("schema.graphql").read_text(),
    query, creator, connection, video, stats, point, big_int, date_time,
)  # fmt: skip


@functools.lru_cache(maxsize=100)
def parsed(text: str) -> DocumentNode:
    return parse(text)


def valid(schema: Any, document: DocumentNode, *rules: Any, **options: Any) -> Any:
    """Each document once; without this and the above every request would pay milliseconds for both."""
    if id(document) not in VALID:
        VALID[id(document)] = document, validate(schema, document, *rules, **options)
    return VALID[id(document)][1]


VALID: dict[int, tuple[DocumentNode, Any]] = {}


async def handle(request: web.Request) -> web.Response:
    context = Reads(request.app["pool"], account_of(request))
    _, answer = await graphql(
        SCHEMA,
        orjson.loads(await request.read()),
        context_value=context,
        query_parser=lambda _, data: parsed(data["query"]),
        query_validator=valid,
    )
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


async def app() -> web.Application:
    made = web.Application()
    made["pool"] = await open_pool()
    made.router.add_post("/graphql", handle)
    return made


serve(app())
