"""Until when nobody calls a platform, or one of its endpoints."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "platform_pauses",
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("platform", "livemode", "endpoint", name=op.f("pk_platform_pauses")),
    )


def downgrade() -> None:
    op.drop_table("platform_pauses")
