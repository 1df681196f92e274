"""Three platforms through the whole engine: read whole, every fault survived, limits kept, nothing broken."""

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from bench import simulated
from services import erase, grants, jobs, sync
from services.platforms import base, client, instagram, instagram_insights
from simulators import instagram as simulated_instagram
from simulators import people

WALKER = next(one.username for one in people.CREATORS if one.videos == 101 and not one.every)
AWAY, BUG, DEAD = "AWAY", "PLATFORM_ERROR", "RECONNECT_REQUIRED"


async def connected(stage, creator, platform, **more):
    """A creator whose first sync has ended well; a worker must run."""
    completed = await stage.connect(creator, platform=platform, **more)
    assert completed.status == "CONNECTED", completed.error
    row = await stage.ended(completed.sync_id)
    assert (row["status"], row["error_code"]) == ("SUCCEEDED", None)
    return completed.creator_id


def living(stage, creator_id):
    return stage.value("select count(*) from videos where creator_id = $1 and gone_at is null", creator_id)


@pytest.mark.parametrize("platform", ["INSTAGRAM", "YOUTUBE"])
async def test_creators_are_read_whole(stage, platform):
    async with stage.working():
        for creator in ("sim.quiet", "sim.twenty", "sim.strange", "sim.sparse", "sim.burst"):
            creator_id = await connected(stage, creator, platform)
            assert await living(stage, creator_id) == stage.videos_of(creator, platform), creator
    assert await stage.value("select bool_and(status = 'ACTIVE') from grants")


async def survives(stage, creator_id, creator, platform, cases, order):
    """Each fault by itself: how the sync ends, and that no video is lost whatever came."""
    for endpoint, kind, more, status, code in cases:
        stage.forget()
        order(endpoint, kind, **more)
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == (status, code), (endpoint, kind)
        stage.world.faults.clear()
        stage.instagram.faults.clear()
        assert await living(stage, creator_id) == stage.videos_of(creator, platform), (endpoint, kind)
        assert await stage.value("select count(distinct external_id) = count(*) from videos")
        assert await stage.value("select status from grants") == "ACTIVE"


# On the way to and on the first page, and again and again; one on a later page: test_faults_midwalk.
INSTAGRAM = [
    ("me", "status_500", {"times": 3}, "SUCCEEDED", None),
    ("me", "huge", {}, "FAILED", BUG),
    ("me", "missing_data", {}, "FAILED", BUG),
    ("me/media", "status_500", {"times": 3}, "SUCCEEDED", None),
    ("me/media", "huge", {}, "FAILED", BUG),
    ("me/media", "missing_data", {}, "FAILED", BUG),
    ("me/media", "foreign_next", {}, "FAILED", BUG),
    ("me/media", "page_loop", {"times": 2}, "PARTIAL", BUG),
    ("me/media", "status_500", {"times": 100}, "FAILED", AWAY),
    ("insights", "status_500", {}, "SUCCEEDED", None),
    ("insights", "status_500", {"times": 100}, "PARTIAL", "SKIPPED"),
]
YOUTUBE = [
    ("youtube/channels", "status_429", {}, "SUCCEEDED", None),
    ("youtube/channels", "status_500", {"times": 3}, "SUCCEEDED", None),
    ("youtube/channels", "huge", {}, "FAILED", BUG),
    ("youtube/channels", "bad_token", {}, "SUCCEEDED", None),
    ("youtube/playlistItems", "status_429", {"times": 2}, "SUCCEEDED", None),
    ("youtube/playlistItems", "huge", {}, "FAILED", BUG),
    ("youtube/playlistItems", "page_loop", {"times": 4}, "PARTIAL", BUG),
    ("youtube/videos", "status_500", {"times": 3}, "SUCCEEDED", None),
    ("youtube/videos", "huge", {}, "FAILED", BUG),
    ("youtube/videos", "status_500", {"times": 100}, "FAILED", AWAY),
]


async def test_every_fault_of_instagram_ends_right_and_loses_nothing(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.daily", "INSTAGRAM")
        await survives(stage, creator_id, "sim.daily", "INSTAGRAM", INSTAGRAM, stage.instagram_fault)


async def test_every_fault_of_youtube_ends_right_and_loses_nothing(stage):
    async with stage.working():
        creator_id = await connected(stage, WALKER, "YOUTUBE")
        await survives(stage, creator_id, WALKER, "YOUTUBE", YOUTUBE, stage.fault)


async def test_media_beyond_the_newest_that_instagram_shows_are_not_gone(stage, monkeypatch):
    async with stage.working():
        creator_id = await connected(stage, "sim.burst", "INSTAGRAM")
        monkeypatch.setattr(simulated_instagram, "_MOST_MEDIA", 60)
        monkeypatch.setattr(instagram.Instagram, "shows_newest", 60)
        third = "select external_id from videos order by published_at desc offset 2 limit 1"
        hidden = await stage.value(third)
        stage.instagram.knobs.hidden.add(hidden)
        asked, connector = [], stage.connector_of("INSTAGRAM")

        async def still_there(tokens, ids, real=connector.still_there):
            asked.extend(ids)
            return await real(tokens, ids)

        monkeypatch.setattr(connector, "still_there", still_there)
        row = await stage.synced(creator_id)
        assert (row["status"], row["videos_seen"]) == ("SUCCEEDED", 59)
        assert asked == [hidden]  # what is out of sight is not asked for, and not gone
        assert await stage.value("select array_agg(external_id) from videos where gone_at is not null") == [
            hidden
        ]
        monkeypatch.setattr(instagram.Instagram, "shows_newest", 10_000)
        await stage.synced(creator_id)  # far from the limit all of it is asked for, and there
        assert len(asked) == 1 + 240
        assert await living(stage, creator_id) == 299


@pytest.mark.parametrize("platform", ["INSTAGRAM", "YOUTUBE"])
async def test_who_left_at_the_platform_needs_to_connect_again_and_keeps_everything(stage, platform):
    async with stage.working():
        creator_id = await connected(stage, "sim.twenty", platform)
        if platform == "YOUTUBE":
            stage.youtube.state.remove_everywhere("sim.twenty")
        else:
            stage.instagram_fault("me/media", "bad_token")
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == ("FAILED", DEAD)
        assert await stage.value("select status from grants") == "NEEDS_REAUTH"
        assert await stage.value("select next_sync_at from creators") is None
        assert await connected(stage, "sim.twenty", platform) == creator_id
    assert await stage.value("select count(*) from creators") == 1
    assert await stage.value("select next_sync_at > now() from creators")


@pytest.mark.parametrize("platform", ["TIKTOK", "YOUTUBE"])
async def test_what_is_wrong_with_our_app_ends_no_sync_and_no_grant(stage, platform):
    async with stage.working():
        creator_id = await connected(stage, "sim.single", platform)
        connector = stage.connector_of(platform)
        right, connector._app = connector._app, dataclasses.replace(connector._app, client_secret="no")
        await stage.execute("update grants set expires_at = now()")
        requested = await stage.request(creator_id)
        row = await stage.put_off(requested.sync_id)
        assert (row["status"], row["error_code"], row["failures"]) == ("RUNNING", "MISCONFIGURED", 0)
        assert "Our app is not set up" in row["error_message"]
        assert row["error_retry_at"] > datetime.now(UTC) + timedelta(minutes=55)
        assert await stage.value("select status from grants") == "ACTIVE"
        connector._app = right
        await stage.execute("update syncs set error_retry_at = now()")
        await stage.execute(f"update {jobs.TABLE} set execute_after = now()")
        assert (await stage.ended(requested.sync_id))["status"] == "SUCCEEDED"


async def test_an_instagram_throttle_waits_as_long_as_the_headers_say(stage):
    async with stage.working():
        creator_id = await connected(stage, "sim.twenty", "INSTAGRAM")
        stage.instagram_fault("me", "status_429")
        requested = await stage.request(creator_id)
        row = await stage.put_off(requested.sync_id)
        wait = row["error_retry_at"] - datetime.now(UTC)
        assert (row["status"], row["error_code"], row["failures"]) == ("RUNNING", "THROTTLED", 0)
        assert timedelta(minutes=6) < wait < timedelta(minutes=8)


async def test_near_the_limit_the_next_slice_waits_and_the_sync_goes_on_where_it_was(stage, monkeypatch):
    """`slow_down`: the page is kept, the next one is not asked for before its time."""
    real, asked = instagram.Instagram.videos, []

    async def videos(self, tokens, cursor):
        asked.append(cursor)
        page = await real(self, tokens, cursor and {**cursor, "not_before": None})
        later = datetime.now(UTC) + timedelta(minutes=15)
        return base.Page(page.videos, page.cursor, page.skipped, slow_down=later if cursor is None else None)

    monkeypatch.setattr(instagram.Instagram, "videos", videos)
    async with stage.working():
        completed = await stage.connect("sim.daily", platform="INSTAGRAM")
        row = await stage.until("select * from syncs where slice = 1")
        assert (len(asked), row["status"]) == (1, "RUNNING")
        assert row["videos_seen"] == await stage.value("select count(*) from videos") > 0
        await stage.until(
            f"select 1 from {jobs.TABLE} where status = 'queued' and execute_after > now() + interval '13 minutes'"
        )
        await stage.execute(f"update {jobs.TABLE} set execute_after = now()")
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
    assert await stage.value("select count(*) from videos") == stage.videos_of("sim.daily", "INSTAGRAM")


async def test_counters_that_could_not_be_read_this_time_stay_as_they_were(stage, monkeypatch):
    async with stage.working():
        creator_id = await connected(stage, "sim.twenty", "INSTAGRAM")
        before = await stage.value("select array_agg((external_id, views, shares) order by id) from videos")
        assert await stage.value("select count(views) > 5 from videos")

        async def none(self, medium):
            raise base.Transient("away", "away")

        monkeypatch.setattr(instagram_insights.Insights, "_metrics", none)
        await stage.execute("update videos set likes = 0, views = views + 1 where views is not null")
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == ("PARTIAL", "SKIPPED")
    after = await stage.value("select array_agg((external_id, views - 1, shares) order by id) from videos")
    assert after == before
    assert await stage.value("select max(likes) > 0 from videos")  # what was read is written over


async def test_an_instagram_token_is_renewed_a_month_before_its_end_and_not_before(stage, monkeypatch):
    completed = await stage.connect("sim.twenty", platform="INSTAGRAM")
    whose, arguments = stage.whose(completed.creator_id), (stage.database, stage.vault, stage.platforms)
    assert await stage.value("select app_scoped_id is not null from creators")
    assert (await grants.tokens_for(*arguments, whose)).version == 1
    await stage.execute(
        "update grants set refreshed_at = now() - interval '31 days', expires_at = now() + interval '29 days'"
    )
    monkeypatch.setattr(stage.instagram.knobs, "youngest", 0)
    held = await grants.tokens_for(*arguments, whose)
    assert held.version == 2
    assert held.tokens.app_scoped_id == await stage.value("select app_scoped_id from creators")
    assert held.tokens.expires_at > datetime.now(UTC) + timedelta(days=50)
    again = await stage.held(completed.creator_id)
    assert again.tokens.issued_at == again.refreshed_at


async def test_no_transaction_is_open_while_a_platform_is_asked(stage, monkeypatch):
    """Of a connect, a sync in slices, a refresh and a disconnect: a slow platform holds no row and no connection."""
    asked, real, turn = [], client.Client.send, asyncio.Lock()
    connection = await stage.database.connect()

    async def send(self, method, url, *, endpoint, **more):
        async with turn:
            open_ = await connection.fetchval(
                "select array_agg(query) from pg_stat_activity where datname = current_database()"
                " and xact_start is not null and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        asked.append((endpoint, open_))
        return await real(self, method, url, endpoint=endpoint, **more)

    monkeypatch.setattr(client.Client, "send", send)
    stage.instagram.knobs.youngest = 0
    common = (stage.database, stage.vault, stage.platforms)
    for platform in simulated.PLATFORMS:
        completed = await stage.connect("sim.twenty", platform=platform)
        payload, _ = sync.job(stage.account, False, completed.sync_id, 0)
        assert await sync.run_slice(*common, payload) is None
        await stage.execute("update grants set refreshed_at = now() - interval '40 days'")
        await grants.renewed(*common, stage.whose(completed.creator_id), 1)
        gone = {"account_id": stage.account, "livemode": False, "creator_id": completed.creator_id}
        assert (await erase.disconnect(*common, **gone)).revocation == "REVOKED"
    await connection.close()
    assert len(asked) > 30
    assert [one for one in asked if one[1]] == []


# -- connects that come to nothing


async def failed(stage, creator, platform):
    completed = await stage.connect(creator, platform=platform)
    assert completed.status == "FAILED"
    return completed.error


async def test_a_consent_of_somebody_without_a_channel_is_taken_back(stage, monkeypatch):
    revoked = spied(stage.connector_of("YOUTUBE"), monkeypatch)
    real = stage.connector_of("YOUTUBE").profile

    async def nobody(tokens):
        raise base.NoAccount("no_channel", "none")

    monkeypatch.setattr(stage.connector_of("YOUTUBE"), "profile", nobody)
    error = await failed(stage, "sim.quiet", "YOUTUBE")
    assert (error.extra["reason"], len(revoked)) == ("NO_ACCOUNT", 1)
    with pytest.raises(base.Failure):
        await real(revoked[0])


async def test_a_consent_that_cannot_be_read_is_taken_back_only_where_no_grant_lives_of_it(
    stage, monkeypatch
):
    revoked = spied(stage.connector, monkeypatch)
    stage.fault("user/info", "huge")
    await failed(stage, "sim.single", "TIKTOK")
    assert len(revoked) == 1
    async with stage.working():
        creator_id = await connected(stage, "sim.single", "TIKTOK")
        stage.fault("user/info", "huge")
        await failed(stage, "sim.single", "TIKTOK")
        assert len(revoked) == 1
        assert (await stage.synced(creator_id))["status"] == "SUCCEEDED"


async def test_of_whom_nothing_is_known_nothing_is_revoked(stage, monkeypatch):
    revoked = spied(stage.connector_of("YOUTUBE"), monkeypatch)
    stage.fault("youtube/channels", "huge")
    await failed(stage, "sim.single", "YOUTUBE")
    assert revoked == []


def spied(connector, monkeypatch):
    revoked, real = [], connector.revoke

    async def revoke(tokens):
        revoked.append(tokens)
        return await real(tokens)

    monkeypatch.setattr(connector, "revoke", revoke)
    return revoked
