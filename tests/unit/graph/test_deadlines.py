"""Time limits with one timer for all: each ends its own block, when its time is over, and no other."""

import asyncio

import pytest

from graph.deadlines import Deadlines


async def within(deadlines, seconds, wait):
    with deadlines.within(seconds):
        await asyncio.sleep(wait)
    return "done"


async def test_who_takes_longer_is_ended_and_nobody_else():
    deadlines = Deadlines()
    told = await asyncio.gather(
        *(within(deadlines, 0.1, wait) for wait in (60, 0, 60)),
        within(deadlines, 60, 0.3),
        return_exceptions=True,
    )
    assert [each if each == "done" else type(each) for each in told] == [
        TimeoutError, "done", TimeoutError, "done",
    ]  # fmt: skip
    assert not deadlines._running


async def test_a_later_one_that_ends_sooner_is_ended_in_its_time():
    deadlines = Deadlines()
    await within(deadlines, 60, 0)
    async with asyncio.timeout(30):
        with pytest.raises(TimeoutError):
            await within(deadlines, 0.05, 60)


async def test_who_is_cancelled_from_outside_stays_cancelled():
    deadlines = Deadlines()
    task = asyncio.create_task(within(deadlines, 60, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_the_block_raises_is_what_is_raised():
    deadlines = Deadlines()
    with pytest.raises(ZeroDivisionError), deadlines.within(60):
        raise ZeroDivisionError


async def test_those_that_are_over_are_forgotten():
    deadlines = Deadlines()
    for _ in range(100):
        await within(deadlines, 60, 0)
    assert not deadlines._running
