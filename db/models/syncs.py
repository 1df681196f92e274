"""Syncs, and what is known of the platforms they ask."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import NEW_ID, NOW, Table, one_of


class Sync(Table):
    """One reading of a creator. `fence` rises each time a worker takes it: an older taker writes nothing.

    `awaited`: somebody waits for it, so its jobs go first.
    `back_to`: videos published before it are left for another time; null: every video is read.
    """

    __tablename__ = "syncs"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        one_of("status", "QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"),
        one_of("trigger", "MANUAL", "CONNECT", "SCHEDULED", "STALE", "WEBHOOK"),
        Index(
            "uq_syncs_one_open",
            "account_id",
            "creator_id",
            unique=True,
            postgresql_where=text("status in ('QUEUED', 'RUNNING')"),
        ),
        Index("ix_syncs_newest", "account_id", "creator_id", "queued_at", "id"),
        Index("ix_syncs_open", "touched_at", postgresql_where=text("status in ('QUEUED', 'RUNNING')")),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    creator_id: Mapped[UUID]
    livemode: Mapped[bool]
    status: Mapped[str] = mapped_column(server_default=text("'QUEUED'"))
    trigger: Mapped[str]
    awaited: Mapped[bool] = mapped_column(server_default=text("false"))
    back_to: Mapped[datetime | None]
    slice: Mapped[int] = mapped_column(server_default=text("0"))
    cursor: Mapped[dict[str, Any] | None]
    fence: Mapped[int] = mapped_column(server_default=text("0"))
    videos_expected: Mapped[int | None]
    videos_seen: Mapped[int] = mapped_column(server_default=text("0"))
    videos_added: Mapped[int] = mapped_column(server_default=text("0"))
    videos_updated: Mapped[int] = mapped_column(server_default=text("0"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_retry_at: Mapped[datetime | None]
    queued_at: Mapped[datetime] = mapped_column(server_default=NOW)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    touched_at: Mapped[datetime] = mapped_column(server_default=NOW)


# -- connecting and disconnecting


class PlatformBudget(Table):
    """Calls made in a platform's window: `used` a slot, the newest last. Global: the limit is our app's."""

    __tablename__ = "platform_budgets"
    __table_args__ = (
        PrimaryKeyConstraint("platform", "livemode", "endpoint"),
        {"postgresql_with": {"fillfactor": "50"}},
    )
    platform: Mapped[str]
    livemode: Mapped[bool]
    endpoint: Mapped[str]
    slot: Mapped[int]
    used: Mapped[list[int]]


class PlatformPause(Table):
    """Until when nobody calls an endpoint of a platform; "" is all of them. Global: the limit is our app's."""

    __tablename__ = "platform_pauses"
    __table_args__ = (PrimaryKeyConstraint("platform", "livemode", "endpoint"),)
    platform: Mapped[str]
    livemode: Mapped[bool]
    endpoint: Mapped[str]
    until: Mapped[datetime]


class PlatformRefusal(Table):
    """How often a platform was asked with a grant, and refused it definitively. Global: a wave knows no account."""

    __tablename__ = "platform_refusals"
    __table_args__ = (
        PrimaryKeyConstraint("platform", "livemode", "minute", "part"),
        {"postgresql_with": {"fillfactor": "50"}},
    )
    platform: Mapped[str]
    livemode: Mapped[bool]
    minute: Mapped[datetime]
    part: Mapped[int]
    attempts: Mapped[int]
    refusals: Mapped[int]


class PlatformEvent(Table):
    """What a platform pushed to us, once. Global: it names a person, and no account; kept as a keyed hash.

    `about`: when it happened there. `pending`: creators that are still to be erased, as
    {"<creator>": "<account>"}; ids only.
    """

    __tablename__ = "platform_events"
    __table_args__ = (
        one_of("kind", "REMOVED", "DELETION"),
        Index("ix_platform_events_at", "at"),
        Index("ix_platform_events_open", "at", postgresql_where=text("done_at is null")),
    )
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    platform: Mapped[str]
    livemode: Mapped[bool]
    kind: Mapped[str]
    reason: Mapped[str | None]
    about: Mapped[datetime]
    creators: Mapped[int]
    pending: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(server_default=NOW)
    done_at: Mapped[datetime | None]
