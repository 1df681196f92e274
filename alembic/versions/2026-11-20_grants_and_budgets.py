"""Grants that are kept alive, budgets all workers share, and when each creator is due."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
ADDED = {
    "creators": (
        ("app_scoped_id", sa.Text()),
        ("next_sync_at", INSTANT),
        ("read_deep_at", INSTANT),
        ("read_whole_at", INSTANT),
    ),
    "grants": (("renew_at", INSTANT), ("refused_at", INSTANT)),
    "syncs": (("back_to", INSTANT),),
}
HOURS = {"pro": 12, "ultra": 6}
INDEXES = (
    ("ix_creators_person", "creators", ["platform", "livemode", "external_id"], None),
    (
        "ix_creators_app_scoped_id",
        "creators",
        ["platform", "livemode", "app_scoped_id"],
        "app_scoped_id is not null",
    ),
    (
        "ix_creators_due",
        "creators",
        ["account_id", "livemode", "platform", "next_sync_at"],
        "next_sync_at is not null",
    ),
    ("ix_grants_renew_at", "grants", ["renew_at"], "status = 'ACTIVE'"),
    ("ix_grants_refused_at", "grants", ["refused_at"], "status = 'NEEDS_REAUTH'"),
)


def upgrade() -> None:
    op.add_column(
        "plans", sa.Column("sync_hours", sa.BigInteger(), server_default=sa.text("24"), nullable=False)
    )
    for table, columns in ADDED.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind))
    plans = sa.table("plans", sa.column("name"), sa.column("sync_hours"))
    for name, hours in HOURS.items():
        op.execute(sa.update(plans).where(plans.c.name == name).values(sync_hours=hours))
    # Creators that are here already are spread over a day, their grants over a week.
    op.execute("update creators set next_sync_at = now() + random() * interval '1 day'")
    op.execute("update grants set renew_at = now() + random() * interval '7 days'")
    op.create_table(
        "platform_budgets",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("used", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("platform", "livemode", "endpoint", name=op.f("pk_platform_budgets")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "platform_refusals",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("minute", INSTANT, nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("refusals", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "livemode", "minute", "part", name=op.f("pk_platform_refusals")),
        postgresql_with={"fillfactor": "50"},
    )
    for name, table, columns, where in INDEXES:
        op.create_index(name, table, columns, postgresql_where=None if where is None else sa.text(where))


def downgrade() -> None:
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_table("platform_refusals")
    op.drop_table("platform_budgets")
    for table, columns in ADDED.items():
        for name, _ in columns:
            op.drop_column(table, name)
    op.drop_column("plans", "sync_hours")
