"""A whole small world: the simulated platforms over loopback HTTP, our services on a real database, a worker."""

import asyncio
import base64
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import yarl
from aiohttp import test_utils

import simulators
from bench import killing
from db.session import Database
from server import worker
from services import connecting, grants, jobs, platform_events, sync, waits
from services.platforms import base, client, instagram, kept, registry, tiktok, tiktok_signed, youtube
from services.vault import Vault
from simulators import webhooks
from tests import periodics
from tests.shell import Begun, Shell

CALLBACK = "https://ours.example/connect/tiktok/callback"
CALLBACKS = {
    name: f"https://ours.example/connect/{name.lower()}/callback"
    for name in ("TIKTOK", "INSTAGRAM", "YOUTUBE")
}
RETURN = "https://partner.example/done"
OWN = "https://partner.example/redirect"

ACCOUNT = """
with plan as (
  insert into plans (name, rank, monthly_credits, requests_per_minute, test_requests_per_minute, max_websockets)
  values ('sandbox', 0, 1000, 60, 30, 1) on conflict do nothing)
insert into accounts (name, plan, return_urls) values ($1, 'sandbox', $2) returning id
"""


@dataclass
class Stage:
    database: Database
    vault: Vault
    platforms: registry.Platforms
    connector: tiktok.TikTok
    session: aiohttp.ClientSession
    world: Any
    application: Any
    url: str
    account: UUID
    key: bytes

    @property
    def root(self) -> str:
        """Where all simulated platforms are."""
        return self.url.removesuffix("/tiktok")

    def connector_of(self, platform: str) -> Any:
        return self.platforms.connectors[platform, False]

    async def begin(self, own: bool = False, platform: str = "TIKTOK", **more: Any) -> connecting.Begun:
        asked = {
            "reference": None, "return_url": RETURN, "redirect_uri": OWN if own else None, "account_id": self.account,
            "livemode": False, "platform": platform, "callback_url": CALLBACKS[platform], "now": datetime.now(UTC),
        } | more  # fmt: skip
        async with self.database.write() as session:
            return await connecting.begin(session, self.vault, self.connector_of(platform), **asked)

    async def decide(self, begun, creator, scopes=None, decision="approve", platform="TIKTOK"):
        """What the creator's browser brings back."""
        scopes = self.connector_of(platform).scopes if scopes is None else scopes
        form = [("creator", creator), ("decision", decision), *(("scope", scope) for scope in scopes)]
        url = yarl.URL(begun.auth_url, encoded=True)
        async with self.session.post(url, data=form, allow_redirects=False) as answer:
            return list(yarl.URL(answer.headers["Location"], encoded=True).query.items())

    async def callback(self, query, platform="TIKTOK", **more):
        return await connecting.callback(
            self.database, self.vault, self.platforms, platform=platform, query=query, **more
        )

    async def connect(self, creator, scopes=None, platform="TIKTOK", **more):
        begun = await self.begin(platform=platform, **more)
        query = await self.decide(begun, creator, scopes, platform=platform)
        return await self.callback(query, platform)

    async def attempt(self, state, account=None, now=None, livemode=False):
        async with self.database.read() as connection:
            return await connecting.attempt(
                connection, account or self.account, livemode, state, now or datetime.now(UTC)
            )

    async def request(self, creator_id, trigger="MANUAL"):
        async with self.database.write() as session:
            return await sync.request(session, self.account, False, creator_id, trigger)

    def forget(self) -> None:
        """Nothing is kept of what YouTube answered, as in a process that has just begun."""
        self.connector_of("YOUTUBE")._kept = kept.Kept()

    def whose(self, creator_id) -> grants.Whose:
        return grants.Whose(self.account, False, creator_id)

    async def held(self, creator_id) -> grants.Held:
        return await grants.read(self.database, self.vault, self.whose(creator_id))

    async def another(self) -> UUID:
        """Another account."""
        return await new_account(self.database, "another")

    async def one(self, statement, *values):
        async with self.database.read() as connection:
            return await connection.fetchrow(statement, *values)

    async def value(self, statement, *values):
        async with self.database.read() as connection:
            return await connection.fetchval(statement, *values)

    async def execute(self, statement, *values):
        connection = await self.database.connect()
        await connection.execute(statement, *values)
        await connection.close()

    async def ended(self, sync_id, seconds=120):
        """The sync's row once it has ended."""
        async with asyncio.timeout(seconds):
            while True:
                row = await self.one("select * from syncs where id = $1", sync_id)
                if row is None or row["status"] in sync.ENDED:
                    return row
                await asyncio.sleep(0.05)

    async def ended_now(self, sync_id):
        """The same, without a worker: read here, slice by slice."""
        while (row := await self.one("select * from syncs where id = $1", sync_id))[
            "status"
        ] not in sync.ENDED:
            payload = sync.job(self.account, False, sync_id, row["slice"])[0]
            assert await sync.run_slice(self.database, self.vault, self.platforms, payload) is None
        return row

    async def until(self, statement, *values, seconds=90):
        """The first row of a statement, once there is one."""
        async with asyncio.timeout(seconds):
            while (row := await self.one(statement, *values)) is None:
                await asyncio.sleep(0.05)
        return row

    async def put_off(self, sync_id):
        """The sync's row once it waits for its platform."""
        return await self.until("select * from syncs where id = $1 and error_retry_at is not null", sync_id)

    @contextlib.asynccontextmanager
    async def working(self, **more):
        stop = asyncio.Event()
        task = asyncio.create_task(worker.run(self.database, self.vault, self.platforms, stop, **more))
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(90):
                await task

    async def synced(self, creator_id, trigger="MANUAL"):
        requested = await self.request(creator_id, trigger)
        return await self.ended(requested.sync_id)

    async def removed(self, creator_id):
        """TikTok tells us, signed, that the creator has removed our app."""
        open_id = await self.value("select external_id from creators where id = $1", creator_id)
        now = datetime.now(UTC)
        app = platform_events.Registration("TIKTOK", False, "key", "secret")
        told = webhooks.body("key", tiktok_signed.REMOVED, int(now.timestamp()), open_id, {"reason": 1})
        header = webhooks.signature("secret", int(now.timestamp()), told)
        await platform_events.tiktok(self.database, self.vault, (app,), header, told, now)

    def fault(self, endpoint, kind, **more):
        self.world.faults.add(simulators.Fault(endpoint, kind, **more))

    @property
    def instagram(self):
        return self.application[simulators.INSTAGRAM]

    @property
    def youtube(self):
        return self.application[simulators.YOUTUBE]

    def instagram_fault(self, endpoint, kind, **more):
        self.instagram.faults.add(simulators.InstagramFault(endpoint, kind, **more))

    def videos_of(self, username, platform="TIKTOK"):
        """How many the simulator shows."""
        from simulators import (  # noqa: PLC0415 -- only here does a test look behind the wire
            instagram_media,
            people,
            videos,
            youtube_channels,
        )

        creator, now = people.BY_USERNAME[username], self.world.clock.now()
        if platform == "INSTAGRAM":
            return instagram_media.count(creator, now)
        if platform == "YOUTUBE":
            uploads = youtube_channels.everything(creator, now)
            hidden = self.youtube.knobs.unseen
            return sum(
                one.privacy != "private" and not one.dropped and one.id not in hidden for one in uploads
            )
        return videos.count(creator, now)


async def new_account(database: Database, name: str = "ours") -> UUID:
    connection = await database.connect()
    account: UUID = await connection.fetchval(ACCOUNT, name, [RETURN, OWN])
    await connection.close()
    return account


@pytest.fixture
async def stage(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr(waits, "FIRST", 0.02)
    monkeypatch.setattr(waits, "THROTTLED_FIRST", 0.0)
    monkeypatch.setattr(sync, "MOST_FAILURES", 4)
    monkeypatch.setattr(waits, "SPREAD_FIRST", 0.01)
    monkeypatch.setattr(jobs, "DEQUEUE_TIMEOUT", timedelta(milliseconds=250))
    monkeypatch.setattr(jobs, "RESTART_SECONDS", 0.1)
    periodics.leave_out(monkeypatch)
    known = simulators.exactly(*CALLBACKS.values(), OWN)
    registered = simulators.App("ck", "cs", "Ours", known, pkce_required=True)
    application = simulators.create(
        [registered],
        instagram=[simulators.InstagramApp("ck", "cs", "Ours", known)],
        youtube=[simulators.App("ck", "cs", "Ours", known)],
    )
    world = application[simulators.WORLD]
    world.knobs.rate_limit = 1_000_000
    application[simulators.YOUTUBE].knobs.quota = application[simulators.YOUTUBE].knobs.rate_limit = 1_000_000
    quick = client.Patience(total=30.0, attempts=2, wait_initial=0, wait_max=0, wait_jitter=0)
    async with (
        test_utils.TestServer(application, host="127.0.0.1") as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
    ):
        key = os.urandom(32)
        url, http = str(server.make_url("")).rstrip("/"), client.Client(session, patience=quick)
        connectors = {
            (kind.platform, False): kind(app_at(f"{url}/{kind.platform.lower()}"), http)
            for kind in (tiktok.TikTok, instagram.Instagram, youtube.YouTube)
        }
        yield Stage(
            database,
            Vault([key]),
            registry.Platforms(connectors),
            connectors["TIKTOK", False],
            session,
            world,
            application,
            f"{url}/tiktok",
            await new_account(database),
            key,
        )


def app_at(address: str) -> base.App:
    return base.App("ck", "cs", auth_url=address, api_url=address)


@pytest.fixture
def begin(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Begins a worker process: database, simulators, vault key, a broker's nodes. So does `killing` from here on."""
    count = itertools.count()

    async def started(address: str, url: str, key: bytes, *nodes: str) -> Begun:
        known = (address, url, base64.b64encode(key).decode(), *nodes)
        return await shell.begin("worker", *known, out=tmp_path / f"worker-{next(count)}")

    monkeypatch.setattr(killing, "started", started)
    return started


@pytest.fixture
def queued(stage: Stage):
    async def count() -> int:
        return await stage.value(f"select count(*) from {jobs.TABLE}")

    return count
