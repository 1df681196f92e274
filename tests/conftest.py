"""Real PostgreSQL for every test that asks: one server a run, one migrated template, a database as new a test."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
import structlog
from filelock import FileLock
from hypothesis import HealthCheck, settings

from db import embedded, migrate
from db.session import Database, open_database
from graph import running
from tests.clones import TEMPLATE, Clones
from tests.shell import Shell, opened

RUN_DIR = "CREATOR_GRAPH_TEST_RUN_DIR"
COMPILED = "CREATOR_GRAPH_COMPILED"
ROOMY = 4 * 1024**3
HOUR, LONG = 3_600, 20
FIRST = {"test_broker.py", "test_processes.py", "test_graphiql.py", "test_react_example.py"}


# What is drawn is drawn alike in every run, and takes as long as it takes.
settings.register_profile(
    "alike", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("alike")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips", action="store_true", help="tests skip nothing: what they need is installed"
    )
    parser.addoption(
        "--ordinary",
        action="store_true",
        help="with the compiled path off: graphql-core executes every operation; for tests of the service",
    )


def _roomy_memory() -> str | None:
    """Where files cost no disk, if this machine has it: databases are thousands of small files."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > ROOMY else None


def pytest_configure(config: pytest.Config) -> None:
    """One directory for all of a run's processes: workers inherit its name.

    Outside pytest's own: a run beside this one resets the rights of that, and PostgreSQL, which may run
    as another user, could not read its files any more.
    """
    os.environ[COMPILED] = "false" if config.getoption("--ordinary") else "true"
    if RUN_DIR not in os.environ:
        os.environ[RUN_DIR] = tempfile.mkdtemp(prefix="creator-graph-tests-", dir=_roomy_memory())
        Path(os.environ[RUN_DIR]).chmod(0o755)
        config.add_cleanup(lambda: shutil.rmtree(os.environ.pop(RUN_DIR), ignore_errors=True))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long goes first, and one process keeps what it made for a whole file: others steal from the end."""
    if config.getoption("--ordinary"):
        items[:] = [item for item in items if not item.get_closest_marker("compiled")]
    items.sort(key=lambda item: item.path.name not in FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With --no-skips, what would skip fails: a machine that lost its browser must not look as if all had passed."""
    report: Any = yield
    if item.config.getoption("--no-skips") and report.skipped and not item.get_closest_marker("by_hand"):
        report.outcome, report.longrepr = "failed", f"skipped, under --no-skips: {report.longrepr}"
    return report


async def _make_template(address: str) -> None:
    admin = await asyncpg.connect(address)
    if not await admin.fetchval("select true from pg_database where datname = $1", TEMPLATE):
        # A machine that dies takes the run's data along anyway: what is tested is what a killed process leaves.
        await admin.execute("alter system set fsync = off")
        await admin.execute("alter system set full_page_writes = off")
        await admin.execute("alter system set max_wal_size = '1GB'")
        # No test's database lives long enough to be vacuumed; a reused one is to be as young.
        await admin.execute("alter system set autovacuum = off")
        await admin.execute("select pg_reload_conf()")
        await admin.execute(f"create database {TEMPLATE}")
        database = await open_database(address.replace("/postgres?", f"/{TEMPLATE}?"))
        await migrate.upgrade(database)
        await database.close()
    await admin.close()


@pytest.fixture(autouse=True)
def within_the_hour() -> None:
    """No hour, day or month begins while a test runs, nor California's day: they all begin on the hour."""
    left = HOUR - time.time() % HOUR
    if left < LONG:
        time.sleep(left + 0.1)


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """Where a test provokes a failure, its frames are told without every variable in them, which takes seconds."""
    *before, _ = structlog.get_config()["processors"]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*before, plain])


@pytest.fixture(autouse=True)
def nothing_read_twice(request: pytest.FixtureRequest) -> Iterator[None]:
    """A compiled path that is wrong would go unnoticed: what fails there is read again, and answered."""
    heard: list[Exception] = []
    tell = running.read_twice

    def told(failure: Exception, request_id: str) -> None:
        heard.append(failure)
        tell(failure, request_id)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "read_twice", told)
        yield
    if heard and not request.node.get_closest_marker("read_twice"):
        raise AssertionError("The compiled path failed where the ordinary one did not.") from heard[0]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of the run's server, its template made."""
    home = Path(os.environ[RUN_DIR])
    with FileLock(home / "postgres.lock"):
        server, address = embedded.start(home / "pg")
        asyncio.run(_make_template(address))
    yield address
    server.cleanup()  # before the run's directory goes


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def clones(postgres: str) -> AsyncIterator[Clones]:
    """This process's own; none is dropped at the end: the server goes with all of them."""
    clones = await Clones.of(postgres)
    yield clones
    await clones.admin.close()


@pytest_asyncio.fixture(loop_scope="session")
async def address(clones: Clones) -> AsyncIterator[str]:
    """The address of an empty, migrated database of this test's own."""
    name = await clones.take()
    yield clones.at(name)
    await clones.give_back(name)


@pytest.fixture
async def database(address: str) -> AsyncIterator[Database]:
    database = await open_database(address)
    yield database
    await database.close()


@pytest.fixture(scope="session")
def shell() -> Iterator[Shell]:
    """Runs commands: `await shell.run("keys", "list", database_url=address)`."""
    with opened(Path(os.environ[RUN_DIR]) / f"shell-{os.getpid()}") as shell:
        yield shell
