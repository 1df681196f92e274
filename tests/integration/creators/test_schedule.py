"""Who is read when, how far back, and who goes first."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from db.session import raw
from services import cadence, jobs, lookback, schedule, sync, waits
from services.platforms import base
from simulators import people

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MANY = next(one for one in people.CREATORS if one.videos == 750 and not one.every)

PLENTY = """
with account as (
  insert into accounts (name, plan) values ($1, $3) returning id
), made as (
  insert into creators (account_id, livemode, platform, external_id, username, next_sync_at)
  select id, true, $4, 'x' || n, 'x' || n, now() - n * interval '1 second' from account, generate_series(1, $2) n
  returning account_id, id
)
insert into grants (account_id, creator_id, livemode, scopes, access_token)
select account_id, id, true, '{}', '' from made
"""


async def plenty(stage, name, count, plan="sandbox", platform="TIKTOK"):
    await stage.execute(PLENTY, name, count, plan, platform)


async def plan(stage):
    async with stage.database.write() as session:
        return await schedule.plan(session)


async def turns(stage):
    """Accounts in the order in which their syncs stand in the queue."""
    async with stage.database.read() as connection:
        rows = await connection.fetch(
            f"select a.name from {jobs.TABLE} q join syncs s on q.dedupe_key = s.id || ':0'"
            " join accounts a on a.id = s.account_id order by q.id"
        )
    return [row["name"] for row in rows]


# -- the planner


async def test_accounts_take_turns_however_large_one_is(stage, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_A_TURN", 8)
    await plenty(stage, "large", 100)
    await plenty(stage, "small", 2)
    await plenty(stage, "middle", 3)
    assert await plan(stage) == 8
    order = await turns(stage)
    assert set(order[:3]) == {"large", "small", "middle"}
    assert sorted(order) == ["large"] * 3 + ["middle"] * 3 + ["small"] * 2


async def test_the_queue_is_kept_short_and_filled_again(stage, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_OPEN", 10)
    await plenty(stage, "large", 25)
    await plenty(stage, "tube", 4, platform="YOUTUBE")
    assert [await plan(stage) for _ in range(2)] == [14, 0]
    await stage.execute("update syncs set status = 'FAILED'")
    assert [await plan(stage) for _ in range(2)] == [10, 0]
    await stage.execute("update syncs set status = 'FAILED'")
    assert await plan(stage) == 5
    assert await stage.value("select count(*) from syncs") == 29
    assert await stage.value("select count(distinct creator_id) from syncs") == 29


async def test_syncs_that_wait_for_one_platform_do_not_hold_up_another(stage, monkeypatch):
    monkeypatch.setattr(schedule, "MOST_OPEN", 5)
    await plenty(stage, "large", 50, platform="YOUTUBE")
    assert await plan(stage) == 5
    await stage.execute("update syncs set status = 'RUNNING', error_code = 'THROTTLED'")
    await plenty(stage, "other", 3)
    assert await plan(stage) == 3


async def test_planners_at_once_open_one_sync_a_creator(stage):
    await plenty(stage, "large", 40)
    begun = await asyncio.gather(*(plan(stage) for _ in range(4)))
    assert sum(begun) == 40
    assert await stage.value("select count(distinct creator_id) = count(*) from syncs")


async def test_who_is_not_due_canceled_or_open_is_left(stage):
    await plenty(stage, "gone", 3)
    await stage.execute("update accounts set canceled_at = now() where name = 'gone'")
    completed = await stage.connect("sim.single")
    assert await plan(stage) == 0
    await stage.execute("update creators set next_sync_at = now() where id = $1", completed.creator_id)
    assert await plan(stage) == 0  # its first sync is open
    assert await stage.value("select count(*) from syncs") == 1


# -- when next


async def next_in(stage, creator_id):
    """Hours until the next sync, as the rule has it just now."""
    whose = stage.whose(creator_id)
    async with stage.database.write() as session:
        await cadence.set_next(await raw(session), whose)
    return await stage.value(
        "select extract(epoch from next_sync_at - now())::float8 / 3600 from creators where id = $1",
        creator_id,
    )


async def test_the_plan_and_how_often_one_posts_say_when_the_next_sync_is(stage):
    async with stage.working():
        completed = await stage.connect("sim.twenty")
        await stage.ended(completed.sync_id)
    creator_id = completed.creator_id
    newest = "update videos set published_at = published_at + ($1::timestamptz - (select max(published_at) from videos))"
    for age, hours in ((1, 24), (20, 48), (200, 96)):
        await stage.execute(newest, datetime.now(UTC) - age * DAY)
        assert hours * 0.89 < await next_in(stage, creator_id) < hours * 1.11
    await stage.execute("update accounts set plan = 'ultra'")
    assert 24 * 0.89 < await next_in(stage, creator_id) < 24 * 1.11
    await stage.execute("update plans set sync_hours = 400")
    assert 168 * 0.89 < await next_in(stage, creator_id) < 168 * 1.11
    await stage.execute("update grants set status = 'NEEDS_REAUTH'")
    assert await next_in(stage, creator_id) is None


# -- how far back


def test_new_videos_are_read_each_time_old_ones_daily_and_all_weekly():
    def asked(trigger="SCHEDULED", deep=timedelta(0), whole=timedelta(0)):
        return lookback.back_to(trigger, NOW - deep, NOW - whole, NOW)

    assert asked() == NOW - 7 * DAY
    assert asked(deep=DAY) == NOW - 90 * DAY
    assert asked(deep=0.8 * DAY) == NOW - 7 * DAY
    assert asked(whole=7 * DAY) is None
    assert asked(trigger="MANUAL") is None
    assert lookback.back_to("SCHEDULED", None, None, NOW) is None
    assert not lookback.is_deep(NOW - 7 * DAY, NOW)
    assert lookback.is_deep(NOW - 90 * DAY, NOW)


def test_one_old_video_among_new_ones_does_not_end_the_walk():
    def videos(*days):
        return [base.VideoRecord(str(n), "VIDEO", NOW - n * DAY) for n in days]

    week = NOW - 7 * DAY
    assert not lookback.is_behind(videos(1, 2, 400), week)
    assert not lookback.is_behind(videos(400, 2), week)
    assert not lookback.is_behind(videos(), week)
    assert not lookback.is_behind(videos(400), None)
    assert lookback.is_behind(videos(8, 400, 9), week)


async def scheduled(stage, creator_id):
    return await stage.synced(creator_id, "SCHEDULED")


async def test_a_scheduled_sync_stops_where_it_has_been_and_marks_nothing_gone(stage, monkeypatch):
    asked, real = [], stage.connector.videos
    since = datetime.now(UTC) - datetime.fromtimestamp(people.EPOCH, UTC)  # they have posted nothing since
    for name in ("RECENT", "DEEP"):
        monkeypatch.setattr(lookback, name, getattr(lookback, name) + since)

    async def videos(tokens, cursor):
        asked.append(cursor)
        return await real(tokens, cursor)

    monkeypatch.setattr(stage.connector, "videos", videos)
    async with stage.working():
        completed = await stage.connect(MANY.username)
        first = await stage.ended(completed.sync_id)
        creator_id, pages = completed.creator_id, len(asked)
        assert (first["back_to"], first["videos_seen"]) == (None, MANY.videos)
        oldest = await stage.value("select external_id from videos order by published_at limit 1")
        stage.world.knobs.hidden_videos.add(oldest)
        await stage.execute("update videos set views = 1 where external_id = $1", oldest)

        asked.clear()
        recent = await scheduled(stage, creator_id)
        assert (recent["status"], recent["error_code"]) == ("SUCCEEDED", None)
        assert 1 <= len(asked) <= 2 < pages  # the one behind says so
        assert recent["videos_seen"] < MANY.videos
        assert await stage.value("select count(*) from videos where gone_at is not null") == 0

        await stage.execute("update creators set read_deep_at = now() - interval '1 day'")
        asked.clear()
        deep = await scheduled(stage, creator_id)
        assert recent["videos_seen"] < deep["videos_seen"] < MANY.videos
        assert len(asked) < pages
        assert await stage.value("select read_deep_at > now() - interval '1 minute' from creators")
        assert await stage.value("select count(*) from videos where gone_at is not null") == 0

        await stage.execute("update creators set read_whole_at = now() - interval '7 days'")
        whole = await scheduled(stage, creator_id)
        assert (whole["back_to"], whole["videos_seen"]) == (None, MANY.videos - 1)
        assert await stage.value("select external_id from videos where gone_at is not null") == oldest
        assert await stage.value("select read_whole_at > now() - interval '1 minute' from creators")


async def test_a_walk_that_failed_is_made_up_for_in_the_next_sync(stage):
    async with stage.working():
        completed = await stage.connect("sim.burst")
        await stage.ended(completed.sync_id)
        await stage.execute("update creators set read_whole_at = now() - interval '7 days'")
        stage.fault("video/list", "huge")
        assert (await scheduled(stage, completed.creator_id))["status"] == "FAILED"
        row = await scheduled(stage, completed.creator_id)
        assert (row["status"], row["videos_seen"]) == ("SUCCEEDED", 300)


# -- who goes first


async def test_what_somebody_waits_for_goes_before_what_nobody_does(stage):
    ran = []
    await plenty(stage, "large", 30)
    await plan(stage)
    completed = await stage.connect("sim.burst")
    stop, begun, begun_again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(payload):
        ran.append(payload["sync_id"])
        if payload["sync_id"] != str(completed.sync_id):
            with contextlib.suppress(TimeoutError):  # were it behind the others, it could not begin
                async with asyncio.timeout(5):
                    await (begun_again if begun.is_set() else begun).wait()
            return None
        if begun.is_set():
            begun_again.set()
        again = await sync.run_slice(stage.database, stage.vault, stage.platforms, payload)
        begun.set()
        return again

    worker = jobs.Worker(stage.database, {jobs.SYNC_SLICE: handler}, concurrency=2)
    task = asyncio.create_task(worker.run(stop))
    await stage.ended(completed.sync_id)
    await stage.until(f"select 1 where not exists (select from {jobs.TABLE})")
    stop.set()
    await task
    mine = [place for place, one in enumerate(ran) if one == str(completed.sync_id)]
    assert (len(ran), len(mine)) == (32, 2)  # its second slice keeps its place
    assert max(mine) <= 3


async def test_who_asks_for_a_scheduled_sync_moves_it_forward(stage):
    async with stage.working():
        completed = await stage.connect("sim.single")
        await stage.ended(completed.sync_id)
    await stage.execute("update creators set next_sync_at = now()")
    assert await plan(stage) == 1
    assert await stage.value(f"select priority from {jobs.TABLE}") == jobs.LATER
    assert (await stage.request(completed.creator_id)).joined
    assert await stage.value(f"select priority from {jobs.TABLE}") == jobs.SOON


async def test_who_asks_while_a_scheduled_sync_is_read_gets_it_first_and_whole(stage, monkeypatch):
    monkeypatch.setattr(sync, "PAGES_A_SLICE", 1)
    real = stage.connector.videos
    async with stage.working():
        completed = await stage.connect("sim.burst")
        await stage.ended(completed.sync_id)
    await stage.execute("update creators set next_sync_at = now(), read_whole_at = now() - interval '1 day'")
    assert await plan(stage) == 1
    sync_id = await stage.value("select id from syncs where trigger = 'SCHEDULED'")

    async def videos(tokens, cursor):
        if cursor is None:
            assert await stage.value("select back_to is not null from syncs where id = $1", sync_id)
            assert (await stage.request(completed.creator_id)).joined
        return await real(tokens, cursor)

    monkeypatch.setattr(stage.connector, "videos", videos)
    payload = sync.job(stage.account, False, sync_id, 0)[0]
    assert await sync.run_slice(stage.database, stage.vault, stage.platforms, payload) is None
    following = f"{sync_id}:1"
    assert (
        await stage.value(f"select priority from {jobs.TABLE} where dedupe_key = $1", following) == jobs.SOON
    )
    async with stage.working():
        row = await stage.ended(sync_id)
    assert (row["status"], row["back_to"]) == ("SUCCEEDED", None)
    assert row["videos_seen"] == row["videos_expected"] == 300
    assert await stage.value("select read_whole_at > now() - interval '1 hour' from creators")


# -- waiting


def waiter(queued_at):
    return type("Run", (), {"queued_at": queued_at, "failures": 0, "waited": None})


def test_waits_are_spread_the_more_the_longer_they_are(monkeypatch):
    monkeypatch.setattr(waits, "SPREAD_FIRST", 0.5)
    run = waiter(datetime.now(UTC))
    for wait, spread in ((1, 2), (600, 62), (40_000, 3_602)):
        at = datetime.now(UTC) + timedelta(seconds=wait)
        told = [
            waits.until_again(base.RateLimited("x", "", retry_at=at), run).total_seconds() for _ in range(200)
        ]
        assert wait <= min(told)
        assert max(told) <= wait + spread
        assert max(told) - min(told) > spread / 2 * 0.7


@pytest.mark.parametrize(
    ("failure", "days", "again"),
    [
        (base.BudgetSpent("budget_spent", "", retry_at=datetime.now(UTC)), 400, True),
        (base.RateLimited("quotaExceeded", "", retry_at=datetime.now(UTC)), 3, True),
        (base.RateLimited("quotaExceeded", "", retry_at=datetime.now(UTC)), 8, False),
        (base.RateLimited("rate_limit_exceeded", ""), 2, False),
        (base.Transient("away", ""), 2, False),
    ],
)
def test_a_sync_that_only_waits_for_its_turn_is_not_given_up(failure, days, again):
    run = waiter(datetime.now(UTC) - days * DAY)
    assert (waits.until_again(failure, run) is not None) is again


async def test_a_spent_budget_puts_a_sync_off_without_counting_as_a_failure(stage, monkeypatch):
    async def spend(endpoint):
        raise base.BudgetSpent("budget_spent", "spent", retry_at=datetime.now(UTC) + timedelta(hours=2))

    completed = await stage.connect("sim.single")
    monkeypatch.setattr(stage.connector, "_spend", spend)
    async with stage.working():
        row = await stage.put_off(completed.sync_id)
    assert (row["status"], row["error_code"], row["failures"]) == ("RUNNING", "THROTTLED", 0)
    assert row["error_retry_at"] > datetime.now(UTC) + timedelta(hours=1)


# -- housekeeping


async def test_old_syncs_and_counted_refusals_are_forgotten(stage):
    async with stage.working():
        completed = await stage.connect("sim.single")
        await stage.ended(completed.sync_id)
        await stage.execute("update syncs set queued_at = now() - interval '91 days'")
        await stage.synced(completed.creator_id)
    assert await stage.value("select count(*) from syncs") == 1
