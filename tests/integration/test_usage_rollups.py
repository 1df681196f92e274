"""Roll-ups: every usage row is told once, whenever the job ran, and by how many."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import orjson
import pytest

import resolvers
from db import partitions
from graph.planner import reading
from graph.planner.entities import ROOTS
from graph.planner.mapping import Read
from graph.planner.reading import Delivered
from services import accounts, api_keys, errors, usage

ENGINE = resolvers.engine()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALL = """query($from: DateTime, $to: DateTime) { usage(from: $from, to: $to) { from to requests credits errors rateLimited
  lastUsedAt buckets { at requests credits errors rateLimited } byKey(first: 100) { apiKey { id name } requests credits errors }
  byMember { member { email } requests } byField(first: 100) { field calls credits } byCountry { country requests } } }"""
CODES = ("OK", "OK", "OK", "TIMEOUT", "RATE_LIMITED", "BAD_USER_INPUT")
SHAPES = ('{"Query.creator": [1, 1000]}', '{"Query.videos": [7, 700], "Video.creator": [7, 1300]}', "{}")


class Stage:
    """An account with two live keys and a test key, another account, and a hand that writes usage rows."""

    def __init__(self, database, connection):
        self.database, self.connection = database, connection

    async def begin(self):
        async with self.database.write() as session:
            made = await accounts.create(session, "A", "pro")
            other = await accounts.create(session, "B", "pro")
            second = await api_keys.create(session, made.id, name="second", created_by=made.owner_id)
        self.id, self.live, self.test, self.second = made.id, made.live.id, made.test.id, second.id
        self.other, self.others_key = other.id, other.live.id
        return self

    async def partition(self, at):
        async with self.database.write() as session:
            await partitions.ensure(session, at)

    async def write(
        self,
        at,
        *,
        key=None,
        account=None,
        livemode=True,
        credits=1,
        code="OK",
        shape=SHAPES[0],
        country=None,
    ):
        await self.connection.execute(
            "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us, country)"
            " values ($1, $2, $3, $4, $5, $6, $7, 1, $8)",
            *(account or self.id, at, key or self.live, livemode, shape, credits, code, country),
        )

    async def ask(self, text=ALL, *, now=None, account=None, livemode=True, **variables):
        operation = ENGINE.documents.operation(text, None)
        given = {
            name.strip("_"): value.isoformat() if isinstance(value, datetime) else value
            for name, value in variables.items()
        }
        values = operation.declared.read(given)
        root = operation.roots(values)[0]
        prepared = reading.prepared(root, ROOTS[root.name], "Query")
        read = Read(account or self.id, livemode, now or datetime.now(UTC), values)
        async with self.database.read() as connection:
            answer = await prepared.run(reading.on(connection), read, Delivered())
        return answer[0] if root.name == "usage" else answer

    async def explain(self, text, **variables):
        operation = ENGINE.documents.operation(text, None)
        values = operation.declared.read({n.strip("_"): v.isoformat() for n, v in variables.items()})
        root = operation.roots(values)[0]
        prepared = reading.prepared(root, ROOTS["usage"], "Query")
        read = Read(self.id, True, datetime.now(UTC), values)
        plan = prepared.plan(read)
        async with self.database.read() as connection:
            lines = await connection.fetch(
                f"explain (analyze, costs off) {plan.statement.sql}", *plan.arguments(read)
            )
        return [line[0] for line in lines]


@pytest.fixture
async def stage(database):
    connection = await database.connect()
    yield await Stage(database, connection).begin()
    await connection.close()


def hour_of(at):
    return at.replace(minute=0, second=0, microsecond=0)


def naive(rows, since, until):
    """What `usage` should tell, from the rows themselves."""
    rows = [row for row in rows if since <= row["at"] < until]
    return {
        "requests": len(rows),
        "credits": sum(row["credits"] for row in rows),
        "errors": sum(row["code"] not in {"OK", "RATE_LIMITED"} for row in rows),
        "rateLimited": sum(row["code"] == "RATE_LIMITED" for row in rows),
    }


async def varied(stage, count=300, hours=30):
    """Rows of every kind over some hours until now; answers those of the live world of A."""
    now = datetime.now(UTC)
    await stage.partition(now - 2 * DAY)
    rows = []
    for n in range(count):
        at = now - timedelta(seconds=1) - n * hours * HOUR / count
        row = {
            "at": at, "key": (stage.live, stage.second)[n % 3 == 0], "credits": n % 4, "code": CODES[n % 6],
            "shape": SHAPES[n % 3], "country": (None, "DE", "FR")[n % 5 % 3],
        }  # fmt: skip
        rows.append(row)
        await stage.write(**row)
        if n % 7 == 0:
            await stage.write(at, key=stage.test, livemode=False, credits=1_000)
            await stage.write(at, key=stage.others_key, account=stage.other, credits=1_000)
    return now, rows


async def tables(stage):
    names = ("usage_hourly", "usage_hourly_fields", "usage_hourly_countries", "usage_marks")
    return {name: sorted(map(tuple, await stage.connection.fetch(f"select * from {name}"))) for name in names}


async def test_sums_are_those_of_the_rows_before_and_after_the_roll_up_and_for_any_range(stage):
    now, rows = await varied(stage)
    start = hour_of(now) - 30 * HOUR
    ranges = [
        (start, now),
        (start + timedelta(minutes=17), now),
        (now - timedelta(minutes=5), now),
        (start + timedelta(minutes=50), start + timedelta(minutes=55)),
        (start + timedelta(minutes=50), start + timedelta(hours=3, minutes=1)),
        (start + HOUR, start + 2 * HOUR),
        (hour_of(now), now),
        (now, now),
        (start, now + DAY),
    ]
    before = [await stage.ask(from_=since, to=until, now=now) for since, until in ranges]
    assert await usage.roll_up(stage.database) > 20
    after = [await stage.ask(from_=since, to=until, now=now) for since, until in ranges]
    assert before == after
    for (since, until), told in zip(ranges, after, strict=True):
        expected = naive(rows, since, until)
        assert {name: told[name] for name in expected} == expected
        for name in expected:
            assert sum(bucket[name] for bucket in told["buckets"]) == told[name]
        for name in ("requests", "credits", "errors"):
            assert sum(row[name] for row in told["byKey"]) == told[name]
        assert sum(row["requests"] for row in told["byCountry"]) == told["requests"]
        latest = max((row["at"] for row in rows if since <= row["at"] < until), default=None)
        assert told["lastUsedAt"] == (
            latest and latest.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )


async def test_lists_are_those_of_the_rows_most_first(stage):
    now, rows = await varied(stage)
    await usage.roll_up(stage.database)
    told = await stage.ask(from_=now - 2 * DAY, now=now)
    calls = {}
    for row in rows:
        for name, count in {0: {"Query.creator": 1}, 1: {"Query.videos": 7, "Video.creator": 7}}.get(
            SHAPES.index(row["shape"]), {}
        ).items():
            calls[name] = calls.get(name, 0) + count
    assert {row["field"]: row["calls"] for row in told["byField"]} == calls
    assert {row["field"]: row["credits"] for row in told["byField"]} == {
        "Query.creator": 100, "Query.videos": 70, "Video.creator": 130
    }  # fmt: skip
    counts = [row["requests"] for row in told["byKey"]]
    assert counts == sorted(counts, reverse=True) == [200, 100]
    assert [row["apiKey"]["name"] for row in told["byKey"]] == ["First live key", "second"]
    assert [row["requests"] for row in told["byMember"]] == [300]
    assert {row["country"]: row["requests"] for row in told["byCountry"]} == {
        country: sum(row["country"] == country for row in rows) for country in (None, "DE", "FR")
    }


async def test_ties_stand_in_the_same_order_every_time_and_first_cuts(stage):
    at = datetime.now(UTC) - timedelta(seconds=5)
    for name in "dbca":
        await stage.write(at, shape=f'{{"Query.{name}": [1, 0]}}', country=name.upper() * 2)
    text = "{ usage { byField(first: 3) { field } byCountry(first: 2) { country } byKey(first: 1) { requests } } }"
    for _ in range(2):
        told = await stage.ask(text)
        assert [row["field"] for row in told["byField"]] == ["Query.a", "Query.b", "Query.c"]
        assert [row["country"] for row in told["byCountry"]] == ["AA", "BB"]
        assert told["byKey"] == [{"requests": 4}]
        await usage.roll_up(stage.database)


async def test_running_again_and_by_several_at_once_changes_nothing(stage):
    await varied(stage)
    done = await asyncio.gather(*(usage.roll_up(stage.database) for _ in range(4)))
    assert sum(done) in {29, 30, 31}
    first = await tables(stage)
    assert await asyncio.gather(*(usage.roll_up(stage.database) for _ in range(3))) == [0, 0, 0]
    assert await tables(stage) == first
    sums = await stage.connection.fetchrow("select sum(requests), sum(credits) from usage_hourly")
    mark = await stage.connection.fetchval("select until from usage_marks where name = 'roll-up'")
    rows = await stage.connection.fetchrow(
        "select count(*), sum(credits) from usage_events where at < $1", mark
    )
    assert tuple(sums) == tuple(rows)


async def test_an_hour_told_anew_is_told_alike(stage):
    await varied(stage)
    await usage.roll_up(stage.database)
    first = await tables(stage)
    await stage.connection.execute(
        "update usage_marks set until = until - interval '9 hours' where name = 'roll-up'"
    )
    assert await usage.roll_up(stage.database) == 9
    assert await tables(stage) == first


async def test_a_row_whose_transaction_commits_late_is_waited_for_and_told_meanwhile(stage):
    now = datetime.now(UTC)
    at = hour_of(now) - timedelta(minutes=1)
    await stage.partition(at - DAY)
    await stage.write(at - 2 * HOUR)
    late = await stage.database.connect()
    transaction = late.transaction()
    await transaction.start()
    await late.execute(
        "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us)"
        " values ($1, $2, $3, true, '{}', 5, 'OK', 1)",
        *(stage.id, at, stage.live),
    )
    # As if it had been at work since before the hour ended: nothing is summed up to where it began.
    async with stage.database.read() as connection:
        began = await usage.limit(connection)
    assert began <= datetime.now(UTC) - timedelta(minutes=1) or began <= now + timedelta(seconds=1)
    holding = await stage.connection.fetchval(
        "select min(xact_start) from pg_stat_activity where backend_xid is not null and pid = $1",
        late.get_server_pid(),
    )
    assert began <= holding
    await transaction.commit()
    await late.close()
    await usage.roll_up(stage.database)
    assert (await stage.ask(from_=at - DAY))["credits"] == 6


async def test_nothing_is_summed_beyond_a_transaction_that_may_still_write(stage, monkeypatch):
    at = hour_of(datetime.now(UTC)) - 4 * HOUR
    await stage.partition(at)
    for n in range(3):
        await stage.write(at + n * HOUR + timedelta(minutes=30))
    # The limit, had a writer begun at half past the second hour.
    began = at + HOUR + timedelta(minutes=31)
    monkeypatch.setattr(usage, "LIMIT", f"select timestamptz '{began.isoformat()}'")
    assert await usage.roll_up(stage.database) == 1
    assert (await stage.ask(from_=at))["requests"] == 3
    await stage.write(at + HOUR + timedelta(minutes=30), credits=7)  # it commits
    monkeypatch.undo()
    assert (await stage.ask(from_=at))["credits"] == 10
    # An hour is summed from a minute after its end.
    assert await usage.roll_up(stage.database) in {2, 3}
    assert (await stage.ask(from_=at))["credits"] == 10


async def test_catches_up_after_downtime_hour_by_hour(stage):
    now = datetime.now(UTC)
    for days in range(0, 20, 5):
        await stage.partition(now - (days + 1) * DAY)
        await stage.write(now - days * DAY - timedelta(minutes=90) if days else now - timedelta(seconds=1))
    hours = await usage.roll_up(stage.database)
    assert hours >= 15 * 24
    told = await stage.ask(from_=now - 21 * DAY)
    assert told["requests"] == 4
    assert [bucket["requests"] for bucket in told["buckets"] if bucket["requests"]] == [1, 1, 1, 1]


async def test_old_partitions_stay_until_their_hours_are_summed(stage, monkeypatch):
    days = tuple(replace(one, kept_days=one.kept_days and 10) for one in partitions.SERIES)
    monkeypatch.setattr(partitions, "SERIES", days)  # every hour since then is summed, one after the other
    now = datetime.now(UTC)
    old = now - 20 * DAY
    await stage.partition(old)
    await stage.write(old)
    async with stage.database.write() as session:
        kept = await partitions.drop_old(
            session, now, used_until={"usage_events": await usage.rolled_until(session)}
        )
    assert kept == []
    await usage.roll_up(stage.database)
    async with stage.database.write() as session:
        until = await usage.rolled_until(session)
        dropped = await partitions.drop_old(session, now, used_until={"usage_events": until})
    assert dropped
    told = await stage.ask(from_=old, to=old + timedelta(minutes=1), now=now)  # whole hours from here on
    assert told["requests"] == 1
    assert told["from"] == hour_of(old).strftime("%Y-%m-%dT%H:00:00.000Z")
    assert told["to"] == (hour_of(old + timedelta(minutes=1)) + HOUR).strftime("%Y-%m-%dT%H:00:00.000Z")


async def test_sums_are_kept_25_months(stage):
    now = datetime.now(UTC)
    oldest = usage.oldest_sum(now)
    for at in (oldest - HOUR, oldest):
        await stage.connection.execute(
            "insert into usage_hourly values ($1, true, $2, $3, 1, 1, 0, 0, $3)", stage.id, stage.live, at
        )
    async with stage.database.write() as session:
        await usage.forget_old(session, now)
    assert [row[0] for row in await stage.connection.fetch("select hour from usage_hourly")] == [oldest]
    assert usage.oldest_sum(datetime(2026, 1, 15, tzinfo=UTC)) == datetime(2023, 12, 1, tzinfo=UTC)


async def test_25_months_read_roll_ups_and_the_rows_of_the_unfinished_hour_alone(stage):
    now = datetime.now(UTC)
    await stage.partition(now - 15 * DAY)
    await stage.connection.execute(
        "insert into usage_events (account_id, at, key_id, livemode, coordinates, credits, code, duration_us)"
        " select $1, at, $2, true, '{}', 1, 'OK', 1 from generate_series($3::timestamptz, now(), '20 minutes') at",
        *(stage.id, stage.live, now - 15 * DAY),
    )
    await usage.roll_up(stage.database)
    await stage.connection.execute("analyze")
    since = usage.oldest_sum(now)
    for text in (ALL, "query($from: DateTime) { usage(from: $from) { requests } }"):
        lines = await stage.explain(text, from_=since)
        read = [
            line
            for line in lines
            if "usage_events_" in line and "never executed" not in line and " on usage_events" in line
        ]
        partitions_read = {line.split(" on ")[1].split()[0] for line in read}
        assert partitions_read <= {
            f"usage_events_{day:%Y_%m_%d}" for day in (now, now - HOUR - timedelta(minutes=2))
        }
        assert any("usage_hourly" in line and "never executed" not in line for line in lines)
    told = await stage.ask(from_=since)
    assert told["requests"] == await stage.connection.fetchval("select count(*) from usage_events")


async def test_buckets_are_whole_days_and_hours_of_utc_and_empty_ones_are_there(stage):
    # The nights on which clocks change in Europe and America are days of 24 hours like any other.
    text = """query($from: DateTime, $to: DateTime) { usage(from: $from, to: $to) {
      days: buckets { at } hours: buckets(granularity: HOUR) { at requests credits errors rateLimited } } }"""
    for day in (
        datetime(2026, 3, 29, tzinfo=UTC),
        datetime(2026, 10, 25, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    ):
        told = await stage.ask(
            text, from_=day + timedelta(minutes=30), to=day + DAY + timedelta(microseconds=1)
        )
        assert [bucket["at"][:10] for bucket in told["days"]] == [f"{day:%Y-%m-%d}", f"{day + DAY:%Y-%m-%d}"]
        assert [bucket["at"] for bucket in told["hours"]] == [
            f"{day + n * HOUR:%Y-%m-%dT%H:00:00.000Z}" for n in range(25)
        ]
        assert {bucket["requests"] for bucket in told["hours"]} == {0}


async def test_an_instant_on_an_edge_belongs_to_what_begins_there(stage):
    edge = hour_of(datetime.now(UTC)) - 5 * HOUR
    await stage.partition(edge - DAY)
    await stage.write(edge)
    await stage.write(edge - timedelta(microseconds=1), credits=10)
    for _ in range(2):
        assert (await stage.ask(from_=edge, to=edge + HOUR))["credits"] == 1
        assert (await stage.ask(from_=edge - HOUR, to=edge))["credits"] == 10
        assert (await stage.ask(from_=edge - timedelta(microseconds=1), to=edge))["credits"] == 10
        await usage.roll_up(stage.database)


async def test_this_month_until_now_unless_said(stage):
    now = datetime.now(UTC)
    await stage.write(now - timedelta(seconds=1))
    told = await stage.ask(now=now)
    assert told["from"] == f"{now:%Y-%m}-01T00:00:00.000Z"
    assert told["to"] == now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert len(told["buckets"]) == now.day
    then = datetime(2026, 2, 10, 12, tzinfo=UTC)
    assert (await stage.ask(to=then))["from"] == "2026-02-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("since", "to", "granularity", "refused"),
    [
        ("2024-01-01T00:00:00Z", "2026-03-11T00:00:00Z", "DAY", False),
        ("2024-01-01T00:00:00Z", "2026-03-11T00:00:01Z", "DAY", True),
        ("2026-01-01T00:00:00Z", "2026-02-03T08:00:00Z", "HOUR", False),
        ("2025-12-31T23:59:59Z", "2026-02-03T08:00:00Z", "HOUR", True),
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "DAY", True),
        ("9999-12-31T21:30:00Z", "9999-12-31T23:59:59.999999Z", "HOUR", False),
        ("0001-01-01T00:00:00Z", "0001-01-01T01:00:01Z", "HOUR", False),
        ("2026-02-03T08:00:01Z", "2026-02-03T08:00:00Z", "HOUR", True),
    ],
)
async def test_at_most_800_buckets_and_from_before_to(stage, since, to, granularity, refused):
    text = "query($from: DateTime, $to: DateTime, $g: Granularity) { usage(from: $from, to: $to) { buckets(granularity: $g) { requests } } }"
    asked = stage.ask(text, from_=since, to=to, g=granularity)
    if refused:
        with pytest.raises(errors.BadUserInput):
            await asked
    else:
        assert 1 <= len((await asked)["buckets"]) <= 800


async def test_without_buckets_any_range_may_be_asked(stage):
    await stage.write(datetime.now(UTC))
    text = "query($from: DateTime, $to: DateTime) { usage(from: $from, to: $to) { requests } }"
    told = await stage.ask(text, from_="0001-01-01T00:00:00Z", to="9999-12-31T23:59:59Z")
    assert told["requests"] == 1


async def test_members_who_left_and_keys_without_maker_are_in_no_members_sums(stage):
    await stage.write(datetime.now(UTC))
    await stage.connection.execute("update api_keys set created_by = uuidv7() where id = $1", stage.live)
    told = await stage.ask()
    assert told["byMember"] == []
    assert told["byKey"][0]["requests"] == 1


async def test_a_keys_usage_is_its_own_in_its_own_world(stage):
    now, rows = await varied(stage)
    text = """query($from: DateTime) { apiKeys { nodes { name usage(from: $from) { requests credits
      buckets { requests } byKey { apiKey { name usage { requests } } requests } byField { field calls } byCountry { country requests }
      byMember { requests } anomalies { kind } } } } }"""
    for _ in range(2):
        found = await stage.ask(text, from_=hour_of(now) - 31 * HOUR, now=now)
        by_name = {key["name"]: key["usage"] for key in found["nodes"]}
        assert set(by_name) == {"First live key", "second"}
        for name, key in (("First live key", stage.live), ("second", stage.second)):
            own = [row for row in rows if row["key"] == key]
            told = by_name[name]
            assert told["requests"] == len(own) == sum(bucket["requests"] for bucket in told["buckets"])
            assert told["credits"] == sum(row["credits"] for row in own)
            assert [row["requests"] for row in told["byKey"]] == [len(own)]
            assert [row["requests"] for row in told["byMember"]] == [len(own)]
            assert sum(row["requests"] for row in told["byCountry"]) == len(own)
        await usage.roll_up(stage.database)


async def test_another_accounts_and_the_other_worlds_usage_is_never_told(stage):
    at = datetime.now(UTC) - timedelta(seconds=1)
    await stage.write(
        at, account=stage.other, key=stage.others_key, shape='{"Query.secret": [1, 0]}', country="XX"
    )
    await stage.write(at, key=stage.test, livemode=False, shape='{"Query.test": [1, 0]}', country="YY")
    for _ in range(2):
        told = await stage.ask()
        assert (told["requests"], told["byKey"], told["byField"], told["byCountry"]) == (0, [], [], [])
        tested = await stage.ask(livemode=False)
        assert (tested["requests"], [row["field"] for row in tested["byField"]]) == (1, ["Query.test"])
        assert (await stage.ask(account=stage.other))["byCountry"] == [{"country": "XX", "requests": 1}]
        await usage.roll_up(stage.database)


async def test_rows_written_before_shares_were_told_still_count(stage):
    await stage.write(
        datetime.now(UTC) - 2 * HOUR if datetime.now(UTC).hour > 2 else datetime.now(UTC),
        shape='{"Query.creators": 3}',
    )
    for _ in range(2):
        assert (await stage.ask())["byField"] == [{"field": "Query.creators", "calls": 3, "credits": 0}]
        await usage.roll_up(stage.database)


async def test_a_charge_is_shared_to_the_last_thousandth():
    for charge, counts in (
        (1, {"a": 0, "b": 300, "c": 700}),
        (7, {"a": 1, "b": 1, "c": 1}),
        (2, {"a": 0}),
        (0, {"a": 900}),
    ):
        delivered = Delivered()
        for name, thousandths in counts.items():
            delivered.add(name, 1, thousandths)
        shares = orjson.loads(delivered.shares(charge))
        assert sum(share for _, share in shares.values()) == charge * 1000
        assert all(share >= 0 for _, share in shares.values())
    assert Delivered().shares(1) == "{}"


async def test_a_failing_hour_leaves_the_mark_where_it_was(stage, monkeypatch):
    await stage.partition(datetime.now(UTC) - DAY)
    await stage.write(datetime.now(UTC) - 2 * HOUR)
    monkeypatch.setattr(usage, "ROLL", usage.ROLL.replace("update usage_marks set", "update nowhere set"))
    with pytest.raises(asyncpg.UndefinedTableError):
        await usage.roll_up(stage.database)
    assert not await stage.connection.fetch("select from usage_hourly")
