"""History grows coarser with age, and loses nothing that its age allows to be asked for."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db import partitions
from db.session import raw
from services import thinning

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
READINGS = """
insert into {table} (account_id, creator_id, {more} at, livemode, views)
select ('00000000-0000-0000-0000-00000000000' || (s % 2))::uuid, ('00000000-0000-0000-0000-0000000000' || (10 + s))::uuid, {value}
       at, true, (extract(epoch from at) / 3600)::int8 + s
from generate_series(1, 5) s, generate_series($1::timestamptz, $2::timestamptz, make_interval(hours => 3 + $3)) at
"""
LAST = """
select array_agg(r) from (
  select distinct on (account_id, creator_id, date_trunc('{unit}', at, 'UTC')) account_id, creator_id, at, views
  from {table} where at < $1 order by account_id, creator_id, date_trunc('{unit}', at, 'UTC'), at desc) r
"""


@pytest.fixture
async def written(database, monkeypatch):
    """Two years of readings every few hours: five creators, and a video of each."""
    async with database.write() as session:
        with monkeypatch.context() as patch:  # no days of usage along with each
            patch.setattr(partitions, "SERIES", [one for one in partitions.SERIES if one.every == "month"])
            for back in range(26):
                await partitions.ensure(session, NOW - timedelta(days=30 * back))
        connection = await raw(session)
        for table, more, value in (
            ("creator_stats", "", ""),
            ("video_stats", "video_id,", "gen_random_uuid(),"),
        ):
            begun = NOW - timedelta(days=730)
            statement = READINGS.format(table=table, more=more, value=value)
            if table == "video_stats":
                statement = statement.replace(
                    "gen_random_uuid()", "('00000000-0000-0000-0000-0000000001' || (10 + s))::uuid"
                )
            await connection.execute(statement, begun, NOW, 0 if table == "creator_stats" else 4)
    return database


async def last(database, table, unit, until=NOW + timedelta(hours=1)):
    """Each step's last reading, as a history by that step tells it."""
    async with database.read() as connection:
        return await connection.fetchval(LAST.format(table=table, unit=unit), until)


async def counts(database, table):
    """Most readings a creator has in a day older than 121 days, in a week older than 431; and how many since 90 days."""
    async with database.read() as connection:
        return await connection.fetchrow(
            f"""select
              (select max(n) from (select count(*) n from {table} where at < $1::timestamptz - interval '121 days'
                 group by creator_id, date_trunc('day', at, 'UTC')) d),
              (select max(n) from (select count(*) n from {table} where at < $1::timestamptz - interval '431 days'
                 group by creator_id, date_trunc('week', at, 'UTC'), date_trunc('month', at, 'UTC')) w),
              (select count(*) from {table} where at >= $1::timestamptz - interval '90 days')""",
            NOW,
        )


@pytest.mark.parametrize("table", ["creator_stats", "video_stats"])
async def test_old_history_keeps_the_last_reading_of_each_day_then_week_and_is_thinned_once(
    written, table, monkeypatch
):
    monkeypatch.setattr(thinning, "REST_SECONDS", 0)
    monkeypatch.setattr(thinning, "ROWS", 700)  # many batches, series cut in their middle
    monkeypatch.setattr(thinning, "MOST_A_TURN", 10_000)
    before = {unit: await last(written, table, unit) for unit in ("day", "week")}
    young = (await counts(written, table))[2]
    assert await thinning.thin(written, NOW) > 10_000
    assert tuple(await counts(written, table)) == (1, 1, young)
    after = await last(written, table, "day")
    assert set(after) <= set(before["day"])
    young = NOW - timedelta(days=400)
    assert [row for row in after if row[2] >= young] == [row for row in before["day"] if row[2] >= young]
    assert set(before["week"]) <= set(after)  # the newest of every series among them
    assert await thinning.thin(written, NOW) == 0
    assert await last(written, table, "day") == after


async def test_workers_that_thin_at_once_and_die_between_batches_end_where_one_would(written, monkeypatch):
    monkeypatch.setattr(thinning, "REST_SECONDS", 0)
    monkeypatch.setattr(thinning, "ROWS", 500)
    monkeypatch.setattr(thinning, "MOST_A_TURN", 12)  # a turn ends in the middle of a month
    before = await last(written, "creator_stats", "week")
    for _ in range(100):
        if not any(await asyncio.gather(thinning.thin(written, NOW), thinning.thin(written, NOW))):
            async with written.read() as connection:
                if not await connection.fetchval("select count(*) from thinnings where done_at is null"):
                    break
    assert tuple(await counts(written, "creator_stats"))[:2] == (1, 1)
    assert set(before) <= set(await last(written, "creator_stats", "day"))


async def test_what_becomes_old_later_is_thinned_further(written, monkeypatch):
    monkeypatch.setattr(thinning, "REST_SECONDS", 0)
    monkeypatch.setattr(thinning, "MOST_A_TURN", 10_000)
    await thinning.thin(written, NOW)
    weeks = await last(written, "creator_stats", "week")
    assert await thinning.thin(written, NOW + timedelta(days=365)) > 1_000
    assert set(weeks) <= set(await last(written, "creator_stats", "day"))
