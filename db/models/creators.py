"""Creators, the grants to read them, and the ways in and out."""

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

from db.models.base import NEW_ID, NOW, Table, one_of


class Creator(Table):
    """`next_sync_at`: null while there is nothing to wait for (no living grant). `read_whole_at`,
    `read_deep_at`: when a sync last read every video, and those of the last 90 days.
    """

    __tablename__ = "creators"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "livemode", "platform", "external_id"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        one_of("platform", "TIKTOK", "INSTAGRAM", "YOUTUBE"),
        # One index an order of the schema; null sorts below everything, so one index serves both ways.
        Index("ix_creators_connected_at", "account_id", "livemode", "connected_at", "id"),
        Index(
            "ix_creators_synced_at",
            "account_id",
            "livemode",
            text("coalesce(synced_at, '-infinity'::timestamptz)"),
            "id",
        ),
        Index("ix_creators_followers", "account_id", "livemode", text("coalesce(followers, -1)"), "id"),
        Index("ix_creators_likes", "account_id", "livemode", text("coalesce(likes, -1)"), "id"),
        Index("ix_creators_username", "account_id", "livemode", text('username collate "C"'), "id"),
        # Two global look-ups: a platform's own message names a person, and no account.
        Index("ix_creators_person", "platform", "livemode", "external_id"),
        Index(
            "ix_creators_app_scoped_id",
            "platform",
            "livemode",
            "app_scoped_id",
            postgresql_where=text("app_scoped_id is not null"),
        ),
        Index(
            "ix_creators_due",
            "account_id",
            "livemode",
            "platform",
            "next_sync_at",
            postgresql_where=text("next_sync_at is not null"),
        ),
        Index("ix_creators_reference", "account_id", "livemode", "reference"),
        Index("ix_creators_search", "search", postgresql_using="gin"),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    livemode: Mapped[bool]
    platform: Mapped[str]
    external_id: Mapped[str]
    app_scoped_id: Mapped[str | None]
    reference: Mapped[str | None]
    username: Mapped[str]
    display_name: Mapped[str | None]
    bio: Mapped[str | None]
    avatar_url: Mapped[str | None]
    profile_url: Mapped[str | None]
    verified: Mapped[bool | None]
    followers: Mapped[int | None]
    following: Mapped[int | None]
    likes: Mapped[int | None]
    views: Mapped[int | None]
    video_count: Mapped[int | None]
    engagement_rate: Mapped[float | None]
    connected_at: Mapped[datetime] = mapped_column(server_default=NOW)
    synced_at: Mapped[datetime | None]
    next_sync_at: Mapped[datetime | None]
    read_deep_at: Mapped[datetime | None]
    read_whole_at: Mapped[datetime | None]
    search: Mapped[str] = mapped_column(
        TSVECTOR,
        Computed(
            "to_tsvector('simple', username || ' ' || coalesce(display_name, '') || ' ' || coalesce(bio, ''))",
            persisted=True,
        ),
    )


class Grant(Table):
    """The consent a creator gave. Tokens are sealed by `services.vault`, bound to this row.

    `version` rises with each write of tokens (compare and swap); `lease_until` marks the one refresher;
    `renew_at`: when it is renewed at the latest, used or not; `refused_at`: when the platform refused it;
    `reason`: why it needs to be connected again; `unsure_since`: since when a refresh of this version has been
    asked for whose end nobody heard.
    """

    __tablename__ = "grants"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "creator_id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        one_of("status", "ACTIVE", "NEEDS_REAUTH"),
        one_of("reason", "REFUSED", "REMOVED", "REFRESH_INTERRUPTED"),
        # For jobs over all accounts.
        Index("ix_grants_renew_at", "renew_at", postgresql_where=text("status = 'ACTIVE'")),
        Index("ix_grants_refused_at", "refused_at", postgresql_where=text("status = 'NEEDS_REAUTH'")),
    )
    account_id: Mapped[UUID]
    creator_id: Mapped[UUID]
    livemode: Mapped[bool]
    status: Mapped[str] = mapped_column(server_default=text("'ACTIVE'"))
    scopes: Mapped[list[str]]
    access_token: Mapped[bytes]
    refresh_token: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    refresh_expires_at: Mapped[datetime | None]
    refreshed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    lease_until: Mapped[datetime | None]
    renew_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
    reason: Mapped[str | None]
    unsure_since: Mapped[datetime | None]


class CreatorStats(Table):
    """One reading an hour at most, in monthly partitions made ahead; no foreign key: rows are many."""

    __tablename__ = "creator_stats"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "creator_id", "at"),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    account_id: Mapped[UUID]
    creator_id: Mapped[UUID]
    at: Mapped[datetime]
    livemode: Mapped[bool]
    followers: Mapped[int | None]
    following: Mapped[int | None]
    likes: Mapped[int | None]
    views: Mapped[int | None]
    video_count: Mapped[int | None]


class OAuthState(Table):
    """A connect that was begun. Global: the platform's redirect brings a state before its account is known."""

    __tablename__ = "oauth_states"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        one_of("status", "PENDING", "CONNECTED", "DENIED", "FAILED"),
        Index("ix_oauth_states_expires_at", "expires_at"),
        Index("ix_oauth_states_creator", "account_id", "creator_id"),
    )
    state_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    platform: Mapped[str]
    reference: Mapped[str | None]
    return_url: Mapped[str | None]
    redirect_uri: Mapped[str]
    own_redirect: Mapped[bool]
    code_verifier: Mapped[bytes | None]
    status: Mapped[str] = mapped_column(server_default=text("'PENDING'"))
    claimed_at: Mapped[datetime | None]
    creator_id: Mapped[UUID | None]
    sync_id: Mapped[UUID | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime]


class Tombstone(Table):
    """A keyed hash of who was disconnected, so that a late slice writes nothing. Tells nothing by itself."""

    __tablename__ = "tombstones"
    __table_args__ = (PrimaryKeyConstraint("account_id", "livemode", "digest"),)
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    digest: Mapped[bytes]
    at: Mapped[datetime] = mapped_column(server_default=NOW)


class Revocation(Table):
    """A token still to be revoked at its platform: tried again until it is, or for 7 days."""

    __tablename__ = "revocations"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        Index("ix_revocations_next_attempt_at", "next_attempt_at"),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    livemode: Mapped[bool]
    platform: Mapped[str]
    tokens: Mapped[bytes]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[datetime] = mapped_column(server_default=NOW)
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
