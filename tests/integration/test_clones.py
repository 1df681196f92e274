"""The tests' own ground: what one test did to its database, no other test meets."""

import asyncpg
import pytest

from tests.clones import CATALOG, WRITTEN, Clones


async def _contents(address):
    """Every row, every sequence, and what tables there are."""
    connection = await asyncpg.connect(address)
    names = [row[0] for row in await connection.fetch(WRITTEN)]
    rows = {name: await connection.fetch(f"select * from {name} order by 1") for name in names}
    sequences = await connection.fetch("select * from pg_sequences")
    catalog = await connection.fetchval(CATALOG)
    await connection.close()
    return rows, sequences, catalog


@pytest.fixture
async def mine(postgres):
    clones = await Clones.of(postgres)
    yield clones
    await clones.admin.close()


@pytest.mark.parametrize(
    ("done", "again"),
    [
        ("select 1", True),
        ("insert into accounts (name, plan) values ('a', 'pro')", True),
        ("update plans set requests_per_minute = requests_per_minute + 1", True),
        ("delete from usage_marks", True),
        ("delete from plans", True),
        ("select nextval('ledger_id_seq')", True),
        ("insert into syncs select * from syncs; create table mine (id int)", False),
        ("alter table accounts add more text", False),
        ("alter table accounts alter name set statistics 500", False),
        ("alter table accounts disable trigger all", False),
        ("drop table plans cascade", False),
        ("analyze plans", False),
    ],
)
async def test_a_database_is_as_new_for_the_next_test_or_gone(mine, done, again):
    first = await mine.take()
    new = await _contents(mine.at(first))
    left_open = await asyncpg.connect(mine.at(first))
    await left_open.execute(done)
    await left_open.execute("begin; select pg_advisory_lock(1); listen all_of_it")
    await mine.give_back(first)
    assert (f"used_{first}" in mine.clean) is again
    second = await mine.take()
    assert await _contents(mine.at(second)) == new
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await asyncpg.connect(mine.at(first))
    await mine.give_back(second)
    left_open.terminate()
