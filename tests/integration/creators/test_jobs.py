"""The queue: in the caller's transaction, never lost, never the keeper of anybody's words."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from db.session import AsyncSession, raw
from services import jobs, schedule, sync


async def working(stage, handlers, stop, **more):
    return asyncio.create_task(jobs.Worker(stage.database, handlers, **more).run(stop))


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_a_job_enqueued_first_thing_in_a_transaction_goes_with_its_rollback(stage, queued):
    with pytest.raises(RuntimeError):
        async with AsyncSession(stage.database.engine) as session, session.begin():
            assert await jobs.enqueue(session, "x", {}, "k:0")
            raise RuntimeError
    assert await queued() == 0


async def test_a_key_is_queued_once(stage, queued):
    async with stage.database.write() as session:
        assert await jobs.enqueue(session, "x", {}, "k:0")
        assert not await jobs.enqueue(session, "x", {}, "k:0")
        assert await jobs.enqueue_many(session, "x", [("k:0", {}), ("k:1", {}), ("k:2", {})]) == 2
    assert await queued() == 3


async def test_a_job_runs_again_after_the_time_it_asked_for(stage, queued):
    ran, stop, loop = [], asyncio.Event(), asyncio.get_running_loop()

    async def handler(payload):
        ran.append((payload["n"], loop.time()))
        return timedelta(seconds=0.5) if len(ran) < 3 else None

    async with stage.database.write() as session:
        await jobs.enqueue(session, "x", {"n": 7}, "k:0")
    task = await working(stage, {"x": handler}, stop)
    await until(lambda: _true(len(ran) == 3))
    stop.set()
    await task
    assert all(later[1] - earlier[1] >= 0.45 for earlier, later in itertools.pairwise(ran))
    assert await queued() == 0


async def _true(value):
    return value


async def test_a_broken_job_is_held_and_its_words_stay_out_of_the_database(stage):
    stop = asyncio.Event()

    async def handler(payload):
        raise ValueError("act.secret of sim.single")

    async with stage.database.write() as session:
        await jobs.enqueue(session, "x", {}, "k:0")
    task = await working(stage, {"x": handler}, stop)
    await until(lambda: stage.value("select exists (select from pgqueuer where status = 'failed')"))
    stop.set()
    await task
    traces = await stage.value("select string_agg(traceback::text, '') from pgqueuer_log")
    assert "ValueError" in traces
    assert "secret" not in traces


async def test_a_worker_outlives_its_database_connection(stage, queued):
    ran, stop = [], asyncio.Event()

    async def handler(payload):
        ran.append(payload["n"])

    task = await working(stage, {"x": handler}, stop)
    for n in range(3):
        async with stage.database.write() as session:
            await jobs.enqueue(session, "x", {"n": n}, f"k:{n}")
        await until(lambda n=n: _true(n in ran))
        await stage.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'creator-graph worker'"
            " and datname = current_database()"
        )
    stop.set()
    async with asyncio.timeout(60):
        await task


async def test_a_worker_told_to_stop_finishes_what_it_runs(stage, queued):
    ended, stop, begun = [], asyncio.Event(), asyncio.Event()

    async def handler(payload):
        begun.set()
        await asyncio.sleep(0.5)
        ended.append(1)

    async with stage.database.write() as session:
        await jobs.enqueue(session, "x", {}, "k:0")
    task = await working(stage, {"x": handler}, stop)
    await begun.wait()
    stop.set()
    await task
    assert ended == [1]
    assert await queued() == 0


async def test_the_sweeper_finds_syncs_that_no_job_speaks_of(stage, queued):
    completed = await stage.connect("sim.single")
    await stage.execute("delete from pgqueuer")
    for expected in (0, 1, 0):
        async with stage.database.write() as session:
            assert await schedule.sweep(session) == expected
        await stage.execute("update syncs set touched_at = now() - interval '2 minutes'")
    async with stage.working():
        assert (await stage.ended(completed.sync_id))["status"] == "SUCCEEDED"


async def test_what_the_sweeper_finds_goes_first_only_where_somebody_waits(stage):
    first = await stage.connect("sim.single")
    second = await stage.connect("sim.twenty")
    third = await stage.connect("sim.quiet")
    async with stage.database.write() as session:
        await (await raw(session)).execute("update syncs set status = 'FAILED' where id <> $1", first.sync_id)
    async with stage.database.write() as session:
        awaited = await sync.request(session, stage.account, False, second.creator_id, "MANUAL")
        scheduled = await sync.request(session, stage.account, False, third.creator_id, "SCHEDULED")
    await stage.execute("delete from pgqueuer")
    await stage.execute("update syncs set touched_at = now() - interval '2 minutes'")
    async with stage.database.write() as session:
        assert await schedule.sweep(session) == 3
    for sync_id, priority in (
        (first.sync_id, jobs.SOON),
        (awaited.sync_id, jobs.SOON),
        (scheduled.sync_id, jobs.LATER),
    ):
        found = await stage.value("select priority from pgqueuer where dedupe_key = $1", f"{sync_id}:0")
        assert found == priority


async def test_creators_whose_time_has_come_are_read_again_once(stage):
    completed = await stage.connect("sim.single")
    async with stage.working():
        await stage.ended(completed.sync_id)
    async with stage.database.write() as session:
        assert await schedule.plan(session) == 0
    await stage.execute("update creators set next_sync_at = now()")
    for expected in (1, 0):
        async with stage.database.write() as session:
            assert await schedule.plan(session) == expected
    assert await stage.value("select count(*) from syncs where trigger = 'SCHEDULED'") == 1
    assert sync.ENDED
