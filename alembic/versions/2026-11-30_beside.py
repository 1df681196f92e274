"""How long an operation took is not known where it was written down while it was still read."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("usage_events", "duration_us", nullable=True)


def downgrade() -> None:
    op.execute("update usage_events set duration_us = 0 where duration_us is null")
    op.alter_column("usage_events", "duration_us", nullable=False)
