"""Accounts, their plans and members, their keys and what signs their tokens."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import NEW_ID, NOW, Table, one_of


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
        one_of("role", "OWNER", "ADMIN", "MEMBER"),
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
        one_of("owner", "MEMBER", "SERVICE"),
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


class SentDocument(Table):
    """An operation that a key sent with its SHA-256; unlogged: a cache."""

    __tablename__ = "sent_documents"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "hash"),
        ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        {"prefixes": ["UNLOGGED"]},
    )
    account_id: Mapped[UUID]
    hash: Mapped[bytes]
    text: Mapped[bytes]
    used_at: Mapped[datetime] = mapped_column(server_default=NOW)


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
        one_of("kind", "SOCKET", "STREAM"),
        Index("ix_open_sockets_process", "process_id"),
        {"prefixes": ["UNLOGGED"]},
    )
    account_id: Mapped[UUID]
    id: Mapped[UUID]
    livemode: Mapped[bool]
    kind: Mapped[str]
    token: Mapped[bytes | None]
    process_id: Mapped[UUID]
