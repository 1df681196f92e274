"""A worker killed with SIGKILL in the middle of a sync costs time, and nothing else."""

import asyncio
import os
import signal

import pytest

from bench import killing, simulated
from db.session import raw
from server import worker
from simulators import people

# Sixty pages, and none comes meanwhile.
MANY = next(one for one in people.CREATORS if one.videos == 1_200 and not one.every)


# Not TikTok's: a refresh token that works once may be lost with its worker (docs/grants.md).
DUE = """
update grants g set refreshed_at = now() - interval '40 days',
  expires_at = now() + case c.platform when 'YOUTUBE' then interval '1 minute' else interval '20 days' end
from creators c where (c.account_id, c.id) = (g.account_id, g.creator_id) and c.platform <> 'TIKTOK'
"""


async def seen(stage, least):
    async with asyncio.timeout(90):
        while await stage.value("select videos_seen from syncs") < least:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kill_at", [1, 250, 700])
async def test_a_killed_worker_loses_no_video_and_doubles_none(stage, address, begin, kill_at):
    stage.fault("video/list", "slow", times=10_000, delay=0.03)
    completed = await stage.connect(MANY.username)
    first = await begin(address, stage.root, stage.key)
    await seen(stage, kill_at)
    first.kill()
    await first.wait()
    after_kill = await stage.value("select videos_seen from syncs")
    assert after_kill < MANY.videos
    stage.world.faults.clear()
    second = await begin(address, stage.root, stage.key)
    try:
        row = await stage.ended(completed.sync_id, 120)
    finally:
        second.kill()
        await second.wait()
    assert row["status"] == "SUCCEEDED"
    assert row["videos_seen"] == row["videos_added"] == MANY.videos
    assert await stage.value("select count(*) from videos where gone_at is null") == MANY.videos
    assert await stage.value("select count(distinct external_id) from videos") == MANY.videos
    assert await stage.value("select count(*) from video_stats") == MANY.videos


async def test_a_worker_that_was_frozen_and_wakes_writes_nothing_twice(stage, address, begin):
    """SIGSTOP for longer than the heartbeat: the queue gives its job away; then it wakes in the middle of it."""
    stage.fault("video/list", "slow", times=10_000, delay=0.1)
    completed = await stage.connect(MANY.username)
    first = await begin(address, stage.root, stage.key)
    await seen(stage, 100)
    first.send_signal(signal.SIGSTOP)
    fence = await stage.value("select fence from syncs")
    second = await begin(address, stage.root, stage.key)
    try:
        async with asyncio.timeout(90):
            while await stage.value("select fence from syncs") == fence:
                await asyncio.sleep(0.05)
        first.send_signal(signal.SIGCONT)
        stage.world.faults.clear()
        row = await stage.ended(completed.sync_id, 120)
    finally:
        for process in (first, second):
            process.kill()
            await process.wait()
    assert row["status"] == "SUCCEEDED"
    assert row["videos_seen"] == row["videos_added"] == MANY.videos
    assert await stage.value("select count(*) from videos where gone_at is null") == MANY.videos


async def test_two_workers_killed_five_times_read_sixty_creators_of_three_platforms_exactly(
    stage, address, begin
):
    """SIGKILL at random moments, a new worker in the place of each; their dice are thrown anew in every run.

    The full size, 1,000 creators, is `python -m bench.killed_workers`.
    """
    names = [one.username for one in people.CREATORS if 0 < one.videos <= 150][:20]
    everyone = [
        killing.Creator(
            stage.whose((await stage.connect(name, platform=platform)).creator_id), platform, name
        )
        for name in names
        for platform in simulated.PLATFORMS
    ]
    for endpoint in ("video/list", "youtube/videos"):
        stage.fault(endpoint, "slow", times=10_000, delay=0.05)
    stage.instagram.knobs.youngest = 0
    await stage.execute(DUE)
    workers = killing.Workers(address, stage.root, stage.key)
    connection = await stage.database.connect()
    async with workers.running(2):
        await killing.through(connection, workers, kills=5, pause=(0.3, 2.0), seconds=180)
    await connection.close()
    assert len(everyone) == await stage.value("select count(*) from syncs") == 60
    assert await killing.wrongs(stage.database, stage.vault, stage.platforms, everyone) == []
    refreshed = "select count(*) from grants join creators c on c.id = creator_id where version > 1 and platform <> 'TIKTOK'"
    assert await stage.value(refreshed) == 40


@pytest.mark.parametrize("beside", [True, False])
async def test_what_postgresql_writes_for_a_worker_gives_way_to_what_it_reads_for_others(
    address, database, beside
):
    everywhere = os.sched_getaffinity(0)
    half = set(sorted(everywhere)[-max(1, len(everywhere) // 2) :])
    own = await worker.connected(address, worker.way(beside=beside))
    queue = await own.connect()
    async with own.write() as session:
        for pid in ((await raw(session)).get_server_pid(), queue.get_server_pid()):
            assert os.getpriority(os.PRIO_PROCESS, pid) == 10
            assert os.sched_getaffinity(pid) == (half if beside else everywhere)
    await queue.close()
    await own.close()
    async with database.read() as connection, database.write() as session:
        for pid in (connection.get_server_pid(), (await raw(session)).get_server_pid()):
            assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
            assert os.sched_getaffinity(pid) == everywhere


async def test_nobody_is_sent_where_they_may_not_go(address):
    """A process that is not PostgreSQL's stays as it is, whatever its number; so does one that is gone."""
    before = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)
    for pid in (os.getpid(), 2**22 + 1):
        worker.way(beside=True).send(pid)
    assert before == (os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0))
