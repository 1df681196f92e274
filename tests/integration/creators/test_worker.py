"""A worker killed with SIGKILL in the middle of a sync costs time, and nothing else."""

import asyncio
import base64
import os
import signal
import sys
from pathlib import Path

import pytest

from services.vault import Vault

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
