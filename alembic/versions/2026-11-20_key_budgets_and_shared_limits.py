"""What keys with a limit of their own have used, rate limits for several processes, and a place for late days."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "key_balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("period", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "key_id"],
            ["api_keys.account_id", "api_keys.id"],
            name=op.f("fk_key_balances_api_keys"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "key_id", name=op.f("pk_key_balances")),
        postgresql_with={"fillfactor": "50"},
    )
    op.execute(
        "insert into key_balances (account_id, key_id, period) "
        "select account_id, id, date_trunc('month', now(), 'UTC') from api_keys where monthly_credits is not null"
    )
    op.create_table(
        "rate_limits",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("full_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "livemode", "key_id", name=op.f("pk_rate_limits")),
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": "50"},
    )
    # Where no partition was made in time, settlement goes on; `partitions.ensure` moves the rows later.
    op.execute("create table usage_events_default partition of usage_events default")


def downgrade() -> None:
    op.drop_table("usage_events_default")
    op.drop_table("rate_limits")
    op.drop_table("key_balances")
