"""Why a grant needs to be connected again, and since when the end of a refresh is unknown."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("grants", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("grants", sa.Column("unsure_since", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_grants_reason"), "grants", "reason in ('REFUSED', 'REMOVED', 'REFRESH_INTERRUPTED')"
    )


def downgrade() -> None:
    op.drop_column("grants", "unsure_since")
    op.drop_column("grants", "reason")
