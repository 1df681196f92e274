"""A living video is never marked as gone, however its platform's list moves or breaks off under the walk."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from services import sync, unseen
from services.platforms import base

PLATFORMS = ("TIKTOK", "INSTAGRAM", "YOUTUBE")
GONE = "select array_agg(external_id order by external_id) from videos where gone_at is not null"


async def connected(stage, platform, creator="sim.burst"):
    """A creator whose first sync has ended well; a worker must run."""
    completed = await stage.connect(creator, platform=platform)
    assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
    return completed.creator_id


def delete(stage, platform, video_id):
    """Its owner deletes it."""
    knobs = {
        "TIKTOK": stage.world.knobs.hidden_videos,
        "INSTAGRAM": stage.instagram.knobs.hidden,
        "YOUTUBE": stage.youtube.knobs.deleted,
    }
    knobs[platform].add(video_id)


def after_the_first_page(stage, platform, monkeypatch, do):
    """Does something to the first page, or behind it, before the second one is asked for."""
    connector = stage.connector_of(platform)

    async def videos(tokens, cursor, real=connector.videos):
        page = await real(tokens, cursor)
        return page if cursor is not None else do(page)

    monkeypatch.setattr(connector, "videos", videos)


def asked_by_id(stage, platform, monkeypatch):
    """Every id that the platform is asked for."""
    asked, connector = [], stage.connector_of(platform)

    async def still_there(tokens, ids, real=connector.still_there):
        asked.extend(ids)
        return await real(tokens, ids)

    monkeypatch.setattr(connector, "still_there", still_there)
    return asked


@pytest.mark.parametrize("place", [3, -1])  # the last one is what Instagram's cursor marks
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_video_deleted_between_two_pages_is_gone_and_no_other(stage, monkeypatch, platform, place):
    deleted = []

    def do(page):
        if not deleted:
            deleted.append(page.videos[place].external_id)
            delete(stage, platform, deleted[0])
        return page

    async with stage.working():
        creator_id = await connected(stage, platform)
        before = stage.videos_of("sim.burst", platform)
        after_the_first_page(stage, platform, monkeypatch, do)
        row = await stage.synced(creator_id)
        assert (row["status"], row["error_code"]) == ("SUCCEEDED", None)
        assert await stage.value(GONE) in (None, deleted)  # the page that showed it may be what counts
        assert (await stage.synced(creator_id))["status"] == "SUCCEEDED"
    assert await stage.value(GONE) == deleted
    assert await stage.value("select count(*) from videos where gone_at is null") == before - 1


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_list_that_breaks_off_without_an_error_makes_nothing_gone(stage, monkeypatch, platform):
    async with stage.working():
        creator_id = await connected(stage, platform)
        asked = asked_by_id(stage, platform, monkeypatch)
        after_the_first_page(stage, platform, monkeypatch, lambda page: replace(page, cursor=None))
        deleted = await stage.value("select min(external_id) from videos")
        delete(stage, platform, deleted)
        row = await stage.synced(creator_id)
    assert (row["status"], row["videos_seen"]) == ("SUCCEEDED", 299)
    assert await stage.value(GONE) == [deleted]
    assert len(asked) == len(set(asked)) > 200


async def test_what_was_asked_for_before_a_worker_died_is_not_asked_for_again(stage, monkeypatch):
    """Nothing is gone until all of it was asked for."""
    async with stage.working():
        creator_id = await connected(stage, "YOUTUBE")
    monkeypatch.setattr(sync, "PAGES_A_SLICE", 3)
    first = (
        "select array_agg(external_id) from (select external_id from videos order by external_id limit 60) v"
    )
    for video_id in await stage.value(first):
        delete(stage, "YOUTUBE", video_id)
    after_the_first_page(stage, "YOUTUBE", monkeypatch, lambda _page: base.Page((), None))
    asked, connector, died = asked_by_id(stage, "YOUTUBE", monkeypatch), stage.connector_of("YOUTUBE"), []

    async def still_there(tokens, ids, real=connector.still_there):
        if len(asked) >= 150 and not died:
            died.append(await stage.value(GONE))
            raise asyncio.CancelledError
        return await real(tokens, ids)

    monkeypatch.setattr(connector, "still_there", still_there)
    requested = await stage.request(creator_id)
    for number in range(4):
        payload = sync.job(stage.account, False, requested.sync_id, number)[0]
        for _ in range(2):
            with contextlib.suppress(asyncio.CancelledError):
                await sync.run_slice(stage.database, stage.vault, stage.platforms, payload)
    row = await stage.one("select * from syncs where id = $1", requested.sync_id)
    assert (row["status"], row["videos_seen"], died) == ("SUCCEEDED", 240, [None])
    assert len(asked) == len(set(asked)) == 300
    assert await stage.value("select count(*) from videos where gone_at is not null") == 60


async def test_one_that_cannot_be_read_by_its_id_leaves_everything_as_it_was(stage, monkeypatch):
    async with stage.working():
        creator_id = await connected(stage, "YOUTUBE", "sim.twenty")
        connector, skipping = stage.connector_of("YOUTUBE"), []

        async def still_there(tokens, ids, real=connector.still_there):
            skipping.append(ids)
            page = await real(tokens, ids)
            return replace(page, videos=page.videos[1:], skipped=1)

        monkeypatch.setattr(connector, "still_there", still_there)
        after_the_first_page(
            stage, "YOUTUBE", monkeypatch, lambda page: replace(page, videos=page.videos[:9])
        )
        row = await stage.synced(creator_id)
    assert (row["status"], row["error_code"], len(skipping)) == ("PARTIAL", "SKIPPED", 1)
    assert await stage.value(GONE) is None


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_where_nothing_is_missed_nothing_is_asked_for(stage, monkeypatch, platform):
    async with stage.working():
        creator_id = await connected(stage, platform)
        asked = asked_by_id(stage, platform, monkeypatch)
        assert (await stage.synced(creator_id))["status"] == "SUCCEEDED"
    assert asked == []
    assert unseen.BEGINNING < "0"
