"""A platform's limit holds over all who claim from it, and nothing is sent that was not claimed."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from db.session import open_database, raw
from server import connectors
from server.settings import Settings
from services import budgets
from services.platforms import base, youtube_wire


async def claims(spend, times, *values):
    """How many of so many claims at once were granted."""
    told = await asyncio.gather(*(spend(*values) for _ in range(times)), return_exceptions=True)
    assert all(one is None or isinstance(one, base.BudgetSpent) for one in told), told
    return sum(one is None for one in told)


async def test_two_processes_together_get_no_more_than_the_minute_has(database, address):
    other = await open_database(address)
    first = budgets.Budgets(database).a_minute("TIKTOK", False, 50)
    second = budgets.Budgets(other).a_minute("TIKTOK", False, 50)
    granted = await asyncio.gather(claims(first, 40, "/list/"), claims(second, 40, "/list/"))
    assert sum(granted) == 50
    assert await claims(first, 3, "/info/") == 3  # each endpoint by itself
    await other.close()


async def age(database, seconds):
    async with database.write() as session:
        connection = await session.connection()
        await connection.exec_driver_sql(f"update platform_budgets set slot = slot - {seconds}")


async def test_the_minute_slides(database):
    spend = budgets.Budgets(database).a_minute("TIKTOK", False, 10)
    assert await claims(spend, 6, "/list/") == 6
    await age(database, 30)
    assert await claims(spend, 9, "/list/") == 4
    await age(database, 15)
    assert await claims(spend, 2, "/list/") == 0
    await age(database, 16)
    assert await claims(spend, 9, "/list/") == 6
    await age(database, 100_000)
    assert await claims(spend, 20, "/list/") == 10


async def test_who_is_refused_hears_when_there_is_room(database):
    spend = budgets.Budgets(database).a_minute("TIKTOK", False, 4)
    await claims(spend, 3, "/list/")
    await age(database, 20)
    await claims(spend, 1, "/list/")
    with pytest.raises(base.BudgetSpent) as refusal:
        await spend("/list/")
    wait = refusal.value.retry_at - datetime.now(UTC)
    assert timedelta(seconds=20) < wait < timedelta(seconds=43)


async def test_who_is_waited_for_gets_a_little_patience(database):
    spend = budgets.Budgets(database, patience=3.0).a_minute("TIKTOK", False, 1)
    await spend("/list/")
    await age(database, 59)
    await spend("/list/")


async def test_the_youtube_day_ends_at_midnight_in_california(database):
    spend = budgets.Budgets(database).a_pacific_day("YOUTUBE", True, 5)
    test_world = budgets.Budgets(database).a_pacific_day("YOUTUBE", False, 5)
    assert await claims(spend, 2, 3) == 1
    with pytest.raises(base.BudgetSpent) as refusal:
        await spend(3)
    assert refusal.value.retry_at == youtube_wire.midnight(datetime.now(UTC))
    await spend(2)
    assert await claims(test_world, 6, 1) == 5  # live and test apart
    await age(database, 1)
    assert await claims(spend, 7, 1) == 5


async def test_a_call_does_not_wait_until_its_claim_is_on_disk(database):
    async with database.write() as session:
        connection = await raw(session)
        room = ("TIKTOK", False, "/list/", budgets.MINUTE_SLOTS, 1, 5)
        assert await connection.fetchval(budgets.CLAIM_SECONDS, *room)
        assert await connection.fetchval("show synchronous_commit") == "off"
    async with database.write() as session:
        assert await (await raw(session)).fetchval("show synchronous_commit") == "on"


async def test_workers_leave_a_tenth_to_those_somebody_waits_for(database):
    behind = budgets.Budgets(database, share=0.9).a_pacific_day("YOUTUBE", False, 100)
    ahead = budgets.Budgets(database).a_pacific_day("YOUTUBE", False, 100)
    assert await claims(behind, 95, 1) == 90
    assert await claims(ahead, 20, 1) == 10


async def test_scheduled_syncs_leave_a_reserve_of_the_day_to_those_somebody_waits_for(stage):
    """A new creator is read after the scheduled ones have used up what is theirs."""
    meters = budgets.Budgets(stage.database, 0.9, scheduled=0.7)
    stage.connector_of("YOUTUBE")._spend = meters.a_pacific_day("YOUTUBE", False, 100)
    completed = await stage.connect("sim.single", platform="YOUTUBE")
    async with stage.working():
        await stage.ended(completed.sync_id)
    with budgets.spending(awaited=False):
        assert await claims(stage.connector_of("YOUTUBE")._spend, 90, 1) < 70
        assert await stage.value("select used[1] from platform_budgets") == 70
    requested = await stage.request(completed.creator_id, "SCHEDULED")
    async with stage.working():
        assert (await stage.put_off(requested.sync_id))["error_code"] == "THROTTLED"
        new = await stage.connect("sim.quiet", platform="YOUTUBE")
        assert (await stage.ended(new.sync_id))["status"] == "SUCCEEDED"
    assert await stage.value("select status from syncs where id = $1", requested.sync_id) == "RUNNING"


async def test_without_the_database_nothing_is_sent(address, postgres):
    gone = await open_database(address)
    spend = budgets.Budgets(gone).a_minute("TIKTOK", False, 600)
    name = address.partition("?")[0].rpartition("/")[2]
    admin = await asyncpg.connect(postgres)
    await admin.execute(f"alter database {name} allow_connections false")
    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
    with pytest.raises(base.Transient):
        await spend("/list/")
    await admin.execute(f"alter database {name} allow_connections true")
    await admin.close()
    await spend("/list/")
    async with gone.write() as session:
        await (await raw(session)).execute("drop table platform_budgets")
    with pytest.raises(asyncpg.UndefinedTableError):
        await spend("/list/")  # a defect is told as one, and nothing is sent either
    await gone.close()


async def test_every_call_of_a_resource_is_claimed_and_a_refused_one_is_not_sent(stage):
    asked = []

    async def spend(endpoint):
        asked.append(endpoint)
        if len(asked) > 3:
            raise base.BudgetSpent("budget_spent", "spent", retry_at=datetime.now(UTC))

    completed = await stage.connect("sim.single")
    stage.connector._spend = spend
    held = await stage.held(completed.creator_id)
    stage.fault("user/info", "status_500")
    await stage.connector.profile(held.tokens)
    assert asked == ["/v2/user/info/"] * 2  # its repetition counts
    await stage.connector.videos(held.tokens, None)
    stage.fault("video/list", "status_500")
    with pytest.raises(base.BudgetSpent):
        await stage.connector.videos(held.tokens, None)
    assert len(stage.world.faults.waiting()) == 1
    assert dataclasses.is_dataclass(held)


async def test_the_servers_own_connectors_claim_what_they_send(stage, tmp_path):
    settings = Settings(data_dir=tmp_path, simulator_url=stage.url.removesuffix("/tiktok"))
    built = connectors.build(settings, stage.session, budgets.Budgets(stage.database))
    for platform in ("TIKTOK", "YOUTUBE", "INSTAGRAM"):
        completed = await stage.connect("sim.single", platform=platform)
        held = await stage.held(completed.creator_id)
        await built.connector(platform, False).profile(held.tokens)
        await built.connector(platform, False).videos(held.tokens, None)
    async with stage.database.read() as connection:
        rows = await connection.fetch("select * from platform_budgets")
    told = {(row["platform"], row["livemode"], row["endpoint"]): sum(row["used"]) for row in rows}
    assert told == {
        ("TIKTOK", False, "/v2/user/info/"): 1,
        ("TIKTOK", False, "/v2/video/list/"): 1,
        ("YOUTUBE", False, "units"): 4,
    }


async def others(stage, tmp_path):
    """The connectors of two processes."""
    settings = Settings(data_dir=tmp_path, simulator_url=stage.url.removesuffix("/tiktok"))
    return [connectors.build(settings, stage.session, budgets.Budgets(stage.database)) for _ in range(2)]


@pytest.mark.parametrize(
    ("platform", "endpoint", "more", "least", "closed"),
    [
        ("TIKTOK", "user/info", {"retry_after": "600"}, 590, {"profile"}),
        ("TIKTOK", "user/info", {}, 20, {"profile"}),
        ("YOUTUBE", "youtube/channels", {"retry_after": "600"}, 590, {"profile", "videos"}),
        ("INSTAGRAM", "me", {}, 400, {"profile", "videos"}),  # as its headers say
    ],
)
async def test_what_one_is_told_to_wait_all_of_ours_wait(
    stage, tmp_path, platform, endpoint, more, least, closed
):
    completed = await stage.connect("sim.single", platform=platform)
    tokens = (await stage.held(completed.creator_id)).tokens
    one, other = [built.connector(platform, False) for built in await others(stage, tmp_path)]
    order = stage.instagram_fault if platform == "INSTAGRAM" else stage.fault
    order(endpoint, "status_429", **more)
    with pytest.raises(base.RateLimited):
        await one.profile(tokens)
    for name, call in (
        ("profile", other.profile(tokens)),
        ("videos", other.videos(tokens, None)),
        ("profile", one.profile(tokens)),
    ):
        if name not in closed:
            await call
            continue
        with pytest.raises(base.BudgetSpent) as caught:
            await call
        assert (caught.value.retry_at - datetime.now(UTC)).total_seconds() > least
    await stage.execute("update platform_pauses set until = now()")
    one, _ = [built.connector(platform, False) for built in await others(stage, tmp_path)]
    await one.profile(tokens)


async def test_an_instagram_app_that_is_used_up_stops_for_everybody_and_an_account_only_for_itself(
    stage, tmp_path
):
    completed = await stage.connect("sim.single", platform="INSTAGRAM")
    tokens = (await stage.held(completed.creator_id)).tokens
    one, other = [built.connector("INSTAGRAM", False) for built in await others(stage, tmp_path)]
    knobs = stage.instagram.knobs
    knobs.account_calls = 1
    stage.instagram.meter._calls.clear()
    await one.profile(tokens)  # the account's last call
    with pytest.raises(base.RateLimited) as caught:
        await other.profile(tokens)
    assert not isinstance(caught.value, base.BudgetSpent)
    assert await stage.value("select count(*) from platform_pauses") == 0
    knobs.account_calls, knobs.app_calls = 100_000, 1
    stage.instagram.meter._calls.clear()
    await one.profile(tokens)
    other = (await others(stage, tmp_path))[0].connector("INSTAGRAM", False)
    with pytest.raises(base.BudgetSpent):
        await other.profile(tokens)
