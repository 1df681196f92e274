"""What accounts have and what was charged, to the credit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    PrimaryKeyConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Table, one_of


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
    terms: Mapped[int] = mapped_column(server_default=text("1"))
    """Counts the changes of what stands against a charge: of its keys, account, plan. Triggers see to it."""


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


class LedgerEntry(Table):
    """Every change of a balance; the rows of an account sum to what remains. Never updated."""

    __tablename__ = "ledger"
    __table_args__ = (
        PrimaryKeyConstraint("account_id", "id"),
        one_of("kind", "grant", "charge", "refund", "adjustment", "reset"),
    )
    account_id: Mapped[UUID]
    id: Mapped[int] = mapped_column(Identity(always=True))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    kind: Mapped[str]
    amount: Mapped[int]
    key_id: Mapped[UUID | None]
    note: Mapped[str | None]
