"""Documents that keys sent with their hash, found by every process."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Unlogged: a cache, which clients fill again.
    op.create_table(
        "sent_documents",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column(
            "used_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("account_id", "hash", name=op.f("pk_sent_documents")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_sent_documents_accounts")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    op.drop_table("sent_documents")
