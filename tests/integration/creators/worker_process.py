"""A worker in a process of its own, for a test to kill: address, simulator, vault key as arguments."""

import asyncio
import base64
import sys

import aiohttp

from db.session import open_database
from server import worker
from services.platforms import base, client, instagram, registry, tiktok, youtube
from services.vault import Vault


async def main(address: str, url: str, key: str) -> None:
    database = await open_database(address)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        http, root = client.Client(session), url.removesuffix("/tiktok")
        connectors = {}
        for kind in (tiktok.TikTok, instagram.Instagram, youtube.YouTube):
            address_of = f"{root}/{kind.platform.lower()}"
            app = base.App("ck", "cs", auth_url=address_of, api_url=address_of)
            connectors[kind.platform, False] = kind(app, http)
        platforms = registry.Platforms(connectors)
        await worker.run(database, Vault([base64.b64decode(key)]), platforms, asyncio.Event())


asyncio.run(main(*sys.argv[1:]))
