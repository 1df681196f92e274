"""Open sockets counted over all processes; documents an account trusts, and keys held to them."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)


def upgrade() -> None:
    op.add_column(
        "api_keys", sa.Column("trusted_only", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_table(
        "trusted_documents",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("uploaded_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "hash", name=op.f("pk_trusted_documents")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_trusted_documents_accounts")),
    )
    # Unlogged: what they hold ends with the processes that wrote it, which write it again.
    op.create_table(
        "socket_processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alive_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_socket_processes")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "open_sockets",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("token", sa.LargeBinary()),
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("kind in ('SOCKET', 'STREAM')", name=op.f("ck_open_sockets_kind")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_open_sockets")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_open_sockets_process", "open_sockets", ["process_id"])


def downgrade() -> None:
    op.drop_table("open_sockets")
    op.drop_table("socket_processes")
    op.drop_table("trusted_documents")
    op.drop_column("api_keys", "trusted_only")
