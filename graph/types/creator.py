"""Creators, their grants and their numbers: shapes only."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from graph.cost import Cost, connection_size
from graph.pagination import After, Before, First, Last, PageInfo
from graph.scalars import URL, BigInt, DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.node import Node, Planned, read_by_parent
from graph.types.ordering import Granularity, HistoryFrom, HistoryTo, OrderDirection, Step

if TYPE_CHECKING:
    from graph.types.sync import SyncConnection
    from graph.types.video import VideoConnection, VideoFilter, VideoOrder


@strawberry.enum(description="Where a creator is at home.")
class Platform(Enum):
    TIKTOK = strawberry.enum_value("TIKTOK", description="TikTok.")
    INSTAGRAM = strawberry.enum_value("INSTAGRAM", description="Instagram, professional accounts.")
    YOUTUBE = strawberry.enum_value("YOUTUBE", description="YouTube channels.")


@strawberry.enum(description="Whether the platform still accepts the creator's consent.")
class GrantStatus(Enum):
    ACTIVE = strawberry.enum_value("ACTIVE", description="The platform answers.")
    NEEDS_REAUTH = strawberry.enum_value(
        "NEEDS_REAUTH",
        description="The platform definitively refused the stored grant: the creator must connect again.",
    )


@strawberry.enum(description="Why a grant needs to be connected again.")
class GrantReason(Enum):
    REFUSED = strawberry.enum_value(
        "REFUSED",
        description="The platform refuses the tokens: expired, revoked there, or the creator's password changed.",
    )
    REMOVED = strawberry.enum_value(
        "REMOVED", description="The platform told us that the creator, or the platform, took our access away."
    )
    REFRESH_INTERRUPTED = strawberry.enum_value(
        "REFRESH_INTERRUPTED",
        description="The platform replaced the tokens, and its answer did not reach us. The creator did nothing.",
    )


@strawberry.enum(description="Why a field of a creator is null.")
class MissingReason(Enum):
    UNSUPPORTED_BY_PLATFORM = strawberry.enum_value(
        "UNSUPPORTED_BY_PLATFORM", description="The platform has no such thing, or tells it to nobody."
    )
    SCOPE_NOT_GRANTED = strawberry.enum_value(
        "SCOPE_NOT_GRANTED",
        description="The creator did not allow it: connect again, and have the scopes of unlockedBy granted.",
    )
    NOT_SYNCED_YET = strawberry.enum_value(
        "NOT_SYNCED_YET", description="No sync has come to its end yet; it comes with the first."
    )
    HIDDEN_BY_CREATOR = strawberry.enum_value(
        "HIDDEN_BY_CREATOR", description="The creator hides it on the platform."
    )
    NOT_TOLD_BY_PLATFORM = strawberry.enum_value(
        "NOT_TOLD_BY_PLATFORM",
        description="Allowed and read, but the last sync was told nothing, or nothing to compute it from.",
    )


@strawberry.type(description="A field that is null, and what would fill it.")
class MissingMetric:
    field: str = strawberry.field(
        description="The field's schema coordinate, such as CreatorStats.followers; of Video: on every video."
    )
    reason: MissingReason = strawberry.field(description="Why it is null.")
    unlocked_by: list[str] = strawberry.field(
        description="What the creator would have to grant, in the platform's own words; empty when no consent helps."
    )


@strawberry.type(description="The consent a creator gave us on a platform. Its tokens are never shown.")
class Grant:
    status: GrantStatus = strawberry.field(description="Whether the platform still accepts it.")
    reason: GrantReason | None = strawberry.field(
        description="Why it needs to be connected again; null while it is ACTIVE, and of old refusals."
    )
    scopes: list[str] = strawberry.field(description="What was granted, in the platform's own words.")
    expires_at: DateTime | None = strawberry.field(
        description="When the access token ends; it is refreshed before."
    )
    refresh_expires_at: DateTime | None = strawberry.field(
        description="When the grant ends unless refreshed."
    )
    refreshed_at: DateTime | None = strawberry.field(description="When the tokens were last renewed.")


@strawberry.type(description="A creator's numbers at the last sync. Null where the platform does not tell.")
class CreatorStats:
    followers: BigInt | None = strawberry.field(description="Followers or subscribers.")
    following: BigInt | None = strawberry.field(description="How many the creator follows.")
    likes: BigInt | None = strawberry.field(description="Likes on everything the creator posted.")
    views: BigInt | None = strawberry.field(description="Views of everything the creator posted.")
    video_count: BigInt | None = strawberry.field(description="Public videos, as the platform counts them.")
    engagement_rate: float | None = strawberry.field(
        description="Mean of (likes + comments + shares) / views over the 30 newest videos."
    )


@strawberry.type(description="A creator's numbers at one instant.")
class CreatorStatsPoint:
    at: DateTime = strawberry.field(description="Start of the day or hour the reading belongs to.")
    followers: BigInt | None = strawberry.field(description="Followers or subscribers then.")
    following: BigInt | None = strawberry.field(description="How many the creator followed then.")
    likes: BigInt | None = strawberry.field(description="Likes then.")
    views: BigInt | None = strawberry.field(description="Views then.")
    video_count: BigInt | None = strawberry.field(description="Public videos then.")


@strawberry.input(description="Which creators: all given conditions hold; a list means any of its values.")
class CreatorFilter:
    platform: list[Platform] | None = strawberry.field(
        default=strawberry.UNSET, description="On any of these platforms."
    )
    external_id: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="With any of the platform's own ids."
    )
    reference: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="With any of the partner's own ids."
    )
    username: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="With any of these usernames, exactly."
    )
    grant_status: list[GrantStatus] | None = strawberry.field(
        default=strawberry.UNSET, description="Whose grant stands so."
    )
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Full text over username, display name and bio; prefixes match."
    )
    followers_min: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="At least so many followers."
    )
    followers_max: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="At most so many followers."
    )
    synced_before: DateTime | None = strawberry.field(
        default=strawberry.UNSET, description="Last synced before this instant, or never."
    )


@strawberry.enum(description="What creators can be ordered by; ties by id, null below everything.")
class CreatorOrderField(Enum):
    CONNECTED_AT = strawberry.enum_value("CONNECTED_AT", description="When the creator connected.")
    SYNCED_AT = strawberry.enum_value("SYNCED_AT", description="When last synced.")
    FOLLOWERS = strawberry.enum_value("FOLLOWERS", description="By followers.")
    LIKES = strawberry.enum_value("LIKES", description="By likes.")
    USERNAME = strawberry.enum_value("USERNAME", description="By username, byte by byte.")


@strawberry.input(description="Order of creators.")
class CreatorOrder:
    field: CreatorOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.DESC, description="Which way.")


@strawberry.type(
    description="A creator whose account on one platform is connected. ids read crt_<32 hex>.",
    directives=[Cost(weight="1"), RequiresScope(scope=Scope.CREATORS_READ)],
)
class Creator(Planned, Node):
    platform: Platform = strawberry.field(description="Where the creator is at home.")
    external_id: str = strawberry.field(
        description="The platform's own id (TikTok open_id, Instagram user id, YouTube channel id)."
    )
    reference: str | None = strawberry.field(
        description="The partner's own id for this creator, as given to connectCreator."
    )
    username: str = strawberry.field(description="The name the platform shows in addresses.")
    display_name: str | None = strawberry.field(description="The name the platform shows to people.")
    bio: str | None = strawberry.field(description="What the creator says of themselves.")
    avatar_url: URL | None = strawberry.field(description="Picture, on the platform's servers; it may move.")
    profile_url: URL | None = strawberry.field(description="The creator's page on the platform.")
    verified: bool | None = strawberry.field(description="Whether the platform verified the creator.")
    stats: CreatorStats = strawberry.field(description="Numbers at the last sync.")
    grant: Grant = strawberry.field(description="The consent this creator gave.")
    connected_at: DateTime = strawberry.field(description="When the creator connected.")
    synced_at: DateTime | None = strawberry.field(
        description="When the stats and videos below were last read from the platform."
    )
    livemode: bool = strawberry.field(description="False when the creator belongs to test mode.")
    missing_metrics: list[MissingMetric] = strawberry.field(
        description="What of this creator and its videos is null for a known reason, and which consent unlocks it."
    )

    @strawberry.field(
        description="The creator's public videos, newest first unless ordered.",
        directives=[connection_size()],
    )
    def videos(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
        filter: Annotated[
            "Annotated[VideoFilter, strawberry.lazy('graph.types.video')] | None",
            strawberry.argument(description="Which videos."),
        ] = strawberry.UNSET,
        order_by: Annotated[
            "Annotated[VideoOrder, strawberry.lazy('graph.types.video')] | None",
            strawberry.argument(description="Order; PUBLISHED_AT DESC when absent."),
        ] = strawberry.UNSET,
    ) -> Annotated["VideoConnection", strawberry.lazy("graph.types.video")]:
        read_by_parent()

    @strawberry.field(description="One point a day (or hour) of the stats, oldest first: for plots.")
    def history(
        self,
        from_: HistoryFrom = strawberry.UNSET,
        to: HistoryTo = strawberry.UNSET,
        granularity: Step = Granularity.DAY,
    ) -> list[CreatorStatsPoint]:
        read_by_parent()

    @strawberry.field(description="Readings of this creator, newest first.", directives=[connection_size()])
    def syncs(
        self,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
        last: Last = strawberry.UNSET,
        before: Before = strawberry.UNSET,
    ) -> Annotated["SyncConnection", strawberry.lazy("graph.types.sync")]:
        read_by_parent()


@strawberry.type(description="One creator in a page.")
class CreatorEdge:
    cursor: str = strawberry.field(description="Where this entry stands in the list.")
    node: Creator = strawberry.field(description="The creator.")


@strawberry.type(description="A page of creators.")
class CreatorConnection:
    edges: list[CreatorEdge] = strawberry.field(description="Entries with their cursors.")
    nodes: list[Creator] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    total_count: int = strawberry.field(
        description="How many there are in the whole list; counted only when asked for."
    )
