"""Every fault of every platform in the middle of a walk: it ends as it should, and no video is lost, doubled or gone."""

import asyncio
from dataclasses import replace

import pytest

from services import jobs, sync
from simulators import people

WALKER = next(one.username for one in people.CREATORS if one.videos == 101 and not one.every)
ENDPOINTS = {
    "TIKTOK": ["video/list"],
    "INSTAGRAM": ["me/media", "insights"],
    "YOUTUBE": ["youtube/playlistItems", "youtube/videos"],
}
WELL, BUG, DEAD = ("SUCCEEDED", None), ("PARTIAL", "PLATFORM_ERROR"), ("FAILED", "RECONNECT_REQUIRED")
ENDS = {
    "status_429": WELL,
    "status_500": WELL,
    "slow": WELL,
    "late": WELL,
    "drip": WELL,  # cut off when patience is over, and asked again
    "half_json": WELL,
    "drop": WELL,
    "short_page": WELL,
    "duplicates": WELL,
    "bad_token": WELL,  # refreshed once, and on it goes
    "huge": BUG,
    "page_loop": BUG,
    "not_modified": WELL,
    "wrong_etag": WELL,
}
ETAGS = {"not_modified", "wrong_etag"}
OTHERWISE = {
    ("INSTAGRAM", "me/media", "bad_token"): DEAD,  # 190 is definitive: there is no refresh token
    ("INSTAGRAM", "me/media", "missing_data"): BUG,
    ("INSTAGRAM", "me/media", "foreign_next"): BUG,
    ("INSTAGRAM", "insights", "bad_token"): DEAD,
    ("INSTAGRAM", "insights", "huge"): WELL,  # without these counters
    ("INSTAGRAM", "insights", "missing_data"): WELL,
}
SHAPES = {"short_page", "duplicates", "page_loop"}
DELAYS = {"slow": 0.2, "late": 0.2, "drip": 600.0}  # seconds
PATIENCE = {"drip": 1.0}


def cases(platform):
    for endpoint in ENDPOINTS[platform]:
        pages = endpoint in {"video/list", "me/media", "youtube/playlistItems"}
        kinds = [kind for kind in ENDS if (pages or kind not in SHAPES)]
        kinds = [kind for kind in kinds if platform == "YOUTUBE" or kind not in ETAGS]
        kinds += [
            kind for at, place, kind in OTHERWISE if (at, place) == (platform, endpoint) and kind not in ENDS
        ]
        for kind in kinds:
            yield (
                endpoint,
                kind,
                OTHERWISE.get((platform, endpoint, kind), ENDS.get(kind)),
            )


async def ended(stage, creator_id):
    """The sync's row at its end, without the minutes for which Instagram lets it wait."""
    requested = await stage.request(creator_id)
    waiting = asyncio.create_task(stage.ended(requested.sync_id))
    while not waiting.done():
        await stage.execute(
            "update syncs set error_retry_at = now() where error_retry_at > now() + interval '1 minute'"
        )
        await stage.execute(
            "update syncs set cursor = cursor #- '{next,not_before}' where cursor #> '{next,not_before}' is not null"
        )
        await stage.execute(
            f"update {jobs.TABLE} set execute_after = now()"
            " where status = 'queued' and execute_after > now() + interval '1 minute'"
        )
        await asyncio.wait([waiting], timeout=0.2)
    return await waiting


@pytest.mark.parametrize("platform", ENDPOINTS)
async def test_every_fault_on_a_later_page_ends_right_and_loses_nothing(stage, platform, monkeypatch):
    connector, ordered, pages = stage.connector_of(platform), [], []
    order = stage.instagram_fault if platform == "INSTAGRAM" else stage.fault

    async def videos(tokens, cursor, real=connector.videos):
        pages.append(cursor)
        if cursor is not None and ordered:
            endpoint, kind = ordered.pop()
            if kind not in ETAGS:
                stage.forget()
            order(
                endpoint,
                kind,
                times=4 if kind == "page_loop" else 1,
                delay=DELAYS.get(kind, 0),
            )
            patience = replace(connector._http._patience, total=PATIENCE.get(kind, 30.0))
            monkeypatch.setattr(connector._http, "_patience", patience)
        return await real(tokens, cursor)

    monkeypatch.setattr(connector, "videos", videos)
    async with stage.working():
        completed = await stage.connect(WALKER, platform=platform)
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"
        shown = stage.videos_of(WALKER, platform)
        assert len(pages) > 1
        for endpoint, kind, end in cases(platform):
            ordered.append((endpoint, kind))
            row = await ended(stage, completed.creator_id)
            assert (row["status"], row["error_code"]) == end, (endpoint, kind)
            assert not ordered, (endpoint, kind)
            assert end != WELL or row["videos_seen"] == shown, (endpoint, kind)
            waiting = (*stage.world.faults.waiting(), *stage.instagram.faults.waiting())
            assert kind == "page_loop" or not waiting, (endpoint, kind)
            stage.world.faults.clear()
            stage.instagram.faults.clear()
            if end == DEAD:
                assert await stage.value("select status from grants") == "NEEDS_REAUTH"
                await stage.connect(WALKER, platform=platform)
                await stage.until("select 1 from syncs having count(*) filter (where status = 'RUNNING') = 0")
            stored = await stage.one(
                "select count(*), count(distinct external_id), count(gone_at) from videos where creator_id = $1",
                completed.creator_id,
            )
            assert tuple(stored) == (shown, shown, 0), (endpoint, kind)
            assert await stage.value("select status from grants") == "ACTIVE"
            if end == WELL:
                assert row["videos_seen"] == shown, (endpoint, kind)
    assert await stage.value("select count(*) from syncs where not status = any($1)", list(sync.ENDED)) == 0
