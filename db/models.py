"""Every table, as columns; the rules live in `services`.

`account_id` comes first in every tenant table's primary key, unique index and foreign key, so that the
tables can be spread over machines by account. The exceptions are global look-ups (`key_lookups`,
`oauth_states`), where a request arrives before its account is known, `usage_marks`, which tell how
far jobs over all accounts have come, and what is said of or by a platform as a whole. `livemode` separates the two
worlds in every row a partner can see. Ids are uuidv7: they sort by the time they were made.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, TIMESTAMP, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Instant = TIMESTAMP(timezone=True)
NOW = text("now()")
NEW_ID = text("uuidv7()")


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads it off the class
        str: Text,
        int: BigInteger,
        datetime: Instant,
        bytes: LargeBinary,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(BigInteger),
        dict[str, Any]: JSONB,
    }


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} in ({listed})", name=column)


# -- who pays, who asks


class Plan(Table):
    """What an account may have, by default. The one table that belongs to nobody."""

    __tablename__ = "plans"
    name: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int]
    api_access: Mapped[bool] = mapped_column(server_default=text("true"))
    monthly_credits: Mapped[int]
    requests_per_minute: Mapped[int]
    test_requests_per_minute: Mapped[int]
    max_websockets: Mapped[int]
    sync_hours: Mapped[int] = mapped_column(server_default=text("24"))


class Account(Table):
    """The paying customer. Columns that a plan has too override it where set; 0 requests = unlimited."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("name"),
        ForeignKeyConstraint(["plan"], ["plans.name"]),
    )
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=NEW_ID)
    name: Mapped[str]
    plan: Mapped[str]
    monthly_credits: Mapped[int | None]
    requests_per_minute: Mapped[int | None]
    test_requests_per_minute: Mapped[int | None]
    max_websockets: Mapped[int | None]
    return_urls: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    canceled_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Member(Table):
    __tablename__ = "members"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "email"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        _one_of("role", "OWNER", "ADMIN", "MEMBER"),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    email: Mapped[str]
    role: Mapped[str]
    joined_at: Mapped[datetime] = mapped_column(server_default=NOW)


class ApiKey(Table):
    """A key without its secret: only the hash is kept, in `key_lookups`."""

    __tablename__ = "api_keys"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        _one_of("owner", "MEMBER", "SERVICE"),
        Index("ix_api_keys_newest", "account_id", "created_at", "id"),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    livemode: Mapped[bool]
    name: Mapped[str]
    hint: Mapped[str]
    scopes: Mapped[list[str]]
    allowed_ips: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    owner: Mapped[str] = mapped_column(server_default=text("'MEMBER'"))
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    expires_at: Mapped[datetime | None]
    rotation_due_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '90 days'"))
    revoked_at: Mapped[datetime | None]
    retiring_since: Mapped[datetime | None]
    retires_at: Mapped[datetime | None]
    replaces: Mapped[UUID | None]
    replaced_by: Mapped[UUID | None]
    requests_per_minute: Mapped[int | None]
    monthly_credits: Mapped[int | None]
    last_used_at: Mapped[datetime | None]
    last_used_ip: Mapped[str | None] = mapped_column(INET)
    last_used_country: Mapped[str | None]
    trusted_only: Mapped[bool] = mapped_column(server_default=text("false"))


class KeyLookup(Table):
    """From a secret's hash to its key. Global: a request brings a secret before its account is known."""

    __tablename__ = "key_lookups"
    __table_args__ = (
        ForeignKeyConstraint(
            ["account_id", "key_id"], ["api_keys.account_id", "api_keys.id"], ondelete="CASCADE"
        ),
    )
    secret_hash: Mapped[bytes] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    key_id: Mapped[UUID]


# -- creators


class Creator(Table):
    """`next_sync_at`: null while there is nothing to wait for (no living grant). `read_whole_at`,
    `read_deep_at`: when a sync last read every video, and those of the last 90 days.
    """

    __tablename__ = "creators"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "livemode", "platform", "external_id"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        _one_of("platform", "TIKTOK", "INSTAGRAM", "YOUTUBE"),
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
    `renew_at`: when it is renewed at the latest, used or not; `refused_at`: when the platform refused it.
    """

    __tablename__ = "grants"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "creator_id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        _one_of("status", "ACTIVE", "NEEDS_REAUTH"),
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
    """`gone_at`: a full, clean walk no longer saw it; every read leaves such rows out."""

    __tablename__ = "videos"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "creator_id", "external_id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        _one_of("kind", "VIDEO", "SHORT", "REEL", "LIVE", "IMAGE", "CAROUSEL"),
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


class Sync(Table):
    """One reading of a creator. `fence` rises each time a worker takes it: an older taker writes nothing.

    `back_to`: videos published before it are left for another time; null: every video is read.
    """

    __tablename__ = "syncs"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        ForeignKeyConstraint(
            ["account_id", "creator_id"], ["creators.account_id", "creators.id"], ondelete="CASCADE"
        ),
        _one_of("status", "QUEUED", "RUNNING", "SUCCEEDED", "PARTIAL", "FAILED", "CANCELED"),
        _one_of("trigger", "MANUAL", "CONNECT", "SCHEDULED", "STALE", "WEBHOOK"),
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


class OAuthState(Table):
    """A connect that was begun. Global: the platform's redirect brings a state before its account is known."""

    __tablename__ = "oauth_states"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        _one_of("status", "PENDING", "CONNECTED", "DENIED", "FAILED"),
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


class PlatformEvent(Table):
    """What a platform pushed to us, once. Global: it names a person, and no account; kept as a keyed hash.

    `about`: when it happened there. `pending`: creators that are still to be erased, as
    {"<creator>": "<account>"}; ids only.
    """

    __tablename__ = "platform_events"
    __table_args__ = (
        _one_of("kind", "REMOVED", "DELETION"),
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


class IdempotentAnswer(Table):
    """An `Idempotency-Key` in use, and its sealed answer once the write committed."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "livemode", "key"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        Index("ix_idempotent_answers_creator", "account_id", "creator_id"),
        Index("ix_idempotent_answers_created_at", "created_at"),
    )
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    key: Mapped[str]
    body_hash: Mapped[bytes]
    lease_until: Mapped[datetime]
    answer: Mapped[bytes | None]
    creator_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SigningKey(Table):
    """An Ed25519 key that signs receipts and tokens; the private half sealed. Global: of the service itself.

    The newest signs; every one that is not yet over verifies, so that keys rotate with an overlap.
    """

    __tablename__ = "signing_keys"
    kid: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    private_key: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(server_default=NOW)
    ends_at: Mapped[datetime | None]


# -- credits and usage


class CreditBalance(Table):
    """What an account may still spend: `granted - used`, for the calendar month `period` (UTC)."""

    __tablename__ = "credit_balances"
    __table_args__ = (
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        CheckConstraint("used >= 0 and used <= granted", name="never_negative"),
        {"postgresql_with": {"fillfactor": "50"}},
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    period: Mapped[datetime]
    granted: Mapped[int]
    used: Mapped[int] = mapped_column(server_default=text("0"))


class KeyBalance(Table):
    """What a key with a monthly limit of its own was charged in the calendar month `period` (UTC)."""

    __tablename__ = "key_balances"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "key_id"),
        ForeignKeyConstraint(
            ["account_id", "key_id"], ["api_keys.account_id", "api_keys.id"], ondelete="CASCADE"
        ),
        {"postgresql_with": {"fillfactor": "50"}},
    )
    account_id: Mapped[UUID]
    key_id: Mapped[UUID]
    period: Mapped[datetime]
    used: Mapped[int] = mapped_column(server_default=text("0"))


class RateLimit(Table):
    """When a bucket of requests is full again, in microseconds since 1970; shared by all nodes, lost in a crash.

    `key_id` of a bucket that all keys of an account and mode share: the account's own id.
    """

    __tablename__ = "rate_limits"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "livemode", "key_id"),
        {"prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": "50"}},
    )
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    key_id: Mapped[UUID]
    full_at: Mapped[int]


class LedgerEntry(Table):
    """Every change of a balance; the rows of an account sum to what remains. Never updated."""

    __tablename__ = "ledger"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        _one_of("kind", "grant", "charge", "refund", "adjustment", "reset"),
    )
    account_id: Mapped[UUID]
    id: Mapped[int] = mapped_column(Identity(always=True))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    kind: Mapped[str]
    amount: Mapped[int]
    key_id: Mapped[UUID | None]
    note: Mapped[str | None]


class UsageEvent(Table):
    """One operation, in daily partitions kept 90 days; written by settlement. No foreign keys: hot."""

    __tablename__ = "usage_events"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "at", "id"),
        # For jobs over all accounts: next to nothing to keep up, as rows come in this order.
        Index(
            "ix_usage_events_at",
            "at",
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
        ),
        {"postgresql_partition_by": "RANGE (at)"},
    )
    account_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    id: Mapped[int] = mapped_column(Identity(always=True))
    key_id: Mapped[UUID]
    livemode: Mapped[bool]
    operation: Mapped[str | None]
    operation_hash: Mapped[bytes | None]
    coordinates: Mapped[dict[str, Any]]
    credits: Mapped[int]
    code: Mapped[str]
    duration_us: Mapped[int]
    ip: Mapped[str | None] = mapped_column(INET)
    country: Mapped[str | None]


class UsageMark(Table):
    """How far a job over all accounts has come: usage rows before `until` are done. Global: of the service itself."""

    __tablename__ = "usage_marks"
    name: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class UsageHour(Table):
    """Sums of a key and a whole hour, kept 25 months. `requests` counts the failed and rate-limited too.

    One index serves a key and an account: PostgreSQL skips from key to key. A second one was no faster.
    """

    __tablename__ = "usage_hourly"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "livemode", "key_id", "hour"),
        Index("ix_usage_hourly_hour", "hour", postgresql_using="brin"),
    )
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    key_id: Mapped[UUID]
    hour: Mapped[datetime]
    requests: Mapped[int]
    credits: Mapped[int]
    errors: Mapped[int]
    rate_limited: Mapped[int]
    last_used_at: Mapped[datetime]


class UsageHourField(Table):
    """What a key was given in a whole hour, a schema coordinate each; `thousandths` of a credit."""

    __tablename__ = "usage_hourly_fields"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "livemode", "key_id", "hour", "coordinate"),
        Index("ix_usage_hourly_fields_hour", "hour", postgresql_using="brin"),
    )
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    key_id: Mapped[UUID]
    hour: Mapped[datetime]
    coordinate: Mapped[str]
    calls: Mapped[int]
    thousandths: Mapped[int]


class UsageHourCountry(Table):
    """From where a key was used in a whole hour; the empty text stands for an unknown country."""

    __tablename__ = "usage_hourly_countries"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "livemode", "key_id", "hour", "country"),
        Index("ix_usage_hourly_countries_hour", "hour", postgresql_using="brin"),
    )
    account_id: Mapped[UUID]
    livemode: Mapped[bool]
    key_id: Mapped[UUID]
    hour: Mapped[datetime]
    country: Mapped[str]
    requests: Mapped[int]


class KeyOrigin(Table):
    """Every country and network a key was ever used from: what is not here is new."""

    __tablename__ = "key_origins"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "key_id", "kind", "origin"),
        _one_of("kind", "COUNTRY", "NETWORK"),
    )
    account_id: Mapped[UUID]
    key_id: Mapped[UUID]
    kind: Mapped[str]
    origin: Mapped[str]
    first_seen_at: Mapped[datetime]


class Anomaly(Table):
    """Something unusual about a key. `about` (a network, a country, a day, …) makes it one: told once."""

    __tablename__ = "anomalies"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        UniqueConstraint("account_id", "key_id", "kind", "about"),
        _one_of(
            "kind",
            "NEW_COUNTRY",
            "NEW_NETWORK",
            "REQUEST_SPIKE",
            "ERROR_SPIKE",
            "RETIRED_KEY_USED",
            "ROTATION_OVERDUE",
            "MAKER_LEFT",
            "KEY_IN_BROWSER",
        ),
        Index("ix_anomalies_newest", "account_id", "livemode", "at", "id"),
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID] = mapped_column(server_default=NEW_ID)
    livemode: Mapped[bool]
    key_id: Mapped[UUID]
    kind: Mapped[str]
    about: Mapped[str]
    at: Mapped[datetime]
    detail: Mapped[str]


# -- transports


class TrustedDocument(Table):
    """An operation that an account uploaded, asked for by the SHA-256 of its text."""

    __tablename__ = "trusted_documents"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "hash"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
    )
    account_id: Mapped[UUID]
    hash: Mapped[bytes]
    name: Mapped[str]
    text: Mapped[str]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=NOW)


class SocketProcess(Table):
    """A process with open sockets, and how long it counts as alive. Unlogged; global: it serves all accounts."""

    __tablename__ = "socket_processes"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    alive_until: Mapped[datetime]


class OpenSocket(Table):
    """A socket or event stream; counts while its process lives. `token`: hash of the access token that opened it."""

    __tablename__ = "open_sockets"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        _one_of("kind", "SOCKET", "STREAM"),
        Index("ix_open_sockets_process", "process_id"),
        {"prefixes": ["UNLOGGED"]},
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID]
    livemode: Mapped[bool]
    kind: Mapped[str]
    token: Mapped[bytes | None]
    process_id: Mapped[UUID]
