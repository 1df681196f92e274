"""Which open syncs somebody waits for."""

import sqlalchemy as sa

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "syncs", sa.Column("awaited", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.execute(
        "update syncs set awaited = true where status in ('QUEUED', 'RUNNING') and trigger in ('MANUAL', 'CONNECT')"
    )


def downgrade() -> None:
    op.drop_column("syncs", "awaited")
