"""A worker killed with SIGKILL in the middle of a sync costs time, and nothing else."""

import asyncio
import base64
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from services.vault import Vault
from simulators import people

SCRIPT = Path(__file__).parent / "worker_process.py"
ROOT = Path(__file__).parents[3]


async def started(stage, address, key):
    return await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), address, stage.url, base64.b64encode(key).decode(),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def seen(stage, least):
    async with asyncio.timeout(30):
        while await stage.value("select videos_seen from syncs") < least:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kill_at", [1, 250, 700])
async def test_a_killed_worker_loses_no_video_and_doubles_none(stage, address, kill_at):
    key = os.urandom(32)
    stage.vault = Vault([key])
    stage.fault("video/list", "slow", times=10_000, delay=0.03)
    completed = await stage.connect("sim.prolific")
    first = await started(stage, address, key)
    await seen(stage, kill_at)
    first.kill()
    await first.wait()
    after_kill = await stage.value("select videos_seen from syncs")
    assert after_kill < 5_000
    stage.world.faults.clear()
    second = await started(stage, address, key)
    try:
        row = await stage.ended(completed.sync_id, 60)
    finally:
        second.kill()
        await second.wait()
    assert row["status"] == "SUCCEEDED"
    assert row["videos_seen"] == row["videos_added"] == 5_000
    assert await stage.value("select count(*) from videos where gone_at is null") == 5_000
    assert await stage.value("select count(distinct external_id) from videos") == 5_000
    assert await stage.value("select count(*) from video_stats") == 5_000


async def test_a_worker_that_was_frozen_and_wakes_writes_nothing_twice(stage, address):
    """SIGSTOP for longer than the heartbeat: the queue gives its job away; then it wakes in the middle of it."""
    key = os.urandom(32)
    stage.vault = Vault([key])
    stage.fault("video/list", "slow", times=10_000, delay=0.1)
    completed = await stage.connect("sim.prolific")
    first = await started(stage, address, key)
    await seen(stage, 100)
    first.send_signal(signal.SIGSTOP)
    second = await started(stage, address, key)
    try:
        fence = await stage.value("select fence from syncs")
        async with asyncio.timeout(20):
            while await stage.value("select fence from syncs") == fence:
                await asyncio.sleep(0.05)
        first.send_signal(signal.SIGCONT)
        stage.world.faults.clear()
        row = await stage.ended(completed.sync_id, 60)
    finally:
        for process in (first, second):
            process.kill()
            await process.wait()
    assert row["status"] == "SUCCEEDED"
    assert row["videos_seen"] == row["videos_added"] == 5_000
    assert await stage.value("select count(*) from videos where gone_at is null") == 5_000


async def test_two_workers_killed_five_times_read_sixty_creators_of_three_platforms_exactly(stage, address):
    """SIGKILL at random moments, a new worker in the place of each; their dice are thrown anew in every run."""
    key = os.urandom(32)
    stage.vault = Vault([key])
    names = [one.username for one in people.CREATORS if 0 < one.videos <= 150][:20]
    everyone = {
        (await stage.connect(name, platform=platform)).creator_id: (name, platform)
        for name in names
        for platform in ("TIKTOK", "INSTAGRAM", "YOUTUBE")
    }
    for endpoint in ("video/list", "youtube/videos"):
        stage.fault(endpoint, "slow", times=10_000, delay=0.05)
    workers = [await started(stage, address, key) for _ in range(2)]
    try:
        for _ in range(5):
            await asyncio.sleep(random.uniform(0.3, 2.0))
            place = random.randrange(2)
            workers[place].kill()
            await workers[place].wait()
            workers[place] = await started(stage, address, key)
        await stage.until(
            "select 1 from syncs having bool_and(status not in ('QUEUED', 'RUNNING'))", seconds=60
        )
    finally:
        for process in workers:
            process.kill()
            await process.wait()
    rows = await stage.value("select array_agg((creator_id, status, videos_seen, videos_added)) from syncs")
    assert len(rows) == len(everyone) == 60
    for creator_id, status, seen, added in rows:
        name, platform = everyone[creator_id]
        stored = await stage.one(
            "select count(*) as videos, count(distinct external_id) as ids, count(gone_at) as gone"
            " from videos where creator_id = $1",
            creator_id,
        )
        count = stage.videos_of(name, platform)
        assert (status, seen, added, *stored) == ("SUCCEEDED", count, count, count, count, 0), (
            name,
            platform,
        )
        held = await stage.held(creator_id)
        assert held.status == "ACTIVE"
        await stage.connector_of(platform).profile(held.tokens)
    assert (
        await stage.value("select max(n) from (select count(*) n from video_stats group by video_id, at) s")
        == 1
    )
