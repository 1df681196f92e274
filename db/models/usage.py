"""What was asked, one operation a row, and its sums by the hour."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Identity,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import NEW_ID, Table, one_of


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
    duration_us: Mapped[int | None]
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
        one_of("kind", "COUNTRY", "NETWORK"),
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
        one_of(
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
