"""Videos, connected and public, and how their numbers went."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    Computed,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import NEW_ID, Table, one_of

# The id that stands in a video's address: Instagram's bear a word in its place.
PUBLIC_ID = (
    "coalesce(substring(url from '^https?[^/]*//[^/]*instagram[^/]*/[a-z]+/([A-Za-z0-9_-]+)'), external_id)"
)


_VIDEO_ORDERS = {
    "published_at": "published_at",
    "views": "coalesce(views, -1)",
    "likes": "coalesce(likes, -1)",
    "comments": "coalesce(comments, -1)",
    "shares": "coalesce(shares, -1)",
    "engagement": "coalesce(engagement_rate, -1)",
}


class Video(Table):
    """`gone_at`: a full, clean walk no longer met it, and its platform does not know its id; reads leave such rows out."""

    __tablename__ = "videos"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "creator_id", "external_id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        one_of("kind", "VIDEO", "SHORT", "REEL", "LIVE", "IMAGE", "CAROUSEL"),
        *(
            Index(
                f"ix_videos_creator_{name}",
                "account_id",
                "creator_id",
                text(key),
                "id",
                postgresql_where=text("gone_at is null"),
            )
            for name, key in _VIDEO_ORDERS.items()
        ),
        *(
            Index(
                f"ix_videos_account_{name}",
                "account_id",
                "livemode",
                text(key),
                "id",
                postgresql_where=text("gone_at is null"),
            )
            for name, key in _VIDEO_ORDERS.items()
        ),
        Index("ix_videos_search", "search", postgresql_using="gin"),
        # For whoever comes with an address: whose video is it?
        Index(
            "ix_videos_public_id",
            "account_id",
            "livemode",
            text(PUBLIC_ID),
            postgresql_where=text("gone_at is null"),
        ),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    creator_id: Mapped[UUID]
    livemode: Mapped[bool]
    external_id: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str | None]
    description: Mapped[str | None]
    url: Mapped[str | None]
    cover_url: Mapped[str | None]
    media_url: Mapped[str | None]
    views: Mapped[int | None]
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    shares: Mapped[int | None]
    duration: Mapped[int | None]
    engagement_rate: Mapped[float | None] = mapped_column(
        Computed(
            "case when views > 0 and likes is not null and comments is not null and shares is not null "
            "then (likes + comments + shares)::double precision / views end",
            persisted=True,
        )
    )
    published_at: Mapped[datetime]
    gone_at: Mapped[datetime | None]
    seen_in: Mapped[UUID]
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(description, ''))", persisted=True
        ),
    )


class VideoStats(Table):
    """One reading an hour at most, and only where a number moved."""

    __tablename__ = "video_stats"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "creator_id", "video_id", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    account_id: Mapped[UUID]
    creator_id: Mapped[UUID]
    video_id: Mapped[UUID]
    at: Mapped[datetime]
    livemode: Mapped[bool]
    views: Mapped[int | None]
    likes: Mapped[int | None]
    comments: Mapped[int | None]
    shares: Mapped[int | None]


class Thinning(Table):
    """How far a month's history has been made coarser; `after`: the last key looked at. Global: it knows no tenant."""

    __tablename__ = "thinnings"
    __table_args__ = (PrimaryKeyConstraint("series", "month", "unit"), one_of("unit", "day", "week"))
    series: Mapped[str]
    month: Mapped[datetime]
    unit: Mapped[str]
    after: Mapped[list[str] | None]
    removed: Mapped[int] = mapped_column(server_default=text("0"))
    done_at: Mapped[datetime | None]


class PublicVideo(Table):
    """What a platform told about a public video, for a while. Global: it is told to anyone, and names no account.

    Unlogged: a crash may empty it, and no backup brings back what a disconnect erased.
    """

    __tablename__ = "public_videos"
    __table_args__ = (
        PrimaryKeyConstraint("livemode", "platform", "external_id"),
        Index("ix_public_videos_expires_at", "expires_at"),
        {"prefixes": ["UNLOGGED"]},
    )
    livemode: Mapped[bool]
    platform: Mapped[str]
    external_id: Mapped[str]
    found: Mapped[bool]
    title: Mapped[str | None]
    author_name: Mapped[str | None]
    author_url: Mapped[str | None]
    cover_url: Mapped[str | None]
    html: Mapped[str | None]
    expires_at: Mapped[datetime]
