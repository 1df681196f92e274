"""Rows with every odd value in them: several accounts and both worlds in the same tables, so that leaks show."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

NOW = datetime(2025, 5, 15, 12, 30, 15, 250_000, tzinfo=UTC)
TEXTS = (
    None,
    "",
    "alpha beta",
    "Beta 'quoted' \"twice\" \\ back",
    "شاهد الفيديو alpha",
    "👩‍👩‍👧‍👦 🎉 zulu",
    "tab\tand\nline",
    "$1; drop table videos; --",
    "é\u0301\u200d\ufeff",
    "x" * 300,
)
COUNTS = (None, None, 0, 1, 7, 7, 7, 1_000, 2**31, 2**53 - 1)
NAMES = ("anna", "anna", "Zoë", "ångström", "𝕏-name", "it's", "b" * 90, "日本語", "_", "ANNA")
TIMES = tuple(
    NOW - timedelta(hours=h, microseconds=m) for h, m in ((1, 0), (1, 0), (5, 1), (40, 999_999), (900, 7))
)
STATUSES = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELED")
COLUMNS = {
    "members": ("account_id", "id", "email", "role", "joined_at"),
    "api_keys": (
        "account_id", "id", "livemode", "name", "hint", "scopes", "allowed_ips", "owner", "created_by", "created_at",
        "expires_at", "rotation_due_at", "revoked_at", "retiring_since", "retires_at", "replaces", "replaced_by",
        "requests_per_minute", "monthly_credits", "last_used_at", "last_used_ip", "last_used_country",
    ),
    "creators": (
        "account_id", "id", "livemode", "platform", "external_id", "reference", "username", "display_name", "bio",
        "avatar_url", "profile_url", "verified", "followers", "following", "likes", "views", "video_count",
        "engagement_rate", "connected_at", "synced_at",
    ),
    "grants": (
        "account_id", "creator_id", "livemode", "status", "scopes", "access_token", "expires_at",
        "refresh_expires_at", "refreshed_at", "reason",
    ),
    "videos": (
        "account_id", "id", "creator_id", "livemode", "external_id", "kind", "title", "description", "url",
        "cover_url", "media_url", "views", "likes", "comments", "shares", "duration", "published_at", "gone_at",
        "seen_in",
    ),
    "syncs": (
        "account_id", "id", "creator_id", "livemode", "status", "trigger", "videos_expected", "videos_seen",
        "videos_added", "videos_updated", "attempts", "error_code", "error_message", "error_retry_at", "queued_at",
        "started_at", "finished_at",
    ),
    "creator_stats": (
        "account_id", "creator_id", "at", "livemode", "followers", "following", "likes", "views", "video_count",
    ),
    "video_stats": (
        "account_id", "creator_id", "video_id", "at", "livemode", "views", "likes", "comments", "shares",
    ),
}  # fmt: skip


class Maker:
    """Rows of all tables, from a seed or another's chance. Ids are made up too: the same seed is the same data."""

    keys_of_a_world = 4

    def __init__(self, chance: Any) -> None:
        self.random = random.Random(chance) if isinstance(chance, int) else chance
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("accounts", *COLUMNS)}

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128))

    def pick(self, values: Any) -> Any:
        return self.random.choice(values)

    def time(self) -> datetime | None:
        return self.pick((None, *TIMES))

    def add(self, table: str, **row: Any) -> dict[str, Any]:
        self.rows[table].append(row)
        return row

    def account(self, name: str, *, creators: int = 5, videos: int = 9) -> UUID:
        account_id: UUID = self.id()
        self.add("accounts", id=account_id, name=name, plan="pro", monthly_credits=self.pick((None, 77)))
        members = [
            self.add("members", account_id=account_id, id=self.id(), email=f"m{n}@{name}.example", role="OWNER",
                     joined_at=TIMES[0]) for n in range(2)
        ]  # fmt: skip
        for livemode in (True, False):
            self.keys(account_id, livemode, [member["id"] for member in members])
            for _ in range(creators):
                self.creator(account_id, livemode, self.random.randint(0, videos))
        return account_id

    def keys(self, account_id: UUID, livemode: bool, members: list[UUID]) -> None:
        far, past = datetime(2099, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)
        made: list[UUID] = []
        for n in range(self.keys_of_a_world):
            made.append(self.id())
            self.add(
                "api_keys", account_id=account_id, id=made[-1], livemode=livemode, name=self.pick(TEXTS) or f"key {n}",
                hint="sk_live_…f456", scopes=["CREATORS_READ", "VIDEOS_READ"][: n % 3], allowed_ips=["10.0.0.0/8"] * (n % 2),
                owner=self.pick(("MEMBER", "SERVICE")), created_by=self.pick((*members, None, self.id())),
                created_at=self.pick(TIMES), expires_at=self.pick((None, None, far, past)), rotation_due_at=far,
                revoked_at=self.pick((None, None, past)), retiring_since=self.pick((None, past)),
                retires_at=self.pick((None, far, past)), replaces=self.pick((None, *made)),
                replaced_by=self.pick((None, *made, self.id())), requests_per_minute=self.pick((None, 5)),
                monthly_credits=self.pick(COUNTS), last_used_at=self.time(),
                last_used_ip=self.pick((None, "192.0.2.1", "2001:db8::1")), last_used_country=self.pick((None, "DE")),
            )  # fmt: skip

    def creator(self, account_id: UUID, livemode: bool, videos: int) -> None:
        id = self.id()
        counts = {
            name: self.pick(COUNTS) for name in ("followers", "following", "likes", "views", "video_count")
        }
        self.add(
            "creators", account_id=account_id, id=id, livemode=livemode, platform=self.pick(("TIKTOK", "YOUTUBE")),
            external_id=id.hex, reference=self.pick((None, "ref 1", "ref '2'")), username=self.pick(NAMES),
            display_name=self.pick(TEXTS), bio=self.pick(TEXTS), avatar_url=self.pick((None, "https://x.example/a")),
            profile_url=None, verified=self.pick((None, True, False)), **counts,
            engagement_rate=self.pick((None, 0.0, 0.1, 1 / 3, 1e-9)), connected_at=self.pick(TIMES), synced_at=self.time(),
        )  # fmt: skip
        self.add(
            "grants", account_id=account_id, creator_id=id, livemode=livemode, scopes=self.pick(([], ["a"], ["a,b", 'c"d'])),
            status=self.pick(("ACTIVE", "NEEDS_REAUTH")), access_token=b"x", expires_at=self.time(),
            refresh_expires_at=self.time(), refreshed_at=self.time(), reason="REFUSED" if id.int % 2 else None,
        )  # fmt: skip
        for at in self.random.sample(range(2_000), self.random.randint(0, 12)):
            moment = NOW - timedelta(hours=at / 2)
            values = {
                name: self.pick(COUNTS)
                for name in ("followers", "following", "likes", "views", "video_count")
            }
            self.add(
                "creator_stats", account_id=account_id, creator_id=id, at=moment, livemode=livemode, **values
            )
        for n in range(videos):
            self.video(account_id, id, livemode, n)
        for n in range(self.random.randint(0, 4)):
            self.sync(account_id, id, livemode, n)

    def video(self, account_id: UUID, creator_id: UUID, livemode: bool, n: int) -> None:
        id, url = self.id(), self.pick((None, "https://x.example/v"))
        counts = {name: self.pick(COUNTS) for name in ("views", "likes", "comments", "shares")}
        self.add(
            "videos", account_id=account_id, id=id, creator_id=creator_id, livemode=livemode, external_id=f"v{n}",
            kind=self.pick(("VIDEO", "SHORT", "REEL")), title=self.pick(TEXTS), description=self.pick(TEXTS), url=url,
            cover_url=url, media_url=None, **counts, duration=self.pick((None, 0, 30)), published_at=self.pick(TIMES),
            gone_at=self.pick((None, None, None, NOW)), seen_in=id,
        )  # fmt: skip
        for at in self.random.sample(range(200), self.random.randint(0, 3)):
            values = {name: self.pick(COUNTS) for name in ("views", "likes", "comments", "shares")}
            moment = NOW - timedelta(hours=at)
            self.add("video_stats", account_id=account_id, creator_id=creator_id, video_id=id, at=moment,
                     livemode=livemode, **values)  # fmt: skip

    def sync(self, account_id: UUID, creator_id: UUID, livemode: bool, n: int) -> None:
        status = "RUNNING" if n == 0 else self.pick(STATUSES)
        code = self.pick((None, "THROTTLED"))
        self.add(
            "syncs", account_id=account_id, id=self.id(), creator_id=creator_id, livemode=livemode, status=status,
            trigger="MANUAL", videos_expected=self.pick((None, 0, 3, 10)), videos_seen=self.pick((0, 2, 10)),
            videos_added=1, videos_updated=2, attempts=n, error_code=code, error_message=code and 'Slow down, "please"',
            error_retry_at=self.time() if code else None, queued_at=self.pick(TIMES), started_at=self.time(),
            finished_at=self.time(),
        )  # fmt: skip


async def write(connection: Any, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Put a maker's rows into the database; history goes into a partition of 2025."""
    for table in ("creator_stats", "video_stats"):
        await connection.execute(
            f"create table if not exists {table}_test partition of {table} "
            "for values from ('2024-12-01T00:00:00Z') to ('2025-07-01T00:00:00Z')"
        )
    for account in rows["accounts"]:
        statement = "insert into accounts (id, name, plan, monthly_credits) values ($1, $2, $3, $4)"
        await connection.execute(statement, *account.values())
    for table, columns in COLUMNS.items():
        records = [tuple(row[name] for name in columns) for row in rows[table]]
        await connection.copy_records_to_table(table, records=records, columns=columns)
