"""First tables."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PLAN_COLUMNS = (
    "name",
    "rank",
    "monthly_credits",
    "requests_per_minute",
    "test_requests_per_minute",
    "max_websockets",
)
PLANS = (
    ("sandbox", 1, 1_000, 60, 30, 1),
    ("basic", 2, 50_000, 300, 60, 5),
    ("pro", 3, 500_000, 1_200, 120, 25),
    ("ultra", 4, 5_000_000, 6_000, 300, 100),
)


def upgrade() -> None:
    op.create_table(
        "creator_stats",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("followers", sa.BigInteger(), nullable=True),
        sa.Column("following", sa.BigInteger(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("video_count", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "creator_id", "at", name=op.f("pk_creator_stats")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "ledger",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind in ('grant', 'charge', 'refund', 'adjustment', 'reset')", name=op.f("ck_ledger_kind")
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_ledger")),
    )
    op.create_table(
        "plans",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("api_access", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("test_requests_per_minute", sa.BigInteger(), nullable=False),
        sa.Column("max_websockets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_plans")),
    )
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("ends_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
    )
    op.create_table(
        "tombstones",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "livemode", "digest", name=op.f("pk_tombstones")),
    )
    op.create_table(
        "usage_events",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=True),
        sa.Column("operation_hash", sa.LargeBinary(), nullable=True),
        sa.Column("coordinates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("ip", postgresql.INET(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "at", "id", name=op.f("pk_usage_events")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "video_stats",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("video_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("comments", sa.BigInteger(), nullable=True),
        sa.Column("shares", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "creator_id", "video_id", "at", name=op.f("pk_video_stats")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("test_requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("max_websockets", sa.BigInteger(), nullable=True),
        sa.Column("return_urls", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("canceled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["plan"], ["plans.name"], name=op.f("fk_accounts_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "api_keys",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("allowed_ips", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("owner", sa.Text(), server_default=sa.text("'MEMBER'"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "rotation_due_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now() + interval '90 days'"),
            nullable=False,
        ),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("retiring_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("retires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("replaced_by", sa.Uuid(), nullable=True),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("monthly_credits", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_used_ip", postgresql.INET(), nullable=True),
        sa.Column("last_used_country", sa.Text(), nullable=True),
        sa.CheckConstraint("owner in ('MEMBER', 'SERVICE')", name=op.f("ck_api_keys_owner")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_keys_accounts")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_api_keys")),
    )
    op.create_index("ix_api_keys_newest", "api_keys", ["account_id", "created_at", "id"], unique=False)
    op.create_table(
        "creators",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=True),
        sa.Column("bio", sa.Text(), nullable=True),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("profile_url", sa.Text(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=True),
        sa.Column("followers", sa.BigInteger(), nullable=True),
        sa.Column("following", sa.BigInteger(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("video_count", sa.BigInteger(), nullable=True),
        sa.Column("engagement_rate", sa.Double(), nullable=True),
        sa.Column(
            "connected_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("synced_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', username || ' ' || coalesce(display_name, '') || ' ' || coalesce(bio, ''))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint(
            "platform in ('TIKTOK', 'INSTAGRAM', 'YOUTUBE')", name=op.f("ck_creators_platform")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_creators_accounts")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_creators")),
        sa.UniqueConstraint(
            "account_id",
            "livemode",
            "platform",
            "external_id",
            name=op.f("uq_creators_account_id_livemode_platform_external_id"),
        ),
    )
    op.create_index(
        "ix_creators_connected_at", "creators", ["account_id", "livemode", "connected_at", "id"], unique=False
    )
    op.create_index(
        "ix_creators_followers",
        "creators",
        ["account_id", "livemode", sa.literal_column("coalesce(followers, -1)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_creators_likes",
        "creators",
        ["account_id", "livemode", sa.literal_column("coalesce(likes, -1)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_creators_reference", "creators", ["account_id", "livemode", "reference"], unique=False
    )
    op.create_index("ix_creators_search", "creators", ["search"], unique=False, postgresql_using="gin")
    op.create_index(
        "ix_creators_synced_at",
        "creators",
        ["account_id", "livemode", sa.literal_column("coalesce(synced_at, '-infinity'::timestamptz)"), "id"],
        unique=False,
    )
    op.create_index(
        "ix_creators_username",
        "creators",
        ["account_id", "livemode", sa.literal_column('username collate "C"'), "id"],
        unique=False,
    )
    op.create_table(
        "credit_balances",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("period", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("used >= 0 and used <= granted", name=op.f("ck_credit_balances_never_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_credit_balances_accounts")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_credit_balances")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "idempotent_answers",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("lease_until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("creator_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_idempotent_answers_accounts")),
        sa.PrimaryKeyConstraint("account_id", "livemode", "key", name=op.f("pk_idempotent_answers")),
    )
    op.create_index("ix_idempotent_answers_created_at", "idempotent_answers", ["created_at"], unique=False)
    op.create_index(
        "ix_idempotent_answers_creator", "idempotent_answers", ["account_id", "creator_id"], unique=False
    )
    op.create_table(
        "members",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "joined_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint("role in ('OWNER', 'ADMIN', 'MEMBER')", name=op.f("ck_members_role")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_members_accounts")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_members")),
        sa.UniqueConstraint("account_id", "email", name=op.f("uq_members_account_id_email")),
    )
    op.create_table(
        "oauth_states",
        sa.Column("state_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("own_redirect", sa.Boolean(), nullable=False),
        sa.Column("code_verifier", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Text(), server_default=sa.text("'PENDING'"), nullable=False),
        sa.Column("claimed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("creator_id", sa.Uuid(), nullable=True),
        sa.Column("sync_id", sa.Uuid(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status in ('PENDING', 'CONNECTED', 'DENIED', 'FAILED')", name=op.f("ck_oauth_states_status")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_oauth_states_accounts")),
        sa.PrimaryKeyConstraint("state_hash", name=op.f("pk_oauth_states")),
    )
    op.create_index("ix_oauth_states_creator", "oauth_states", ["account_id", "creator_id"], unique=False)
    op.create_index("ix_oauth_states_expires_at", "oauth_states", ["expires_at"], unique=False)
    op.create_table(
        "revocations",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("tokens", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "next_attempt_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_revocations_accounts")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_revocations")),
    )
    op.create_index("ix_revocations_next_attempt_at", "revocations", ["next_attempt_at"], unique=False)
    op.create_table(
        "grants",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'ACTIVE'"), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("access_token", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_token", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("refresh_expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("refreshed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("lease_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint("status in ('ACTIVE', 'NEEDS_REAUTH')", name=op.f("ck_grants_status")),
        sa.ForeignKeyConstraint(
            ["account_id", "creator_id"],
            ["creators.account_id", "creators.id"],
            name=op.f("fk_grants_creators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "creator_id", name=op.f("pk_grants")),
    )
    op.create_table(
        "key_lookups",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "key_id"],
            ["api_keys.account_id", "api_keys.id"],
            name=op.f("fk_key_lookups_api_keys"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("secret_hash", name=op.f("pk_key_lookups")),
    )
    op.create_table(
        "syncs",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'QUEUED'"), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("slice", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cursor", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("videos_expected", sa.BigInteger(), nullable=True),
        sa.Column("videos_seen", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("videos_added", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("videos_updated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("failures", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_retry_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "queued_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "touched_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "status in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELED')",
            name=op.f("ck_syncs_status"),
        ),
        sa.CheckConstraint(
            "trigger in ('MANUAL', 'CONNECT', 'SCHEDULED', 'STALE', 'WEBHOOK')", name=op.f("ck_syncs_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "creator_id"],
            ["creators.account_id", "creators.id"],
            name=op.f("fk_syncs_creators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_syncs")),
    )
    op.create_index("ix_syncs_newest", "syncs", ["account_id", "creator_id", "queued_at", "id"], unique=False)
    op.create_index(
        "ix_syncs_open",
        "syncs",
        ["touched_at"],
        unique=False,
        postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')"),
    )
    op.create_index(
        "uq_syncs_one_open",
        "syncs",
        ["account_id", "creator_id"],
        unique=True,
        postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')"),
    )
    op.create_table(
        "videos",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("creator_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("cover_url", sa.Text(), nullable=True),
        sa.Column("media_url", sa.Text(), nullable=True),
        sa.Column("views", sa.BigInteger(), nullable=True),
        sa.Column("likes", sa.BigInteger(), nullable=True),
        sa.Column("comments", sa.BigInteger(), nullable=True),
        sa.Column("shares", sa.BigInteger(), nullable=True),
        sa.Column("duration", sa.BigInteger(), nullable=True),
        sa.Column(
            "engagement_rate",
            sa.Double(),
            sa.Computed(
                "case when views > 0 and likes is not null and comments is not null and shares is not null then (likes + comments + shares)::double precision / views end",
                persisted=True,
            ),
            nullable=True,
        ),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("gone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seen_in", sa.Uuid(), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "to_tsvector('simple', coalesce(title, '') || ' ' || coalesce(description, ''))",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind in ('VIDEO', 'SHORT', 'REEL', 'LIVE', 'IMAGE', 'CAROUSEL')", name=op.f("ck_videos_kind")
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "creator_id"],
            ["creators.account_id", "creators.id"],
            name=op.f("fk_videos_creators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_videos")),
        sa.UniqueConstraint(
            "account_id",
            "creator_id",
            "external_id",
            name=op.f("uq_videos_account_id_creator_id_external_id"),
        ),
    )
    op.create_index(
        "ix_videos_account_comments",
        "videos",
        ["account_id", "livemode", sa.literal_column("coalesce(comments, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_account_engagement",
        "videos",
        ["account_id", "livemode", sa.literal_column("coalesce(engagement_rate, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_account_likes",
        "videos",
        ["account_id", "livemode", sa.literal_column("coalesce(likes, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_account_published_at",
        "videos",
        ["account_id", "livemode", sa.literal_column("published_at"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_account_shares",
        "videos",
        ["account_id", "livemode", sa.literal_column("coalesce(shares, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_account_views",
        "videos",
        ["account_id", "livemode", sa.literal_column("coalesce(views, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_comments",
        "videos",
        ["account_id", "creator_id", sa.literal_column("coalesce(comments, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_engagement",
        "videos",
        ["account_id", "creator_id", sa.literal_column("coalesce(engagement_rate, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_likes",
        "videos",
        ["account_id", "creator_id", sa.literal_column("coalesce(likes, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_published_at",
        "videos",
        ["account_id", "creator_id", sa.literal_column("published_at"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_shares",
        "videos",
        ["account_id", "creator_id", sa.literal_column("coalesce(shares, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index(
        "ix_videos_creator_views",
        "videos",
        ["account_id", "creator_id", sa.literal_column("coalesce(views, -1)"), "id"],
        unique=False,
        postgresql_where=sa.text("gone_at is null"),
    )
    op.create_index("ix_videos_search", "videos", ["search"], unique=False, postgresql_using="gin")

    plans = sa.table("plans", *(sa.column(name) for name in PLAN_COLUMNS))
    op.bulk_insert(plans, [dict(zip(PLAN_COLUMNS, row, strict=True)) for row in PLANS])


def downgrade() -> None:
    op.drop_index("ix_videos_search", table_name="videos", postgresql_using="gin")
    op.drop_index("ix_videos_creator_views", table_name="videos", postgresql_where=sa.text("gone_at is null"))
    op.drop_index(
        "ix_videos_creator_shares", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index(
        "ix_videos_creator_published_at", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index("ix_videos_creator_likes", table_name="videos", postgresql_where=sa.text("gone_at is null"))
    op.drop_index(
        "ix_videos_creator_engagement", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index(
        "ix_videos_creator_comments", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index("ix_videos_account_views", table_name="videos", postgresql_where=sa.text("gone_at is null"))
    op.drop_index(
        "ix_videos_account_shares", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index(
        "ix_videos_account_published_at", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index("ix_videos_account_likes", table_name="videos", postgresql_where=sa.text("gone_at is null"))
    op.drop_index(
        "ix_videos_account_engagement", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_index(
        "ix_videos_account_comments", table_name="videos", postgresql_where=sa.text("gone_at is null")
    )
    op.drop_table("videos")
    op.drop_index(
        "uq_syncs_one_open", table_name="syncs", postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')")
    )
    op.drop_index(
        "ix_syncs_open", table_name="syncs", postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')")
    )
    op.drop_index("ix_syncs_newest", table_name="syncs")
    op.drop_table("syncs")
    op.drop_table("key_lookups")
    op.drop_table("grants")
    op.drop_index("ix_revocations_next_attempt_at", table_name="revocations")
    op.drop_table("revocations")
    op.drop_index("ix_oauth_states_expires_at", table_name="oauth_states")
    op.drop_index("ix_oauth_states_creator", table_name="oauth_states")
    op.drop_table("oauth_states")
    op.drop_table("members")
    op.drop_index("ix_idempotent_answers_creator", table_name="idempotent_answers")
    op.drop_index("ix_idempotent_answers_created_at", table_name="idempotent_answers")
    op.drop_table("idempotent_answers")
    op.drop_table("credit_balances")
    op.drop_index("ix_creators_username", table_name="creators")
    op.drop_index("ix_creators_synced_at", table_name="creators")
    op.drop_index("ix_creators_search", table_name="creators", postgresql_using="gin")
    op.drop_index("ix_creators_reference", table_name="creators")
    op.drop_index("ix_creators_likes", table_name="creators")
    op.drop_index("ix_creators_followers", table_name="creators")
    op.drop_index("ix_creators_connected_at", table_name="creators")
    op.drop_table("creators")
    op.drop_index("ix_api_keys_newest", table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("accounts")
    op.drop_table("video_stats")
    op.drop_table("usage_events")
    op.drop_table("signing_keys")
    op.drop_table("tombstones")
    op.drop_table("plans")
    op.drop_table("ledger")
    op.drop_table("creator_stats")
