"""Real PostgreSQL for every test that asks: one server a run, one migrated template, a clone a test."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from db import embedded, migrate
from db.session import Database, open_database
from filelock import FileLock


def _run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all of a run's processes."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


async def _make_template(address: str) -> None:
    admin = await asyncpg.connect(address)
    if not await admin.fetchval("select true from pg_database where datname = 'template_graph'"):
        await admin.execute("alter system set max_connections = 300")
        await admin.execute("create database template_graph")
        database = await open_database(_address(address, "template_graph"))
        await migrate.upgrade(database)
        await database.close()
    await admin.close()


def _address(address: str, name: str) -> str:
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the run's server, its template made."""
    home = _run_dir(tmp_path_factory)
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
    await admin.execute(f"create database {name} template template_graph")
    yield _address(postgres, name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    database = await open_database(address)
    yield database
    await database.close()
