"""What platforms tell about public videos, kept for a while; what they told us about grants."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
PUBLIC_ID = (
    "coalesce(substring(url from '^https?[^/]*//[^/]*instagram[^/]*/[a-z]+/([A-Za-z0-9_-]+)'), external_id)"
)


def upgrade() -> None:
    op.create_table(
        "public_videos",
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text()),
        sa.Column("author_name", sa.Text()),
        sa.Column("author_url", sa.Text()),
        sa.Column("cover_url", sa.Text()),
        sa.Column("html", sa.Text()),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("livemode", "platform", "external_id", name=op.f("pk_public_videos")),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_public_videos_expires_at", "public_videos", ["expires_at"])
    op.create_table(
        "platform_events",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("about", INSTANT, nullable=False),
        sa.Column("creators", sa.BigInteger(), nullable=False),
        sa.Column("pending", postgresql.JSONB(), nullable=False),
        sa.Column("at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("done_at", INSTANT),
        sa.CheckConstraint("kind in ('REMOVED', 'DELETION')", name=op.f("ck_platform_events_kind")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_platform_events")),
    )
    op.create_index("ix_platform_events_at", "platform_events", ["at"])
    op.create_index(
        "ix_platform_events_open", "platform_events", ["at"], postgresql_where=sa.text("done_at is null")
    )
    op.create_index(
        "ix_videos_public_id",
        "videos",
        ["account_id", "livemode", sa.text(PUBLIC_ID)],
        postgresql_where=sa.text("gone_at is null"),
    )


def downgrade() -> None:
    op.drop_index("ix_videos_public_id", table_name="videos")
    op.drop_table("platform_events")
    op.drop_table("public_videos")
