"""An insight that always fails is its post's own trouble: no other post's, and not its creator's at every sync."""

import pytest

WELL, WITHHELD = ("SUCCEEDED", None), ("SUCCEEDED", "WITHHELD")
METRICS = ("views", "shares")
COUNTERS = "select views, shares, likes from videos where external_id = $1"


@pytest.fixture
async def read(stage):
    """Reads the creator again; how the sync ended. `stage.posts`: ids, newest first."""
    completed = await stage.connect("sim.daily", platform="INSTAGRAM")
    assert (await stage.ended_now(completed.sync_id))["status"] == "SUCCEEDED"

    async def again():
        requested = await stage.request(completed.creator_id)
        row = await stage.ended_now(requested.sync_id)
        return row["status"], row["error_code"]

    return again


async def posts(stage):
    """Those with counters, newest first."""
    newest = (
        "select external_id from videos where views > 1 and shares is not null order by published_at desc"
    )
    return await stage.value(f"select array_agg(external_id) from ({newest}) v")


async def test_a_metric_that_always_stumbles_for_one_post_ends_no_sync_as_partial(stage, read):
    ids = await posts(stage)
    before = await stage.one(COUNTERS, ids[3])
    stage.instagram.knobs.stumbling.add((ids[3], "views"))
    await stage.execute("update videos set shares = 0, likes = 0")
    for _ in range(2):
        assert await read() == WITHHELD
    assert "counters of 1 videos fail" in await stage.value(
        "select error_message from syncs order by id desc limit 1"
    )
    after = await stage.one(COUNTERS, ids[3])
    assert after["views"] == before["views"]  # what was read last
    assert (after["shares"], after["likes"]) == (before["shares"], before["likes"])


async def test_several_posts_side_by_side_that_always_stumble_end_no_sync_as_partial(stage, read):
    ids = await posts(stage)
    broken = ids[:9]
    stage.instagram.knobs.stumbling.update((one, name) for one in broken for name in METRICS)
    await stage.execute("update videos set views = views - 1")
    moved = "select count(*) from video_stats"
    before = await stage.value(moved)
    stage.instagram.knobs.hidden.add(ids[-1])
    assert await read() == WITHHELD
    assert (
        await stage.value("select array_agg(external_id) from videos where gone_at is not null") == ids[-1:]
    )
    assert await stage.value(moved) >= before
    stored = await stage.value(
        "select count(*) from videos where views is null and external_id = any($1)", broken
    )
    assert stored == 0


async def test_a_broken_post_that_is_a_page_of_its_own_is_told_from_a_platform_that_is_down(stage, read):
    """By a post of an earlier page, which is asked once more."""
    count = await stage.value("select count(*) from videos")
    stage.connector_of("INSTAGRAM")._page_size = count - 1
    oldest = await stage.value("select external_id from videos order by published_at limit 1")
    stage.instagram.knobs.stumbling.update((oldest, name) for name in METRICS)
    assert await read() == WITHHELD
    stage.instagram_fault("insights", "status_500", times=1_000)
    assert await read() == ("PARTIAL", "SKIPPED")
    stage.instagram.faults.clear()
    assert await read() == WITHHELD
    stage.instagram.knobs.stumbling.clear()
    assert await read() == WELL


async def test_a_metric_that_one_post_refuses_costs_the_others_of_its_kind_nothing(stage, read):
    ids = await posts(stage)
    stage.instagram.knobs.refusing.update({(ids[0], "shares"), (ids[1], "views")})
    before = await stage.value("select count(shares) + count(views) from videos")
    assert await read() == WELL
    assert await stage.value("select count(shares) + count(views) from videos") == before - 2
