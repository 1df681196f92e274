"""Connections that only read: handed out, given back, thrown away."""

import asyncio

import asyncpg
import pytest

from db.readers import Readers
from db.session import READER_SETTINGS


@pytest.fixture
async def readers(address: str):
    readers = Readers(address, most=2, patience=60, command_timeout=60, settings=READER_SETTINGS)
    yield readers
    await readers.close()


async def backend(connection: asyncpg.Connection) -> int:
    return await connection.fetchval("select pg_backend_pid()")


async def test_the_connection_used_last_is_used_first(readers: Readers):
    async with readers.lease() as one, readers.lease() as two:
        first, second = await backend(one), await backend(two)
    async with readers.lease() as again:
        assert await backend(again) == first  # `one` was given back last
    assert first != second


async def test_nothing_can_be_written(readers: Readers):
    async with readers.lease() as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("create table never ()")


async def test_who_finds_none_free_waits_and_is_served_in_order(readers: Readers):
    served: list[int] = []

    async def reader(number: int) -> None:
        async with readers.lease() as connection:
            await connection.execute("select pg_sleep(0.02)")
            served.append(number)

    await asyncio.gather(*(reader(number) for number in range(10)))
    assert sorted(served) == list(range(10))
    assert served.index(9) > served.index(1)


async def test_who_waits_too_long_is_told_so_and_takes_nothing_away(
    readers: Readers, monkeypatch: pytest.MonkeyPatch
):
    async with readers.lease(), readers.lease():
        monkeypatch.setattr(readers, "_patience", 0.2)
        with pytest.raises(TimeoutError):
            async with readers.lease():
                pass
        monkeypatch.undo()
    async with readers.lease() as one, readers.lease() as two:
        assert await backend(one) != await backend(two)


async def test_a_cancelled_read_never_hands_its_connection_on(readers: Readers):
    async def slow() -> None:
        async with readers.lease() as connection:
            taken.append(await backend(connection))
            await connection.execute("select pg_sleep(30)")

    taken: list[int] = []
    task = asyncio.create_task(slow())
    async with asyncio.timeout(60):
        while not taken:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with readers.lease() as one, readers.lease() as two:
        assert taken[0] not in {await backend(one), await backend(two)}


async def test_a_dead_connection_is_replaced(readers: Readers, address: str):
    async with readers.lease() as dead:
        dying = await backend(dead)
    other = await asyncpg.connect(address)
    await other.execute("select pg_terminate_backend($1)", dying)
    await other.close()
    async with asyncio.timeout(60):
        while not dead.is_closed():
            await asyncio.sleep(0.01)
    async with readers.lease() as connection:
        assert await backend(connection) != dying


async def test_who_is_cancelled_while_waiting_loses_no_connection(readers: Readers):
    async with readers.lease(), readers.lease():
        waiting = asyncio.create_task(readers.take())
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with readers.lease() as one, readers.lease() as two:
        assert await backend(one) != await backend(two)


async def test_who_waits_when_the_readers_close_is_told_so_as_soon_as_one_comes_back(readers: Readers):
    async with asyncio.timeout(30):  # before its patience is over
        async with readers.lease(), readers.lease():
            waiting = [asyncio.create_task(readers.take()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await readers.close()
        told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(error) for error in told] == [
        asyncio.CancelledError,
        asyncpg.InterfaceError,
        asyncpg.InterfaceError,
    ]


async def test_a_read_beyond_those_that_are_quick_waits_for_one_of_them(address: str):
    readers = Readers(address, most=3, quick=1, patience=60, command_timeout=60, settings=READER_SETTINGS)
    async with readers.lease() as first:
        waiting = asyncio.create_task(readers.take())
        await asyncio.sleep(0)
        assert readers.queued
    assert await waiting is first
    assert not readers.queued
    readers.give_back(first)
    await readers.close()


async def test_slow_reads_keep_no_quick_one_waiting_until_all_connections_are_slow(address: str):
    readers = Readers(address, most=3, quick=1, patience=1, command_timeout=60, settings=READER_SETTINGS)
    async with readers.lease() as one, readers.lease() as two, readers.lease() as three:
        assert len({await backend(connection) for connection in (one, two, three)}) == 3
        with pytest.raises(TimeoutError):
            await readers.take()
    await readers.close()


async def test_connections_go_to_those_who_wait_in_the_order_they_came(readers: Readers):
    async with readers.lease() as one, readers.lease() as two:
        waiting = [asyncio.create_task(readers.take()) for _ in range(2)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [two, one]  # `two` was given back first
    for connection in (one, two):
        readers.give_back(connection)
