"""Reading: whole, exact, fenced, and honest about what it could not read."""

import asyncio
import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from db.session import raw
from services import errors, events, grants, jobs, schedule, sync, sync_store, waits
from services.platforms import base, tiktok
from simulators import people

WALKER = next(one.username for one in people.CREATORS if one.videos == 101 and not one.every)  # six pages


async def connected(stage, creator, **more):
    """A creator whose first sync has ended well; a worker must run."""
    completed = await stage.connect(creator, **more)
    assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
    return completed.creator_id


@pytest.mark.parametrize(
    "creator", ["sim.quiet", "sim.twenty", "sim.strange", "sim.sparse", "sim.viral", "sim.daily"]
)
async def test_creators_that_programs_break_on_are_read_whole(stage, creator):
    async with stage.working():
        await connected(stage, creator)
    assert await stage.value("select count(*) from videos") == stage.videos_of(creator)


async def test_a_creator_with_5000_videos_is_read_whole_in_slices(stage):
    async with stage.working():
        await connected(stage, "sim.prolific")
        row = await stage.one("select * from syncs")
        assert row["videos_seen"] == row["videos_added"] == row["videos_expected"] == 5_000
        assert await stage.value("select count(distinct external_id) from videos") == 5_000
        assert row["slice"] > 20
    assert await stage.value("select count(*) from videos") == 5_000


async def test_a_creator_with_more_pages_than_most_have_is_read_whole(stage, monkeypatch):
    monkeypatch.setattr(sync, "MOST_PAGES", 3)
    async with stage.working():
        await connected(stage, "sim.burst")
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.burst") == 300
    assert await stage.value("select read_whole_at is not null from creators")


@pytest.mark.parametrize("count", [5, None])
async def test_pages_that_do_not_end_end_the_sync(stage, monkeypatch, count):
    monkeypatch.setattr(sync, "MOST_PAGES", 3)
    monkeypatch.setattr(sync, "MOST_PAGES_UNCOUNTED", 6)
    profile, videos = stage.connector.profile, stage.connector.videos

    async def told(tokens):
        return replace(await profile(tokens), video_count=count)

    async def again(tokens, cursor):
        page = await videos(tokens, None)
        return replace(page, cursor={"before": 1 + (cursor or {"before": 0})["before"]})

    monkeypatch.setattr(stage.connector, "profile", told)
    monkeypatch.setattr(stage.connector, "videos", again)
    completed = await stage.connect("sim.twenty")
    async with stage.working():
        row = await stage.ended(completed.sync_id)
    assert (row["status"], row["error_code"], row["videos_seen"]) == ("PARTIAL", "ENDLESS", 20)


async def test_a_second_request_joins_the_open_sync(stage, queued):
    completed = await stage.connect("sim.single")
    answers = await asyncio.gather(*(stage.request(completed.creator_id) for _ in range(10)))
    assert {answer.sync_id for answer in answers} == {completed.sync_id}
    assert all(answer.joined for answer in answers)
    assert await queued() == 1
    async with stage.working():
        await stage.ended(completed.sync_id)
    answers = await asyncio.gather(*(stage.request(completed.creator_id) for _ in range(10)))
    assert sum(not answer.joined for answer in answers) == 1
    assert len({answer.sync_id for answer in answers}) == 1


async def test_a_sync_of_nobody_is_not_found(stage):
    completed = await stage.connect("sim.single")
    for account, livemode, creator in (
        (stage.account, False, completed.sync_id),
        (stage.account, True, completed.creator_id),
        (completed.sync_id, False, completed.creator_id),
    ):
        with pytest.raises(errors.NotFound):
            async with stage.database.write() as session:
                await sync.request(session, account, livemode, creator, "MANUAL")


async def test_a_request_that_is_rolled_back_leaves_no_job(stage, queued):
    async with stage.working():
        creator_id = await connected(stage, "sim.single")
    with pytest.raises(RuntimeError):
        async with stage.database.write() as session:
            await sync.request(session, stage.account, False, creator_id, "MANUAL")
            raise RuntimeError
    assert await queued() == 0
    assert await stage.value("select count(*) from syncs") == 1


async def test_updates_are_counted_exactly_and_history_grows_only_where_numbers_moved(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.twenty")
        await stage.execute(
            "update videos set views = views - 1 where external_id in (select external_id from videos limit 3)"
        )
        await stage.execute(
            "update videos set title = 'old' where external_id in (select max(external_id) from videos)"
        )
        await stage.execute("update video_stats set at = at - interval '2 hours'")
        before = await stage.value("select count(*) from videos where views is not null")
        row = await stage.synced(creator_id)
    assert (row["status"], row["videos_added"]) == ("SUCCEEDED", 0)
    moved = await stage.value("select count(*) from video_stats where at > now() - interval '2 hours'")
    assert moved >= 3
    assert before == await stage.value("select count(*) from videos where views is not null")
    assert row["videos_updated"] >= moved
    assert await stage.value("select count(*) from videos where title = 'old'") == 0


async def test_only_a_whole_clean_walk_marks_videos_gone_and_they_come_back(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.twenty")
        hidden = await stage.value("select external_id from videos order by published_at limit 1")
        stage.world.knobs.hidden_videos.add(hidden)
        stage.fault("video/list", "huge")
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == ("FAILED", "PLATFORM_ERROR")
        assert await stage.value("select count(*) from videos where gone_at is not null") == 0
        assert (await stage.synced(creator_id))["status"] == "SUCCEEDED"
        assert await stage.value("select external_id from videos where gone_at is not null") == hidden
        stage.world.knobs.hidden_videos.clear()
        row = await stage.synced(creator_id)
        assert (row["videos_added"], row["videos_updated"] >= 1) == (0, True)
        assert await stage.value("select count(*) from videos where gone_at is not null") == 0


class Skipping:
    """A connector that cannot read one item of its first page."""

    def __init__(self, real):
        self._real = real

    def __getattr__(self, name):
        return getattr(self._real, name)

    async def videos(self, tokens, cursor):
        page = await self._real.videos(tokens, cursor)
        return base.Page(page.videos[1:], page.cursor, skipped=1) if cursor is None else page


async def test_a_walk_that_skipped_items_is_partial_and_marks_nothing_gone(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.burst")
        stage.platforms.connectors[("TIKTOK", False)] = Skipping(stage.connector)
        row = await stage.synced(creator_id)
    assert (row["status"], row["error_code"]) == ("PARTIAL", "SKIPPED")
    assert await stage.value("select count(*) from videos where gone_at is not null") == 0


@pytest.mark.parametrize(
    ("endpoint", "kind", "more", "status", "code"),
    [
        ("user/info", "status_429", {}, "SUCCEEDED", None),
        ("user/info", "status_500", {"times": 5}, "SUCCEEDED", None),
        ("user/info", "drop", {"times": 3}, "SUCCEEDED", None),
        ("user/info", "half_json", {"times": 3}, "SUCCEEDED", None),
        ("user/info", "huge", {}, "FAILED", "PLATFORM_ERROR"),
        ("user/info", "bad_token", {}, "SUCCEEDED", None),
        ("user/info", "bad_token", {"times": 2}, "FAILED", "RECONNECT_REQUIRED"),
        ("video/list", "status_429", {"times": 3}, "SUCCEEDED", None),
        ("video/list", "status_500", {"times": 5}, "SUCCEEDED", None),
        ("video/list", "status_500", {"times": 100}, "FAILED", "AWAY"),
        ("video/list", "huge", {}, "FAILED", "PLATFORM_ERROR"),
        ("video/list", "bad_token", {}, "SUCCEEDED", None),
        ("video/list", "bad_token", {"times": 2}, "FAILED", "RECONNECT_REQUIRED"),
        ("video/list", "page_loop", {"times": 2}, "PARTIAL", "PLATFORM_ERROR"),
    ],
)
async def test_each_fault_ends_as_it_should(stage, endpoint, kind, more, status, code):
    completed = await stage.connect(WALKER)
    stage.fault(endpoint, kind, **more)
    async with stage.working():
        row = await stage.ended(completed.sync_id)
    assert (row["status"], row["error_code"]) == (status, code)
    count = await stage.value("select count(*) from videos where gone_at is null")
    assert count == row["videos_seen"]
    if status == "SUCCEEDED":
        assert count == stage.videos_of(WALKER) == 101
        assert (row["error_message"], row["error_retry_at"]) == (None, None)
    grant = "NEEDS_REAUTH" if code == "RECONNECT_REQUIRED" else "ACTIVE"
    assert await stage.value("select status from grants") == grant


async def test_a_throttled_sync_says_when_it_goes_on(stage, monkeypatch):
    monkeypatch.setattr(waits, "THROTTLED_FIRST", 30.0)
    completed = await stage.connect("sim.twenty")
    stage.fault("user/info", "status_429")
    async with stage.working():
        async with asyncio.timeout(60):
            while not (row := await stage.one("select * from syncs"))["error_retry_at"]:
                await asyncio.sleep(0.05)
        wait = row["error_retry_at"] - datetime.now(UTC)
        assert timedelta(seconds=15) < wait < timedelta(seconds=65)
        assert (row["status"], row["error_code"], row["failures"]) == ("RUNNING", "THROTTLED", 0)
        await stage.until(f"select 1 from {jobs.TABLE} where execute_after > now() + interval '10 s'")
    assert row["id"] == completed.sync_id


async def test_who_is_throttled_again_and_again_without_a_time_waits_ever_longer_until_a_page_came(
    stage, monkeypatch
):
    monkeypatch.setattr(waits, "THROTTLED_FIRST", 60.0)
    monkeypatch.setattr(waits.random, "uniform", lambda _least, most: most)
    completed = await stage.connect("sim.burst")
    payload = sync.job(stage.account, False, completed.sync_id, 0)[0]
    told = []
    stage.fault("user/info", "status_429", times=5)
    while stage.world.faults.waiting():
        wait = await sync.run_slice(stage.database, stage.vault, stage.platforms, payload)
        told.append(round(wait.total_seconds()))
        await stage.execute(
            "update syncs set touched_at = touched_at - $1::interval, error_retry_at = error_retry_at - $1::interval",
            wait + timedelta(seconds=1),
        )
    assert told == [120, 360, 1_080, 1_800, 1_800]
    assert await sync.run_slice(stage.database, stage.vault, stage.platforms, payload) is None
    stage.fault("video/list", "status_429")
    payload = {**payload, "slice": 1}
    wait = await sync.run_slice(stage.database, stage.vault, stage.platforms, payload)
    assert round(wait.total_seconds()) == 120


@pytest.mark.parametrize("kind", ["status_429", "status_500"])
@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("platform", ["TIKTOK", "INSTAGRAM", "YOUTUBE"])
async def test_nobody_calls_before_the_time_the_platform_names(stage, queued, platform, kind, form):
    completed = await stage.connect("sim.twenty", platform=platform)
    endpoint = {"TIKTOK": "user/info", "INSTAGRAM": "me", "YOUTUBE": "youtube/channels"}[platform]
    order = stage.instagram_fault if platform == "INSTAGRAM" else stage.fault
    in_an_hour = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    order(endpoint, kind, retry_after="3600" if form == "seconds" else in_an_hour)
    payload = sync.job(stage.account, False, completed.sync_id, 0)[0]
    arguments = (stage.database, stage.vault, stage.platforms, payload)
    wait = await sync.run_slice(*arguments)
    assert timedelta(minutes=58) < wait < timedelta(minutes=67)
    # Its worker is killed before the engine knows how long to wait: whoever takes the job next asks nobody.
    fence = await stage.value("select fence from syncs")
    assert timedelta(minutes=58) < await sync.run_slice(*arguments) < timedelta(minutes=67)
    assert await stage.value("select fence from syncs") == fence
    # Its job is lost: none is made before the time is over.
    await stage.execute(f"delete from {jobs.TABLE}")
    await stage.execute("update syncs set touched_at = now() - interval '2 minutes'")
    async with stage.database.write() as session:
        assert await schedule.sweep(session) == 0
    await stage.execute("update syncs set error_retry_at = now()")
    async with stage.working():
        async with stage.database.write() as session:
            assert await schedule.sweep(session) == 1
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"


async def test_a_creator_who_left_at_the_platform_needs_to_connect_again(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.single")
        stage.world.state.revoke("ck", "sim.single")
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == ("FAILED", "RECONNECT_REQUIRED")
        assert await stage.value("select status from grants") == "NEEDS_REAUTH"
        assert (await stage.connect("sim.single")).creator_id == creator_id
        assert (await stage.synced(creator_id))["status"] == "SUCCEEDED"


async def take(stage, sync_id):
    async with stage.database.write() as session:
        return await sync_store.take(
            await raw(session),
            stage.vault,
            account_id=stage.account,
            livemode=False,
            sync_id=sync_id,
            number=0,
        )


async def test_an_older_taker_writes_nothing(stage):
    completed = await stage.connect("sim.single")
    old, new = await take(stage, completed.sync_id), await take(stage, completed.sync_id)
    async with stage.database.write() as session:
        await sync_store.hold(await raw(session), new, 0)
    with pytest.raises(sync_store.Superseded):
        async with stage.database.write() as session:
            await sync_store.hold(await raw(session), old, 0)


async def test_a_tombstone_stops_a_slice(stage):
    completed = await stage.connect("sim.single")
    run = await take(stage, completed.sync_id)
    await stage.execute("insert into tombstones values ($1, false, $2)", stage.account, run.digests[0])
    with pytest.raises(sync_store.Superseded):
        async with stage.database.write() as session:
            await sync_store.hold(await raw(session), run, 0)


async def test_a_job_of_a_slice_that_is_over_does_nothing(stage):
    completed = await stage.connect("sim.burst")
    payload, _ = sync.job(stage.account, False, completed.sync_id, 0)
    arguments = (stage.database, stage.vault, stage.platforms, payload)
    assert await sync.run_slice(*arguments) is None
    row = await stage.one("select * from syncs")
    assert (row["slice"], row["status"]) == (1, "RUNNING")
    assert await sync.run_slice(*arguments) is None
    assert dict(await stage.one("select * from syncs")) == dict(row)


async def test_a_sync_that_never_gets_on_ends(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    for _ in range(sync.MOST_FAILURES):
        assert (await take(stage, completed.sync_id)) is not None
    payload, _ = sync.job(stage.account, False, completed.sync_id, 0)
    assert await sync.run_slice(stage.database, stage.vault, stage.platforms, payload) is None
    row = await stage.one("select * from syncs")
    assert (row["status"], row["error_code"]) == ("FAILED", "INTERNAL")


async def test_a_slice_that_a_busy_database_turns_away_comes_again_by_itself(stage, monkeypatch):
    monkeypatch.setattr(sync, "DATABASE_WAIT", 0.1)
    real, refused = sync_store.write_page, []

    async def write_page(*arguments):
        if len(refused) < 3:
            refused.append(arguments)
            raise TimeoutError
        await real(*arguments)

    monkeypatch.setattr(sync_store, "write_page", write_page)
    async with stage.working():
        await connected(stage, "sim.burst")
    assert len(refused) == 3
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.burst")
    assert await stage.value(f"select count(*) from {jobs.TABLE}") == 0  # none is held as broken


async def test_a_page_that_a_crash_took_back_is_not_walked_past(stage, monkeypatch):
    """Its taker lives on, on a new connection; what it wrote last is gone with the end of PostgreSQL's log."""
    real, cursors = sync_store.write_page, []

    async def write_page(connection, run, videos, saved):
        await real(connection, run, videos, saved)
        cursors.append(saved)
        if len(cursors) == 3:
            lost = json.dumps(cursors[1])
            monkeypatch.setattr(sync_store, "write_page", real)
            await connection.execute("update syncs set cursor = cast($1::text as jsonb)", lost)
            await connection.execute(
                "delete from videos where external_id = any($1)", [one.external_id for one in videos]
            )

    monkeypatch.setattr(sync_store, "write_page", write_page)
    completed = await stage.connect(WALKER)
    payload = sync.job(stage.account, False, completed.sync_id, 0)[0]
    assert await sync.run_slice(stage.database, stage.vault, stage.platforms, payload) is None
    assert await stage.value("select status from syncs") == "RUNNING"
    assert 0 < await stage.value("select count(*) from videos") < stage.videos_of(WALKER)
    assert await sync.run_slice(stage.database, stage.vault, stage.platforms, payload) is None
    assert await stage.value("select status from syncs") == "SUCCEEDED"
    assert await stage.value("select count(*) from videos where gone_at is null") == stage.videos_of(WALKER)


async def test_only_the_take_of_a_sync_waits_for_the_disk(stage, monkeypatch):
    waits = {"take": [], "write_profile": [], "write_page": [], "looking": []}

    def watched(module, name):
        real, told = getattr(module, name), waits[name]

        async def asked(connection, *arguments, **more):
            done = await real(connection, *arguments, **more)
            told.append(await connection.fetchval("show synchronous_commit"))
            return done

        monkeypatch.setattr(module, name, asked)

    for name in ("take", "write_profile", "write_page"):
        watched(sync_store, name)
    looking = jobs.looking

    @contextlib.asynccontextmanager
    async def seen(connection, stop):
        waits["looking"].append(await connection.fetchval("show synchronous_commit"))
        async with looking(connection, stop) as rows:
            yield rows

    monkeypatch.setattr(jobs, "looking", seen)
    async with stage.working():
        await connected(stage, "sim.burst")
    assert len(waits["write_page"]) > 10
    assert {name: set(told) for name, told in waits.items()} == {
        "take": {"on"},
        "write_profile": {"off"},
        "write_page": {"off"},
        "looking": {"off"},  # the queue's own writing: a job that comes twice finds its slice over
    }
    async with stage.database.write() as session:
        later = await (await raw(session)).fetchval("show synchronous_commit")
    assert later == "on"  # it was for that transaction alone


async def test_waiting_for_a_sync_ends_with_it(stage):
    listener = events.Events(stage.database)
    completed = await stage.connect("sim.burst")
    wait = {"account_id": stage.account, "livemode": False, "sync_id": completed.sync_id}
    async with listener.running():
        assert not await sync.wait_until_ended(stage.database, listener, **wait, seconds=0.1)
        async with stage.working():
            assert await sync.wait_until_ended(stage.database, listener, **wait, seconds=60)
        assert await stage.value("select status from syncs") == "SUCCEEDED"


async def test_hints_come_again_after_the_connection_was_lost(stage):
    listener = events.Events(stage.database)
    async with listener.running():
        with listener.subscribe(events.SYNC, "x") as hints:
            await stage.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'creator-graph events'"
                " and datname = current_database()"
            )
            for _ in range(3):
                await hints.wait(0.1)
            await stage.execute("select pg_notify($1, 'x')", events.SYNC)
            async with asyncio.timeout(60):
                while await hints.wait(0.1) != {"x"}:
                    await stage.execute("select pg_notify($1, 'x')", events.SYNC)


# -- tokens


async def a_moment():
    await asyncio.sleep(0.05)


async def begun(asked):
    async with asyncio.timeout(60):
        while not asked:
            await asyncio.sleep(0.01)


def counting(stage, monkeypatch, wait=a_moment):
    """What the platform was asked to refresh; it does so once `wait` is over."""
    asked = []
    real = stage.connector.refresh

    async def refresh(tokens):
        asked.append(tokens)
        await wait()
        return await real(tokens)

    monkeypatch.setattr(stage.connector, "refresh", refresh)
    return asked


async def test_twenty_who_need_fresh_tokens_ask_the_platform_once(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    asked = counting(stage, monkeypatch)
    await stage.execute(
        "update grants set expires_at = now() + interval '1 minute', refreshed_at = now() - interval '2 hours'"
    )
    arguments = (stage.database, stage.vault, stage.platforms, whose)
    held = await asyncio.gather(*(grants.tokens_for(*arguments) for _ in range(20)))
    assert len(asked) == 1
    assert {one.version for one in held} == {2}
    assert len({one.tokens.access_token for one in held}) == 1
    await stage.connector.profile(held[0].tokens)


async def test_a_creator_who_takes_a_permission_back_is_read_on_and_the_grant_says_so(stage):
    first = await stage.connect("sim.burst")
    left = tuple(scope for scope in tiktok.SCOPES if scope != "user.info.stats")
    stage.world.state.narrow("ck", "sim.burst", left)
    async with stage.working():
        row = await stage.ended(first.sync_id)
    assert (row["status"], row["error_code"]) == ("SUCCEEDED", None)
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.burst")
    assert tuple(await stage.value("select scopes from grants")) == left
    assert await stage.value("select followers is null and username = 'sim.burst' from creators")


@pytest.mark.parametrize("platform", ["INSTAGRAM", "TIKTOK"])
async def test_a_creator_who_connects_again_in_the_middle_of_a_slice_ends_no_sync(
    stage, monkeypatch, platform
):
    """The slice holds the old tokens, and the platform refuses them for good; the new ones live."""
    first = await stage.connect("sim.burst", platform=platform)
    connector, again = stage.connector_of(platform), []
    real = connector.videos

    async def videos(tokens, cursor):
        if not again:
            again.append(await stage.connect("sim.burst", platform=platform))
            raise base.ReconnectRequired("190/467", "no")
        return await real(tokens, cursor)

    monkeypatch.setattr(connector, "videos", videos)
    async with stage.working():
        row = await stage.ended(first.sync_id)
    assert (again[0].sync_id, row["status"], row["error_code"]) == (first.sync_id, "SUCCEEDED", None)
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.burst", platform)
    assert tuple(await stage.one("select status, version from grants")) == ("ACTIVE", 2)


async def test_a_refresh_that_lost_to_a_reconnect_changes_nothing(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    connected_again = asyncio.Event()
    asked = counting(stage, monkeypatch, connected_again.wait)
    arguments = (stage.database, stage.vault, stage.platforms, whose)
    refreshing = asyncio.create_task(grants.renewed(*arguments, 1))
    await begun(asked)
    await stage.connect("sim.single")
    connected_again.set()
    newest = await grants.read(stage.database, stage.vault, whose)
    assert (await refreshing).tokens == newest.tokens
    assert (await grants.read(stage.database, stage.vault, whose)).version == 2


async def test_a_cancelled_caller_does_not_lose_the_rotated_token(stage, monkeypatch):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    caller_left = asyncio.Event()
    asked = counting(stage, monkeypatch, caller_left.wait)
    arguments = (stage.database, stage.vault, stage.platforms, whose)
    caller = asyncio.create_task(grants.renewed(*arguments, 1))
    await begun(asked)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    caller_left.set()
    fresh = await grants.renewed(*arguments, 1)
    assert (len(asked), fresh.version) == (1, 2)
    await stage.connector.profile(fresh.tokens)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_stumbling_refresh_is_no_dead_grant(stage, times):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    stage.fault("oauth/token", "status_500", times=times)
    arguments = (stage.database, stage.vault, stage.platforms, whose)
    if times == 1:
        assert (await grants.renewed(*arguments, 1)).version == 2
        return
    with pytest.raises(base.Transient):
        await grants.renewed(*arguments, 1)
    row = await stage.one("select status, lease_until, version from grants")
    assert tuple(row) == ("ACTIVE", None, 1)
    assert (await grants.renewed(*arguments, 1)).version == 2


async def test_a_platform_that_stumbles_within_the_margin_leaves_the_old_token_in_use(stage):
    completed = await stage.connect("sim.single")
    whose = stage.whose(completed.creator_id)
    await stage.execute(
        "update grants set expires_at = now() + interval '1 minute', refreshed_at = now() - interval '2 hours'"
    )
    stage.fault("oauth/token", "status_500", times=2)
    held = await grants.tokens_for(stage.database, stage.vault, stage.platforms, whose)
    assert held.version == 1
    assert stage.world.faults.waiting() == []
