"""Videos: shapes only."""

from enum import Enum
from typing import Annotated

import strawberry

from graph.cost import Cost
from graph.pagination import PageInfo
from graph.scalars import URL, BigInt, DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.creator import Creator, Platform
from graph.types.node import Node, Planned, read_by_parent
from graph.types.ordering import Granularity, HistoryFrom, HistoryTo, OrderDirection, Step


@strawberry.enum(description="What kind of post a video is.")
class VideoKind(Enum):
    VIDEO = strawberry.enum_value("VIDEO", description="An ordinary video.")
    SHORT = strawberry.enum_value("SHORT", description="A YouTube Short.")
    REEL = strawberry.enum_value("REEL", description="An Instagram reel.")
    LIVE = strawberry.enum_value("LIVE", description="A live broadcast.")
    IMAGE = strawberry.enum_value("IMAGE", description="A single picture.")
    CAROUSEL = strawberry.enum_value("CAROUSEL", description="Several pictures or videos in one post.")


@strawberry.type(description="A video's numbers at one instant.")
class VideoStatsPoint:
    at: DateTime = strawberry.field(description="Start of the day or hour the reading belongs to.")
    views: BigInt | None = strawberry.field(description="Views then.")
    likes: BigInt | None = strawberry.field(description="Likes then.")
    comments: BigInt | None = strawberry.field(description="Comments then.")
    shares: BigInt | None = strawberry.field(description="Shares then.")


@strawberry.input(description="Which videos: all given conditions hold; a list means any of its values.")
class VideoFilter:
    published_after: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="Published at this instant or later."
    )
    published_before: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="Published before this instant."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Full text over title and description; prefixes match."
    )
    views_min: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="At least so many views."
    )
    creator_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Of any of these creators."
    )
    platform: list[Platform] | None = strawberry.field(
        default=strawberry.UNSET, description="On any of these platforms."
    )


@strawberry.enum(description="What videos can be ordered by; ties by id, null below everything.")
class VideoOrderField(Enum):
    PUBLISHED_AT = strawberry.enum_value("PUBLISHED_AT", description="When published.")
    VIEWS = strawberry.enum_value("VIEWS", description="By views.")
    LIKES = strawberry.enum_value("LIKES", description="By likes.")
    COMMENTS = strawberry.enum_value("COMMENTS", description="By comments.")
    SHARES = strawberry.enum_value("SHARES", description="By shares.")
    ENGAGEMENT_RATE = strawberry.enum_value(
        "ENGAGEMENT_RATE", description="By (likes + comments + shares) / views."
    )


@strawberry.input(description="Order of videos.")
class VideoOrder:
    field: VideoOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")


@strawberry.type(
    description="A creator's public video. ids read vid_<32 hex>.",
    directives=[Cost(weight="0.1"), RequiresScope(scope=Scope.VIDEOS_READ)],
)
class Video(Planned, Node):
    creator: Creator = strawberry.field(description="Whose video it is.")
    external_id: str = strawberry.field(description="The platform's own id of the video.")
    kind: VideoKind = strawberry.field(description="What kind of post it is.")
    title: str | None = strawberry.field(description="The title or caption.")
    description: str | None = strawberry.field(description="The longer text, where the platform has one.")
    url: URL | None = strawberry.field(description="The video's page on the platform.")
    cover_url: URL | None = strawberry.field(description="Picture; the platform's link may end after hours.")
    media_url: URL | None = strawberry.field(
        description="Where the platform gives one (Instagram); short-lived."
    )
    views: BigInt | None = strawberry.field(description="Views at the last sync.")
    likes: BigInt | None = strawberry.field(description="Likes at the last sync.")
    comments: BigInt | None = strawberry.field(description="Comments at the last sync.")
    shares: BigInt | None = strawberry.field(description="Shares at the last sync.")
    duration: int | None = strawberry.field(description="Seconds.")
    published_at: DateTime = strawberry.field(description="When published on the platform.")
    engagement_rate: float | None = strawberry.field(
        description="(likes + comments + shares) / views; null where one is unknown."
    )

    @strawberry.field(description="One point a day (or hour) of the numbers, oldest first: for plots.")
    def history(
        self,
        from_: HistoryFrom = strawberry.UNSET,
        to: HistoryTo = strawberry.UNSET,
        granularity: Step = Granularity.DAY,
    ) -> list[VideoStatsPoint]:
        read_by_parent()


@strawberry.type(description="What the platform tells anyone about a public video (oEmbed).")
class PublicVideo:
    url: URL = strawberry.field(description="The video's page.")
    platform: Platform = strawberry.field(description="Where it is.")
    external_id: str | None = strawberry.field(description="The platform's own id of the video.")
    title: str | None = strawberry.field(description="The title.")
    author_name: str | None = strawberry.field(description="Who made it.")
    author_url: URL | None = strawberry.field(description="The maker's page.")
    cover_url: URL | None = strawberry.field(description="Picture.")
    html: str | None = strawberry.field(
        description="The platform's embed code, as text: sanitize before use."
    )
    video: Video | None = strawberry.field(description="The connected creator's own video, where it is one.")


@strawberry.type(description="One video in a page.")
class VideoEdge:
    cursor: str = strawberry.field(description="Where this entry stands in the list.")
    node: Video = strawberry.field(description="The video.")


@strawberry.type(description="A page of videos.")
class VideoConnection:
    edges: list[VideoEdge] = strawberry.field(description="Entries with their cursors.")
    nodes: list[Video] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(
        description="How many there are in the whole list; counted only when asked for."
    )


VideoFilterArgument = Annotated[VideoFilter | None, strawberry.argument(description="Which videos.")]
VideoOrderArgument = Annotated[
    VideoOrder | None, strawberry.argument(description="Order; PUBLISHED_AT DESC when absent.")
]
