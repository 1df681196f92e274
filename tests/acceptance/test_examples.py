"""examples/ as a reader runs them: each as its own process, against the whole service."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator

import pytest

from server.settings import ROOT
from services import errors

EXAMPLES = ROOT / "examples"
PYTHON = (sys.executable, EXAMPLES / "python/main_job.py")
CURL = ("sh", EXAMPLES / "curl/main_job.sh")
NEEDS = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq are not installed."
)
EACH = pytest.mark.parametrize("command", [PYTHON, pytest.param(CURL, marks=NEEDS)], ids=["python", "curl"])


class Running:
    """An example as it runs: what it said so far, and what it printed in the end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.said = process, ""

    async def line(self, beginning: str) -> str:
        """The next line on its standard error that begins so."""
        async for raw in self.process.stderr:
            self.said += raw.decode()
            if raw.decode().startswith(beginning):
                return raw.decode().strip()
        raise AssertionError(self.said)

    async def end(self) -> tuple[int, str]:
        printed, said = await self.process.communicate()
        self.said += said.decode()
        return self.process.returncode, printed.decode()


@contextlib.asynccontextmanager
async def running(service, command, key: str = "") -> AsyncIterator[Running]:
    environment = {
        "PATH": os.environ["PATH"],
        "CREATOR_GRAPH_URL": service.url,
        "CREATOR_GRAPH_KEY": key or service.test,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=pipe, stderr=pipe, start_new_session=True
    )
    try:
        async with asyncio.timeout(180):
            yield Running(process)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # a script's curl, too: it would hold the pipes open
            await process.wait()


@EACH
async def test_the_main_job_runs_from_the_consent_to_the_last_page(service, command):
    await service.connected("sim.daily")
    await service.connected("sim.tess", platform="YOUTUBE")  # who hides the number of subscribers
    async with running(service, command) as example:
        address = await example.line("http")
        await service.land(await service.decide(address, "sim.burst"))
        code, printed = await example.end()
    assert code == 0, example.said
    assert "SUCCEEDED: 100" in example.said
    assert "sim.burst (TIKTOK): " in printed
    assert "followers, 300 videos, " in printed
    assert "sim.daily (TIKTOK): " in printed
    assert " (YOUTUBE): ? followers, " in printed
    records = await service.tables_of("idempotent_answers")
    assert len(records) == 2  # the connect and the sync, each sent under a key of its own
    assert service.test not in example.said + printed


@EACH
async def test_who_is_asked_to_wait_waits_and_who_is_refused_says_why(service, command, monkeypatch):
    limits, waits = service.house.services.limits, [1]
    take = limits.take

    def take_the_second_time(caller, now):
        if waits:
            raise errors.RateLimited(waits.pop())
        return take(caller, now)

    monkeypatch.setattr(limits, "take", take_the_second_time)
    async with running(service, command) as example:
        assert "/v2/auth/authorize/" in await example.line("http")
    assert waits == []
    async with running(service, command, key=service.test[:-1] + "!") as example:
        code, _ = await example.end()
    assert code != 0
    assert "UNAUTHENTICATED: Invalid API key" in example.said
