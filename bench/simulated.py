"""The simulated platforms in a process of their own, our connectors to them, and creators that consent."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import aiohttp
import yarl

from bench.bed import free_port
from db.backends import Way
from db.session import Database
from services import connecting
from services.platforms import base, client, instagram, registry, tiktok, youtube
from services.vault import Vault
from simulators import instagram_media, people, videos, youtube_channels

CLIENT = ("ck", "cs")
PLATFORMS: Final = ("TIKTOK", "INSTAGRAM", "YOUTUBE")
REDIRECT = "https://ours.example/{}/callback"
UNLIMITED = {
    "/_control": {"rate_limit": 10**9},
    "/instagram/_control": {"knobs": {"app_calls": 10**9, "account_calls": 10**9, "youngest": 0}},
    "/youtube/_control": {"quota": 10**9, "rate_limit": 10**9},
}
START_SECONDS = 30


@contextlib.contextmanager
def running(client: tuple[str, str] = CLIENT, way: Way | None = None) -> Iterator[str]:
    """The simulators' address, from when they are started until the block ends; `client` is registered there.

    `way`: how far they give way to others.
    """
    port = free_port()
    redirects = [part for name in PLATFORMS for part in ("--redirect-uri", REDIRECT.format(name.lower()))]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "simulators"),
            *("--control", "--port", str(port)),
            *("--client-key", client[0], "--client-secret", client[1]),
            *redirects,
        ],
        stdout=subprocess.DEVNULL,
    )
    if way:
        way.take(process.pid)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def unlimited(url: str) -> None:
    """Wait until they answer, and put their limits out of the way."""
    async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as http:
        for path, order in UNLIMITED.items():
            while not await _ordered(http, url + path, order):  # noqa: ASYNC110 -- another process starts
                await asyncio.sleep(0.1)


async def _ordered(http: aiohttp.ClientSession, address: str, order: Any) -> bool:
    try:
        async with http.post(address, json=order) as answer:
            answer.raise_for_status()
    except aiohttp.ClientConnectorError:
        return False
    return True


def connectors(
    url: str, http: aiohttp.ClientSession, client_of: tuple[str, str] = CLIENT
) -> registry.Platforms:
    """Ours in test mode, without budgets: no platform's limit is kept here."""
    made: dict[tuple[str, bool], base.Connector] = {}
    for kind in (tiktok.TikTok, instagram.Instagram, youtube.YouTube):
        address = f"{url}/{kind.platform.lower()}"
        app = base.App(*client_of, auth_url=address, api_url=address)
        made[kind.platform, False] = kind(app, client.Client(http))
    return registry.Platforms(made)


@dataclass(frozen=True)
class Side:
    """What connects and looks on, beside the workers."""

    database: Database
    vault: Vault
    platforms: registry.Platforms
    http: aiohttp.ClientSession

    async def account(self, name: str) -> UUID:
        connection = await self.database.connect()
        made: UUID = await connection.fetchval(
            "insert into accounts (name, plan) values ($1, 'ultra') returning id", name
        )
        await connection.close()
        return made

    async def connect(self, account: UUID, platform: str, username: str) -> UUID:
        """The creator consents; the new creator's id. Its first sync is queued."""
        connector = self.platforms.connector(platform, False)
        redirect = REDIRECT.format(platform.lower())
        async with self.database.write() as session:
            begun = await connecting.begin(
                session, self.vault, connector, account_id=account, livemode=False, platform=platform,
                reference=None, return_url=None, redirect_uri=None, callback_url=redirect, now=datetime.now(UTC),
            )  # fmt: skip
        form = [
            ("creator", username),
            ("decision", "approve"),
            *(("scope", one) for one in connector.scopes),
        ]
        url = yarl.URL(begun.auth_url, encoded=True)
        async with self.http.post(url, data=form, allow_redirects=False) as answer:
            query = list(yarl.URL(answer.headers["Location"], encoded=True).query.items())
        completed = await connecting.callback(
            self.database, self.vault, self.platforms, platform=platform, query=query
        )
        assert completed.creator_id is not None, completed.error
        return completed.creator_id


@contextlib.asynccontextmanager
async def beside(
    database: Database, key: bytes, url: str, client_of: tuple[str, str] = CLIENT
) -> AsyncIterator[Side]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield Side(database, Vault([key]), connectors(url, http, client_of), http)


def names(count: int) -> list[str]:
    """So many people who are on all three platforms."""
    everyone = [one.username for one in people.CREATORS if one.username != youtube_channels.WITHOUT_CHANNEL]
    return everyone[:count]


def shown(platform: str, username: str, now: float) -> set[str]:
    """The ids of what the platform shows of a creator at an instant."""
    creator = people.BY_USERNAME[username]
    if platform == "INSTAGRAM":
        return {one.id for one in instagram_media.before(creator, None, now)}
    if platform == "YOUTUBE":
        uploads = youtube_channels.everything(creator, now)
        return {one.id for one in uploads if one.privacy != "private" and not one.dropped}
    return {one.id for one in videos.before(creator, None, now)}
