"""Real PostgreSQL for every test that asks: one server a run, one migrated template, a clone a test."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from filelock import FileLock

from db import embedded, migrate
from db.session import Database, open_database

RUN_DIR = "CREATOR_GRAPH_TEST_RUN_DIR"


def pytest_configure(config: pytest.Config) -> None:
    """One directory for all of a run's processes: workers inherit its name.

    Outside pytest's own: a run beside this one resets the rights of that, and PostgreSQL, which may run
    as another user, could not read its files any more.
    """
    if RUN_DIR not in os.environ:
        os.environ[RUN_DIR] = tempfile.mkdtemp(prefix="creator-graph-tests-")
        Path(os.environ[RUN_DIR]).chmod(0o755)
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(RUN_DIR), ignore_errors=True))


async def _make_template(address: str) -> None:
    admin = await asyncpg.connect(address)
    if not await admin.fetchval("select true from pg_database where datname = 'template_graph'"):
        # A machine that dies takes the run's data along anyway: what is tested is what a killed process leaves.
        await admin.execute("alter system set fsync = off")
        await admin.execute("alter system set full_page_writes = off")
        await admin.execute("alter system set max_wal_size = '4GB'")
        await admin.execute("select pg_reload_conf()")
        await admin.execute("create database template_graph")
        database = await open_database(_address(address, "template_graph"))
        await migrate.upgrade(database)
        await database.close()
    await admin.close()


def _address(address: str, name: str) -> str:
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of the run's server, its template made."""
    home = Path(os.environ[RUN_DIR])
    with FileLock(home / "postgres.lock"):
        server, address = embedded.start(home / "pg")
        asyncio.run(_make_template(address))
    yield address
    del server


@pytest.fixture
async def address(postgres: str) -> AsyncIterator[str]:
    """The address of an empty, migrated database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres)
    # Copied as files, a tenth of the time that writing each page to the log takes.
    await admin.execute(f"create database {name} template template_graph strategy file_copy")
    yield _address(postgres, name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    database = await open_database(address)
    yield database
    await database.close()
