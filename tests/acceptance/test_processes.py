"""What a shell starts: real processes, stopped and killed as operators and machines do it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import text

from db import backends
from tests import ports

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(address, tmp_path):
    return os.environ | {
        "CREATOR_GRAPH_DATABASE_URL": address,
        "CREATOR_GRAPH_DATA_DIR": str(tmp_path / "data"),
        "CREATOR_GRAPH_PORT": str(ports.free()),
    }


async def start(environment, *arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *arguments, "--json", cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def started(environment, *arguments):
    """A process and the first value it prints; killed at the end where it still runs."""
    process = await start(environment, *arguments)
    try:
        async with asyncio.timeout(120):
            line = await process.stdout.readline()
        if not line:
            pytest.fail((await process.stderr.read()).decode())
        yield process, json.loads(line)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # what it started, too: that would hold the pipes open
        await process.communicate()


@pytest.fixture
def begun(shell, environment, tmp_path):
    """As `started`, without the seconds of an interpreter's start: one of these tests is enough for that."""

    @contextlib.asynccontextmanager
    async def begin(*arguments):
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        process = await shell.begin("command", *arguments, "--json", out=out, environment=environment)
        try:
            yield process, await process.value()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    return begin


@pytest.fixture
def once(shell, environment):
    """Runs a command to its end; answers exit code, stdout and stderr."""

    async def run(*arguments):
        return await shell.run(*arguments, "--json", environment=environment)

    return run


async def stopped(process, sent=signal.SIGTERM):
    """Exit code, told to stop."""
    process.send_signal(sent)
    async with asyncio.timeout(60):
        return await process.wait()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid):
    return Path(f"/proc/{pid}").exists()


async def until(found, seconds=90):
    async with asyncio.timeout(seconds):
        while not (value := found()):
            await asyncio.sleep(0.05)
        return value


async def status(http, url):
    try:
        async with http.get(url) as answer:
            return answer.status
    except aiohttp.ClientError:
        return None


async def test_serve_with_a_worker_answers_survives_its_workers_death_and_stops_in_order(environment, once):
    code, out, err = await once("accounts", "create", "--name", "Shop")
    assert (code, out.count("\n"), err) == (0, 1, "")
    async with started(environment, "serve", "--worker") as (process, value), aiohttp.ClientSession() as http:
        assert value["pid"] == process.pid
        assert await status(http, f"{value['url']}/healthz") == 200
        assert await status(http, f"{value['url']}/readyz") == 200
        (first,) = await until(lambda: children(process.pid))
        os.kill(first, signal.SIGKILL)
        (second,) = await until(lambda: [child for child in children(process.pid) if child != first])
        assert second != first

        code, out, err = await once("demo", "--account", "Shop", "--creators", "2")
        assert code == 0, err
        shown = json.loads(out)
        assert [row["sync"] for row in shown] == ["succeeded"] * 2
        # The worker left half of the cores to the API, and the processor to whoever waits.
        assert os.sched_getaffinity(second) == backends.half_of_the_cores()
        assert os.sched_getaffinity(process.pid) == os.sched_getaffinity(0)
        assert os.getpriority(os.PRIO_PROCESS, second) >= 10
        assert all(row["id"].startswith("crt_") and row["videos"] for row in shown)
        assert await stopped(process) == 0
        await until(lambda: not alive(second))
    code, _out, err = await once("demo", "--account", "Shop", "--creators", "1")
    assert code == 1
    assert "error" in json.loads(err.splitlines()[-1])


async def test_run_shows_an_answer_and_the_next_run_revokes_the_last_key(begun, once):
    async with begun("run") as (process, first), aiohttp.ClientSession() as http:
        assert first.keys() == {"graphiql", "graphql", "key", "curl", "answer"}
        assert first["key"] in first["curl"]
        assert first["answer"]["data"]["creators"]["totalCount"] == 3
        assert await viewer(http, first) == 200
        assert await stopped(process, signal.SIGINT) == 0
    async with begun("run") as (process, second), aiohttp.ClientSession() as http:
        assert second["answer"]["data"]["creators"]["totalCount"] == 3
        assert (await viewer(http, second), await viewer(http, second | {"key": first["key"]})) == (200, 401)
        taken, _out, err = await once("serve")
        assert taken == 1
        assert json.loads(err.splitlines()[-1])["error"]["code"] == "CONFLICT"
        assert await stopped(process) == 0


async def viewer(http, shown):
    async with http.post(
        shown["graphql"], json={"query": "{ viewer { keyName } }"}, headers={"X-API-Key": shown["key"]}
    ) as answer:
        return answer.status


async def test_processes_share_a_port_and_one_that_dies_is_started_again(begun):
    async with (
        begun("serve", "--processes", "2") as (process, value),
        aiohttp.ClientSession() as http,
    ):
        assert value["processes"] == 2
        first, second = await until(lambda: len(children(process.pid)) == 2 and children(process.pid))
        os.kill(first, signal.SIGKILL)
        await until(lambda: len(children(process.pid)) == 2 and first not in children(process.pid))
        assert await status(http, f"{value['url']}/readyz") == 200
        assert await stopped(process) == 0
        await until(lambda: not alive(second))


@pytest.mark.parametrize("number", ["1", "2"])
async def test_a_database_without_tables_ends_serve_with_one_refusal_however_many_processes(
    once, database, number
):
    async with database.write() as session:
        await session.execute(text("drop schema public cascade"))
        await session.execute(text("create schema public"))
    async with asyncio.timeout(60):
        code, out, err = await once("serve", "--processes", number)
    assert (code, out) == (1, "")
    assert [json.loads(line)["error"]["remedy"] for line in err.splitlines()] == [
        "Run: creator-graph migrate"
    ]
