"""Usage rows with every odd value in them, some of them summed by the hour, some so old that the sums alone are left."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from services import usage

NOW = datetime(2025, 5, 15, 12, 30, 15, 250_000, tzinfo=UTC)
MARK = NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
OLDEST = datetime(2025, 2, 14, tzinfo=UTC)  # rows of 90 days are kept
CODES = ("OK", "OK", "OK", "RATE_LIMITED", "TIMEOUT", "BAD_USER_INPUT")
SHAPES = (
    "{}", '{"Query.creator": [1, 1000]}', '{"Query.videos": [7, 700], "Video.creator": [7, 1300]}',
    '{"Query.creators": [3, 334], "Query.creator": [2, 166]}', '{"Query.plans": [1]}', '{"Query.plans": [1, 500]}',
)  # fmt: skip
KINDS = ("NEW_COUNTRY", "REQUEST_SPIKE", "MAKER_LEFT", "KEY_IN_BROWSER")
HOURS = (0, 0, 0.2, 1, 2.9, 3, 3.1, 5, 26, 26.5, 200, 400, 500, 2_600, 2_600.4)
EVENT = ("account_id", "at", "key_id", "livemode", "coordinates", "credits", "code", "duration_us", "country")

ANOMALY = ("account_id", "livemode", "key_id", "kind", "about", "at", "detail")


def rows(
    maker: Any, chance: Any = None, often: tuple[int, ...] = (0, 3, 15, 15)
) -> dict[str, list[dict[str, Any]]]:
    """Events and anomalies of a maker's accounts, in both worlds; chance of its own, so that the rest stays as it is."""
    chance = chance or random.Random(11)
    made: dict[str, list[dict[str, Any]]] = {"usage_events": [], "anomalies": []}
    for key in maker.rows["api_keys"]:
        whose = {"account_id": key["account_id"], "livemode": key["livemode"], "key_id": key["id"]}
        for _ in range(chance.choice(often)):
            at = NOW - timedelta(
                hours=chance.choice(HOURS), microseconds=chance.choice((0, 1, 250_000, 10**9))
            )
            made["usage_events"].append({
                **whose, "at": at, "coordinates": chance.choice(SHAPES), "credits": chance.choice((0, 0, 1, 1, 2**40)),
                "code": chance.choice(CODES), "duration_us": 1, "country": chance.choice((None, None, "DE", "fr", "AT")),
            })  # fmt: skip
        for n in range(chance.choice((0, 0, 2))):
            at = NOW - timedelta(hours=chance.choice(HOURS))
            kind = chance.choice(KINDS)
            made["anomalies"].append(
                {**whose, "kind": kind, "about": str(n), "at": at, "detail": "Was 'odd'."}
            )
    return made


async def write(connection: Any, made: dict[str, list[dict[str, Any]]]) -> None:
    """Put them into the database, the whole hours before MARK summed as the job sums them."""
    await connection.execute(
        "create table if not exists usage_events_test partition of usage_events "
        "for values from ('2025-01-01T00:00:00Z') to ('2025-07-01T00:00:00Z')"
    )
    for table, found in made.items():
        columns = EVENT if table == "usage_events" else ANOMALY
        records = [tuple(row[name] for name in columns) for row in found]
        await connection.copy_records_to_table(table, records=records, columns=columns)
    for hour in sorted(
        {row["at"].replace(minute=0, second=0, microsecond=0) for row in made["usage_events"]}
    ):
        if hour < MARK:
            for statement in usage.ROLL.split(";"):
                await connection.execute(statement, hour, hour + timedelta(hours=1))
    await connection.execute("update usage_marks set until = $1 where name = 'roll-up'", MARK)


async def forget(connection: Any) -> None:
    """The rows that are older than rows are kept."""
    await connection.execute("delete from usage_events where at < $1", OLDEST)
