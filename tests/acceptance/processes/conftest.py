"""Server processes on one database, as many as a test wants, each with settings of its own."""

import asyncio
import contextlib
import itertools

import pytest

from db.session import open_database
from tests import ports, redis_server


class Servers:
    """Processes that serve, by address."""

    def __init__(self, shell, folder, **settings):
        self.shell, self.folder, self.settings = shell, folder, settings
        self.begun, self.by_url, self.numbers = [], {}, itertools.count()

    async def start(self, **settings):
        """A server with these settings; answers where it takes operations."""
        out, given = self.folder / f"server-{next(self.numbers)}", self.settings | settings
        process = await self.shell.begin("server", out=out, port=ports.free(), **given)
        self.begun.append(process)
        url = (await process.value())["graphql"]
        self.by_url[url] = process
        return url

    def kill(self, url):
        self.by_url.pop(url).kill()

    async def end(self):
        for process in self.begun:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.gather(*(process.wait() for process in self.begun))


@pytest.fixture
async def database(address):
    found = await open_database(address)
    yield found
    await found.close()


@pytest.fixture
async def servers(address, shell, tmp_path):
    found = Servers(shell, tmp_path, database_url=address, data_dir=tmp_path / "data")
    yield found
    await found.end()


@pytest.fixture
def redis():
    yield from redis_server.running()
