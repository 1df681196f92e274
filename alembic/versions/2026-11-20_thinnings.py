"""How far a month's history has been made coarser."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.create_table(
        "thinnings",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("month", INSTANT, nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("after", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("removed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint("unit in ('day', 'week')", name=op.f("ck_thinnings_unit")),
        sa.PrimaryKeyConstraint("series", "month", "unit", name=op.f("pk_thinnings")),
    )


def downgrade() -> None:
    op.drop_table("thinnings")
