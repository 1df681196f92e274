"""Usage an hour at a time, and what was unusual in it."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = postgresql.TIMESTAMP(timezone=True)
# How far each job has come; nothing is done yet.
MARKS = ("roll-up", "origins", "spikes")
# What each roll-up sums, besides whose it is.
ROLLUPS = {
    "usage_hourly": {
        "requests": sa.BigInteger(),
        "credits": sa.BigInteger(),
        "errors": sa.BigInteger(),
        "rate_limited": sa.BigInteger(),
        "last_used_at": INSTANT,
    },
    "usage_hourly_fields": {
        "coordinate": sa.Text(),
        "calls": sa.BigInteger(),
        "thousandths": sa.BigInteger(),
    },
    "usage_hourly_countries": {"country": sa.Text(), "requests": sa.BigInteger()},
}
DIVIDED_BY = {"usage_hourly_fields": ["coordinate"], "usage_hourly_countries": ["country"]}
ANOMALIES = (
    "NEW_COUNTRY",
    "NEW_NETWORK",
    "REQUEST_SPIKE",
    "ERROR_SPIKE",
    "RETIRED_KEY_USED",
    "ROTATION_OVERDUE",
    "MAKER_LEFT",
    "KEY_IN_BROWSER",
)


def upgrade() -> None:
    op.create_index(
        "ix_usage_events_at",
        "usage_events",
        ["at"],
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on", "pages_per_range": "32"},
    )
    marks = op.create_table(
        "usage_marks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_usage_marks")),
    )
    op.execute(sa.insert(marks).values([{"name": name, "until": sa.text("'-infinity'")} for name in MARKS]))
    for name, columns in ROLLUPS.items():
        _create_rollup(name, columns)
    op.create_table(
        "key_origins",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("first_seen_at", INSTANT, nullable=False),
        sa.CheckConstraint("kind in ('COUNTRY', 'NETWORK')", name=op.f("ck_key_origins_kind")),
        sa.PrimaryKeyConstraint("account_id", "key_id", "kind", "origin", name=op.f("pk_key_origins")),
    )
    _create_anomalies()


def _create_rollup(name: str, columns: dict[str, sa.types.TypeEngine[object]]) -> None:
    key = ["account_id", "livemode", "key_id", "hour", *DIVIDED_BY.get(name, [])]
    op.create_table(
        name,
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("hour", INSTANT, nullable=False),
        *(sa.Column(column, kind, nullable=False) for column, kind in columns.items()),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")),
    )
    op.create_index(f"ix_{name}_hour", name, ["hour"], postgresql_using="brin")


def _create_anomalies() -> None:
    kinds = ", ".join(f"'{kind}'" for kind in ANOMALIES)
    op.create_table(
        "anomalies",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("uuidv7()"), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint(f"kind in ({kinds})", name=op.f("ck_anomalies_kind")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_anomalies")),
        sa.UniqueConstraint(
            "account_id", "key_id", "kind", "about", name=op.f("uq_anomalies_account_id_key_id_kind_about")
        ),
    )
    op.create_index("ix_anomalies_newest", "anomalies", ["account_id", "livemode", "at", "id"])


def downgrade() -> None:
    for name in ("anomalies", "key_origins", *ROLLUPS, "usage_marks"):
        op.drop_table(name)
    op.drop_index("ix_usage_events_at", table_name="usage_events")
