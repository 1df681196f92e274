"""Small reads that go together: each gets its own rows, and nobody else's trouble but the statement's."""

import asyncio

import asyncpg
import pytest

from db.gathered import MOST_AT_ONCE, Gathered
from db.readers import Readers
from db.session import READER_SETTINGS
from graph.planner.several import for_several

# As many rows as asked for, each telling who asked; a divisor of 0 fails.
SQL = "SELECT n, $2::VARCHAR AS who, 10 / $3::INTEGER AS part FROM generate_series(1, $1::INTEGER) AS n"


@pytest.fixture
async def gathered(address: str):
    readers = Readers(address, most=2, patience=3.0, command_timeout=5, settings=READER_SETTINGS)
    yield Gathered(readers)
    await readers.close()


@pytest.fixture
def sent(monkeypatch):
    """What is sent to the database, with how many rows of arguments."""
    texts: list[tuple[str, int]] = []
    fetch = asyncpg.Connection.fetch

    async def heard(connection, sql, *arguments, **more):
        texts.append((sql, 1 if sql == SQL else len(arguments[1]) if arguments else 0))
        return await fetch(connection, sql, *arguments, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", heard)
    return texts


async def ask(gathered: Gathered, many: int, who: str, part: int = 1):
    return [tuple(row) for row in await gathered.fetch(SQL, for_several(SQL), (many, who, part))]


async def test_each_gets_its_own_rows_and_who_comes_meanwhile_goes_together(gathered, sent):
    asked = [(number % 4, f"who {number}") for number in range(2 * MOST_AT_ONCE + 5)]
    found = await asyncio.gather(*(ask(gathered, *each) for each in asked))
    assert found == [[(n, who, 10) for n in range(1, many + 1)] for many, who in asked]
    assert [many for _, many in sent] == [1, MOST_AT_ONCE, MOST_AT_ONCE, 4]
    sent.clear()
    assert await ask(gathered, 1, "alone") == [(1, "alone", 10)]
    assert sent == [(SQL, 1)]


async def test_what_fails_fails_for_those_together_and_for_nobody_after(gathered):
    told = await asyncio.gather(
        ask(gathered, 1, "first"), ask(gathered, 1, "a", 0), ask(gathered, 1, "b"), return_exceptions=True
    )
    assert [type(each) for each in told] == [list, asyncpg.DivisionByZeroError, asyncpg.DivisionByZeroError]
    told = await asyncio.gather(ask(gathered, 1, "a", 0), ask(gathered, 1, "b"), return_exceptions=True)
    assert [type(each) for each in told] == [asyncpg.DivisionByZeroError, list]
    assert await ask(gathered, 1, "after") == [(1, "after", 10)]


async def test_who_leaves_takes_nobody_along(gathered):
    tasks = [asyncio.create_task(ask(gathered, 1, f"who {number}")) for number in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()  # its statement is under way
    tasks[2].cancel()  # it waits
    told = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in told] == [asyncio.CancelledError, list, asyncio.CancelledError, list, list]
    assert told[3] == [(1, "who 3", 10)]


async def test_nothing_is_read_for_those_who_all_left(gathered, sent):
    tasks = [asyncio.create_task(ask(gathered, 1, f"who {number}")) for number in range(3)]
    await asyncio.sleep(0)
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await ask(gathered, 1, "after") == [(1, "after", 10)]
    assert sent == [(SQL, 1), (SQL, 1)]


async def test_who_came_while_the_last_went_together_is_read_too(gathered):
    async def again(number: int) -> list[str]:
        return [(await ask(gathered, 1, f"{number}.{turn}"))[0][1] for turn in range(5)]

    found = await asyncio.gather(*(again(number) for number in range(7)))
    assert found == [[f"{number}.{turn}" for turn in range(5)] for number in range(7)]


async def test_nobody_queues_for_a_database_that_gives_no_connection(address, monkeypatch):
    readers = Readers(address, most=1, patience=0.3, command_timeout=5, settings=READER_SETTINGS)
    gathered, tries, take = Gathered(readers), [], Readers.take

    async def counted(readers):
        tries.append(1)
        return await take(readers)

    monkeypatch.setattr(Readers, "take", counted)
    async with readers.lease():
        tries.clear()
        told = await asyncio.gather(
            *(ask(gathered, 1, f"who {number}") for number in range(200)), return_exceptions=True
        )
        assert {type(each) for each in told} == {TimeoutError}
        assert len(tries) == 1
    assert await ask(gathered, 1, "after") == [(1, "after", 10)]
    await readers.close()


@pytest.mark.parametrize("error", [TimeoutError, asyncpg.ConnectionDoesNotExistError])
async def test_when_the_database_is_lost_midway_all_who_wait_are_told_at_once(gathered, monkeypatch, error):
    sizes, fetch = [], asyncpg.Connection.fetch

    async def lost(connection, sql, *arguments, **more):
        sizes.append(sql == SQL)
        if sql != SQL:
            raise error
        return await fetch(connection, sql, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "fetch", lost)
        told = await asyncio.gather(
            *(ask(gathered, 1, f"who {number}") for number in range(200)), return_exceptions=True
        )
    assert [type(each) for each in told] == [list] + [error] * 199
    assert sizes == [True, False]
    assert await asyncio.gather(ask(gathered, 1, "a"), ask(gathered, 1, "b")) == [
        [(1, "a", 10)],
        [(1, "b", 10)],
    ]
