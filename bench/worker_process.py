"""A worker in a process of its own, for somebody to kill: database, simulators, vault key and a broker's nodes as arguments."""

import asyncio
import base64
import sys

import aiohttp

from bench import simulated
from server import worker
from services.vault import Vault


async def main(address: str, url: str, key: str, *nodes: str) -> None:
    database = await worker.connected(address)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        vault = Vault([base64.b64decode(key)])
        await worker.run(database, vault, simulated.connectors(url, http), asyncio.Event(), nodes=nodes)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
