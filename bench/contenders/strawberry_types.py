"""The contract's shapes in Strawberry, as its documentation teaches them; both Strawberry contenders serve them.

`info.context["reads"]` reads the tables: rows have attributes or keys, which `make` hides.
"""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, NewType, Self

import strawberry
from common import crt, cursor, uuid_of, vid
from strawberry import Info
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

BigInt = NewType("BigInt", int)
BIG_INT = strawberry.scalar(name="BigInt", serialize=int, parse_value=int)


@strawberry.enum
class OrderDirection(Enum):
    ASC = "ASC"
    DESC = "DESC"


@strawberry.enum
class CreatorOrderField(Enum):
    CONNECTED_AT = "CONNECTED_AT"
    FOLLOWERS = "FOLLOWERS"


@strawberry.enum
class VideoOrderField(Enum):
    PUBLISHED_AT = "PUBLISHED_AT"
    VIEWS = "VIEWS"


@strawberry.input
class CreatorFilter:
    followers_min: BigInt | None = None


@strawberry.input
class CreatorOrder:
    field: CreatorOrderField
    direction: OrderDirection = OrderDirection.DESC


@strawberry.input
class VideoFilter:
    views_min: BigInt | None = None


@strawberry.input
class VideoOrder:
    field: VideoOrderField
    direction: OrderDirection = OrderDirection.DESC


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Video:
    id: strawberry.ID
    title: str | None
    url: str | None
    views: BigInt | None
    likes: BigInt | None
    comments: BigInt | None
    shares: BigInt | None
    duration: int | None
    published_at: datetime

    @classmethod
    def make(cls, row: Any) -> Self:
        return cls(
            id=strawberry.ID(vid(row.id)),
            title=row.title,
            url=row.url,
            views=row.views,
            likes=row.likes,
            comments=row.comments,
            shares=row.shares,
            duration=row.duration,
            published_at=row.published_at,
        )


@strawberry.type
class VideoEdge:
    cursor: str
    node: Video


@strawberry.type
class VideoConnection:
    edges: list[VideoEdge]
    page_info: PageInfo


@strawberry.type
class CreatorStats:
    followers: BigInt | None
    following: BigInt | None
    likes: BigInt | None
    views: BigInt | None
    video_count: BigInt | None
    engagement_rate: float | None


@strawberry.type
class CreatorStatsPoint:
    at: datetime
    followers: BigInt | None
    likes: BigInt | None
    views: BigInt | None


@strawberry.type
class Creator:
    row: strawberry.Private[Any]
    id: strawberry.ID
    platform: str
    username: str
    display_name: str | None
    bio: str | None
    verified: bool | None
    stats: CreatorStats
    connected_at: datetime
    synced_at: datetime | None

    @classmethod
    def make(cls, row: Any) -> Self:
        return cls(
            row=row,
            id=strawberry.ID(crt(row.id)),
            platform=row.platform,
            username=row.username,
            display_name=row.display_name,
            bio=row.bio,
            verified=row.verified,
            stats=CreatorStats(
                followers=row.followers,
                following=row.following,
                likes=row.likes,
                views=row.views,
                video_count=row.video_count,
                engagement_rate=row.engagement_rate,
            ),
            connected_at=row.connected_at,
            synced_at=row.synced_at,
        )

    @strawberry.field
    async def videos(
        self,
        info: Info,
        first: int = 20,
        filter: VideoFilter | None = None,
        order_by: VideoOrder | None = None,
    ) -> VideoConnection:
        field, direction = _order(order_by, "PUBLISHED_AT")
        least = filter.views_min if filter else None
        loader = info.context["reads"].videos_loader(first, least, field, direction)
        rows = await loader.load(self.row.id)
        edges = [VideoEdge(cursor=cursor(row.position, row.id), node=Video.make(row)) for row in rows[:first]]
        return VideoConnection(edges=edges, page_info=_page_info(rows, first, edges))

    @strawberry.field
    async def history(
        self, info: Info, since: Annotated[datetime, strawberry.argument(name="from")], to: datetime
    ) -> list[CreatorStatsPoint]:
        rows = await info.context["reads"].history_loader(since, to).load(self.row.id)
        return [
            CreatorStatsPoint(at=row.at, followers=row.followers, likes=row.likes, views=row.views)
            for row in rows
        ]


@strawberry.type
class CreatorEdge:
    cursor: str
    node: Creator


@strawberry.type
class CreatorConnection:
    edges: list[CreatorEdge]
    page_info: PageInfo
    followers_min: strawberry.Private[int | None]

    @strawberry.field
    async def total_count(self, info: Info) -> int:
        return await info.context["reads"].count(self.followers_min)


@strawberry.type
class Query:
    @strawberry.field
    async def creator(self, info: Info, id: strawberry.ID) -> Creator | None:
        row = await info.context["reads"].creator(uuid_of(id))
        return Creator.make(row) if row else None

    @strawberry.field
    async def creators(
        self,
        info: Info,
        first: int = 20,
        after: str | None = None,
        filter: CreatorFilter | None = None,
        order_by: CreatorOrder | None = None,
    ) -> CreatorConnection:
        field, direction = _order(order_by, "CONNECTED_AT")
        least = filter.followers_min if filter else None
        rows = await info.context["reads"].creators(first, after, least, field, direction)
        edges = [
            CreatorEdge(cursor=cursor(row.position, row.id), node=Creator.make(row)) for row in rows[:first]
        ]
        return CreatorConnection(edges=edges, page_info=_page_info(rows, first, edges), followers_min=least)


def _order(order_by: Any, default: str) -> tuple[str, str]:
    return (order_by.field.value, order_by.direction.value) if order_by else (default, "DESC")


def _page_info(rows: Any, first: int, edges: Any) -> PageInfo:
    return PageInfo(has_next_page=len(rows) > first, end_cursor=edges[-1].cursor if edges else None)


# With its own caches of parsed and validated documents: without them each request would pay milliseconds for both.
SCHEMA = strawberry.Schema(
    Query,
    config=StrawberryConfig(scalar_map={BigInt: BIG_INT}),
    extensions=[ParserCache(maxsize=100), ValidationCache(maxsize=100)],
)
