"""What is done once a day stands in nobody's way, and what fails takes nothing else along."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db import partitions
from server import housekeeping
from services import credits, jobs, usage
from services.cashier import Cashier
from tests.integration.test_credits import live_caller, sql


def day(ahead):
    return f"usage_events_{datetime.now(UTC) + timedelta(days=ahead):%Y_%m_%d}"


async def stands(database, name):
    return (await sql(database, "select to_regclass($1) is not null", name))[0][0]


@pytest.fixture
async def charged(database):
    """Charges one operation: fails where settlement waits for somebody."""
    cashier, caller = Cashier(database), await live_caller(database)

    async def charge():
        return await cashier.settle(credits.Usage(caller, 1))

    await charge()
    yield charge
    await cashier.close()


async def test_reads_are_charged_while_a_clean_up_takes_long(database, charged, monkeypatch):
    await sql(database, f"drop table {day(14)}")
    under_way, over = asyncio.Event(), asyncio.Event()

    async def long(_session, _now):
        under_way.set()
        await over.wait()

    monkeypatch.setattr(housekeeping, "CHORES", {**housekeeping.CHORES, "usage": long})
    task = asyncio.create_task(housekeeping.Chores(database).run())
    await under_way.wait()
    assert await stands(database, day(14))
    assert (await charged()).charged == 1
    over.set()
    await task


async def test_reads_are_charged_while_the_days_ahead_are_made(database, charged):
    await sql(database, f"drop table {day(14)}, {day(13)}")
    async with database.write() as session:
        await partitions.ensure(session, datetime.now(UTC))
        assert (await charged()).charged == 1
    assert await stands(database, day(14))


async def test_nobody_waits_long_behind_a_day_that_waits_for_its_lock(database, charged):
    await sql(database, f"drop table {day(0)}")
    reader = await database.connect()
    async with reader.transaction():  # a long report
        await reader.fetch("select count(*) from usage_events")
        told = await asyncio.gather(housekeeping.Chores(database).run(), charged(), return_exceptions=True)
        assert [type(each) for each in told] == [housekeeping.Unfinished, credits.Settled]
        assert "usage_events" in str(told[0])
    await reader.close()


async def test_a_chore_that_fails_is_tried_again_alone_and_takes_no_other_along(database, monkeypatch):
    await sql(database, f"drop table {day(14)}")
    done, trouble = [], [asyncpg.QueryCanceledError("slow")]

    async def failing(_session, _now):
        done.append("usage")
        if trouble:
            raise trouble.pop()

    async def after(_session, _now):
        done.append("jobs")

    monkeypatch.setattr(housekeeping, "CHORES", {**housekeeping.CHORES, "usage": failing, "jobs": after})
    chores = housekeeping.Chores(database)
    with pytest.raises(housekeeping.Unfinished, match=r"^usage$"):
        await chores.run()
    assert await stands(database, day(14))
    assert done == ["usage", "jobs"]
    await chores.run()
    assert done == ["usage", "jobs", "usage"]
    await chores.run()
    assert done == ["usage", "jobs", "usage", "usage", "jobs"]


async def test_every_chore_works_on_a_new_database(database):
    await housekeeping.Chores(database).run()
    await usage.roll_up(database)
    await housekeeping.Chores(database).run()


async def test_what_failed_is_done_again_soon_and_what_did_not_in_its_time(database):
    turns = []

    async def run():
        turns.append(1)
        if len(turns) == 1:
            raise asyncpg.QueryCanceledError("slow")

    seldom = jobs.Periodic("seldom", timedelta(days=1), run, again=timedelta(seconds=0.01))
    worker, stop = jobs.Worker(database, {}, [seldom]), asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(60):
        while len(turns) < 2:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(turns) == 2
    stop.set()
    await task
