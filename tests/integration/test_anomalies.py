"""Anomalies: each kind found where it happened, told once, and not where nothing did."""

import asyncio
import ipaddress
from datetime import UTC, datetime, timedelta

import pytest

from db import partitions
from services import accounts, anomalies, api_keys, callers, usage

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
IP = ipaddress.ip_address("192.0.2.1")


class Stage:
    def __init__(self, database, connection):
        self.database, self.connection = database, connection

    async def begin(self):
        async with self.database.write() as session:
            self.made = await accounts.create(session, "A", "pro")
        self.id, self.key = self.made.id, self.made.live.id
        return self

    async def write(self, at, *, ip=None, country=None, key=None, code="OK", count=1):
        async with self.database.write() as session:
            await partitions.ensure(session, at)
        await self.connection.execute(
            "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us, ip, country)"
            " select $1, $2::timestamptz, $3, true, '{}', 1, $4, 1, $5, $6 from generate_series(1, $7)",
            *(self.id, at, key or self.key, code, ip, country, count),
        )

    async def found(self):
        """Kinds and what they are about, found twice: the second time is no news."""
        await anomalies.find(self.database)
        rows = await self.connection.fetch(
            "select kind, about, livemode, at, detail from anomalies order by at, about"
        )
        await anomalies.find(self.database)
        assert rows == await self.connection.fetch(
            "select kind, about, livemode, at, detail from anomalies order by at, about"
        )
        return [(row["kind"], row["about"]) for row in rows]


@pytest.fixture
async def stage(database):
    connection = await database.connect()
    yield await Stage(database, connection).begin()
    await connection.close()


def ago(minutes):
    return datetime.now(UTC) - timedelta(minutes=minutes)


async def test_a_new_country_is_told_and_the_first_one_is_not(stage):
    await stage.write(ago(90), country="DE")
    await stage.write(ago(80), country="DE")
    await stage.write(ago(70), country="BR")
    assert await stage.found() == [("NEW_COUNTRY", "BR")]
    await stage.write(ago(1.01), country="BR")
    assert await stage.found() == [("NEW_COUNTRY", "BR")]


async def test_a_network_is_24_bits_of_ipv4_and_48_of_ipv6(stage):
    await stage.write(ago(90), ip="192.0.2.1")
    await stage.write(ago(89), ip="192.0.2.200")
    assert await stage.found() == []
    await stage.connection.execute("update usage_marks set until = '-infinity' where name = 'origins'")
    await stage.write(ago(80), ip="192.0.3.1")
    await stage.write(ago(70), ip="2001:db8:1:1::1")
    await stage.write(ago(60), ip="2001:db8:1:2::1")
    assert await stage.found() == [("NEW_NETWORK", "192.0.3.0/24"), ("NEW_NETWORK", "2001:db8:1::/48")]
    details = [row[0] for row in await stage.connection.fetch("select detail from anomalies order by at")]
    assert details[0] == "Used from the network 192.0.3.0/24 for the first time."


async def test_another_keys_origins_are_not_this_keys(stage):
    async with stage.database.write() as session:
        other = await api_keys.create(session, stage.id, name="other", created_by=stage.made.owner_id)
    await stage.write(ago(90), country="DE", key=other.id)
    await stage.write(ago(80), country="BR")
    assert await stage.found() == []


async def test_a_row_that_comes_while_workers_look_is_found_once_by_one_of_them(stage):
    await stage.write(ago(90), country="DE")
    await stage.write(ago(80), country="BR")
    await asyncio.gather(*(anomalies.find(stage.database) for _ in range(4)))
    assert await stage.found() == [("NEW_COUNTRY", "BR")]


async def history(stage, hour, requests, errors=0):
    for days in range(1, 15):
        await stage.connection.execute(
            "insert into usage_hourly values ($1, true, $2, $3, $4, 0, $5, 0, $3)",
            *(stage.id, stage.key, hour - days * DAY, requests, errors),
        )


def last_hour():
    return (datetime.now(UTC) - timedelta(minutes=1)).replace(minute=0, second=0, microsecond=0) - HOUR


@pytest.mark.parametrize(
    ("usual", "now", "told"),
    [
        (30, 151, True),
        (30, 150, False),
        (0, 101, True),
        (0, 100, False),
        (5, 99, False),
        (1_000, 1_200, False),
    ],
)
async def test_a_request_spike_is_over_five_times_the_usual_of_that_hour_and_no_tiny_number(
    stage, usual, now, told
):
    hour = last_hour()
    await history(stage, hour, usual)
    await stage.write(hour + timedelta(minutes=5), count=now)
    await usage.roll_up(stage.database)
    assert await stage.found() == ([("REQUEST_SPIKE", f"{hour:%Y-%m-%d}")] if told else [])


@pytest.mark.parametrize(
    ("usual", "now", "told"), [(0, 21, True), (0, 20, False), (10, 50, False), (10, 51, True)]
)
async def test_an_error_spike_counts_failures_and_no_rate_limits(stage, usual, now, told):
    hour = last_hour()
    await history(stage, hour, 1_000, usual)
    await stage.write(hour + timedelta(minutes=5), count=now, code="TIMEOUT")
    await stage.write(hour + timedelta(minutes=6), count=500, code="RATE_LIMITED")
    await usage.roll_up(stage.database)
    assert await stage.found() == ([("ERROR_SPIKE", f"{hour:%Y-%m-%d}")] if told else [])


async def test_one_odd_day_does_not_make_a_spike_usual(stage):
    hour = last_hour()
    await history(stage, hour, 20)
    await stage.connection.execute("update usage_hourly set requests = 9000 where hour = $1", hour - 5 * DAY)
    await stage.write(hour, count=101)
    await usage.roll_up(stage.database)
    assert await stage.found() == [("REQUEST_SPIKE", f"{hour:%Y-%m-%d}")]


async def test_a_keys_first_day_has_nothing_to_compare_with(stage):
    await stage.write(last_hour(), count=500)
    await usage.roll_up(stage.database)
    assert await stage.found() == []


async def test_a_retiring_keys_use_is_told_once_a_day_and_its_use_before_is_not(stage):
    await stage.write(ago(90))
    assert await stage.found() == []
    await stage.connection.execute(
        "update api_keys set retiring_since = $1 where id = $2", ago(60), stage.key
    )
    await stage.connection.execute("update usage_marks set until = '-infinity' where name = 'origins'")
    at = ago(1.02)
    for _ in range(3):
        await stage.write(at)
    assert await stage.found() == [("RETIRED_KEY_USED", f"{at:%Y-%m-%d}")]


async def test_a_key_due_for_rotation_is_told_once_a_month_until_it_is_rotated(stage):
    now = datetime.now(UTC)
    assert await stage.found() == []
    await stage.connection.execute(
        "update api_keys set rotation_due_at = $1 where id = $2", now - 400 * DAY, stage.key
    )
    assert await stage.found() == [("ROTATION_OVERDUE", f"{now:%Y-%m}")]
    at = await stage.connection.fetchval("select at from anomalies")
    assert at == now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await stage.connection.execute("delete from anomalies")
    for ended in (
        "retiring_since = now()",
        "retiring_since = null, revoked_at = now()",
        "revoked_at = null, expires_at = now()",
    ):
        await stage.connection.execute(f"update api_keys set {ended} where id = $1", stage.key)
        assert await stage.found() == []


async def test_a_service_key_whose_maker_left_is_told_and_a_personal_one_has_ended(stage):
    async with stage.database.write() as session:
        member = await accounts.add_member(session, stage.id, "leaver@example.org", "MEMBER")
        await api_keys.create(session, stage.id, name="service", owner="SERVICE", created_by=member)
        await api_keys.create(session, stage.id, name="personal", owner="MEMBER", created_by=member)
    assert await stage.found() == []
    await stage.connection.execute("update api_keys set revoked_at = now() where name = 'personal'")
    await stage.connection.execute("delete from members where id = $1", member)
    assert await stage.found() == [("MAKER_LEFT", str(member))]


async def test_what_a_request_shows_is_noted_once_a_day_beside_it(stage):
    caller = await callers.Callers(stage.database).authenticate(stage.made.live.secret, IP, datetime.now(UTC))
    notes = [anomalies.Notes(stage.database), anomalies.Notes(stage.database)]
    for each in notes:
        for _ in range(50):
            each.note(caller, "KEY_IN_BROWSER")
        each.note(caller, "RETIRED_KEY_USED")
    await asyncio.gather(*(each.close() for each in notes))
    assert sorted(await stage.found()) == [
        ("KEY_IN_BROWSER", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("RETIRED_KEY_USED", f"{datetime.now(UTC):%Y-%m-%d}"),
    ]


async def test_a_note_that_cannot_be_written_harms_nobody_and_is_tried_again(stage):
    caller = await callers.Callers(stage.database).authenticate(stage.made.live.secret, IP, datetime.now(UTC))
    notes = anomalies.Notes(stage.database)
    await stage.connection.execute("alter table anomalies rename to away")
    notes.note(caller, "KEY_IN_BROWSER")
    await notes.close()
    await stage.connection.execute("alter table away rename to anomalies")
    notes.note(caller, "KEY_IN_BROWSER")
    await notes.close()
    assert len(await stage.found()) == 1


async def test_anomalies_are_forgotten_with_the_usage_they_belong_to(stage):
    now = datetime.now(UTC)
    oldest = usage.oldest_sum(now)
    for n, at in enumerate((oldest - DAY, oldest)):
        await stage.connection.execute(
            anomalies.NOTE, stage.id, True, stage.key, "KEY_IN_BROWSER", str(n), at, "x"
        )
    async with stage.database.write() as session:
        await anomalies.forget_old(session, now)
    assert [row[0] for row in await stage.connection.fetch("select at from anomalies")] == [oldest]
