"""A simulated TikTok on loopback, and a creator's browser plus an app's server to walk it with."""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import TestClient, TestServer

import simulators

REDIRECT = "https://api.example/connect/tiktok/callback"
ALL_SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")


@dataclass
class Walker:
    """Does what an app and a creator's browser do."""

    client: TestClient
    world: simulators.world.World
    client_key: str = "web"
    client_secret: str = "web-secret"

    async def authorize(
        self, *, creator="sim.ada", ticked=None, decision="approve", **query
    ) -> ClientResponse:
        asked = {
            "client_key": self.client_key,
            "response_type": "code",
            "scope": ",".join(ALL_SCOPES),
            "redirect_uri": REDIRECT,
            "state": "st&te=1",
        } | query
        form = FormData()
        form.add_field("creator", creator)
        form.add_field("decision", decision)
        for scope in asked["scope"].split(",") if ticked is None else ticked:
            form.add_field("scope", scope)
        return await self.client.post(
            "/tiktok/v2/auth/authorize/", params=asked, data=form, allow_redirects=False
        )

    async def code(self, **ask) -> str:
        return self.callback(await self.authorize(**ask))["code"]

    async def token(self, **form) -> tuple[int, dict]:
        secrets = {"client_key": self.client_key, "client_secret": self.client_secret}
        answer = await self.client.post("/tiktok/v2/oauth/token/", data=secrets | form)
        return answer.status, await answer.json()

    async def exchange(self, code: str, **form) -> tuple[int, dict]:
        return await self.token(
            **({"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT} | form)
        )

    async def refresh(self, refresh_token: str) -> tuple[int, dict]:
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token)

    async def connect(self, **ask) -> dict:
        status, pair = await self.exchange(await self.code(**ask))
        assert status == 200
        assert "access_token" in pair, pair
        return pair

    async def revoke(self, token: str) -> ClientResponse:
        form = {"client_key": self.client_key, "client_secret": self.client_secret, "token": token}
        return await self.client.post("/tiktok/v2/oauth/revoke/", data=form)

    async def user(self, access: str, fields="open_id") -> tuple[int, dict]:
        answer = await self.client.get(
            "/tiktok/v2/user/info/", params={"fields": fields}, headers=bearer(access)
        )
        return answer.status, await answer.json()

    async def videos(self, access: str, fields="id,create_time", **body) -> tuple[int, dict]:
        answer = await self.client.post(
            "/tiktok/v2/video/list/", params={"fields": fields}, headers=bearer(access), json=body
        )
        return answer.status, await answer.json()

    async def query(self, access: str, ids: list, fields="id") -> tuple[int, dict]:
        answer = await self.client.post(
            "/tiktok/v2/video/query/",
            params={"fields": fields},
            headers=bearer(access),
            json={"filters": {"video_ids": ids}},
        )
        return answer.status, await answer.json()

    async def every_page(self, access: str, fields="id,create_time", max_count=20) -> list[dict]:
        """All pages' data, walked by the returned cursor as a client must."""
        pages, cursor = [], {}
        while True:
            status, answer = await self.videos(access, fields, max_count=max_count, **cursor)
            assert status == 200, answer
            pages.append(answer["data"])
            if not answer["data"]["has_more"]:
                return pages
            assert "cursor" not in cursor or answer["data"]["cursor"] < cursor["cursor"]
            cursor = {"cursor": answer["data"]["cursor"]}

    async def control(self, **orders) -> tuple[int, dict]:
        answer = await self.client.post("/_control", json=orders)
        return answer.status, await answer.json()

    @staticmethod
    def callback(answer: ClientResponse) -> dict[str, str]:
        """The parameters the browser brings back to the app."""
        assert answer.status == 302
        location = answer.headers["Location"]
        assert location.startswith(REDIRECT + "?")
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    @staticmethod
    def challenge(verifier: str) -> str:
        return hashlib.sha256(verifier.encode()).hexdigest()


def bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}


Start = Callable[..., object]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a simulator; stopped, all of them, when the test ends."""
    running: list[TestClient] = []

    async def run(*, state_path: Path | None = None, webhook_url: str | None = None, **options) -> Walker:
        allowed = simulators.exactly(REDIRECT)
        registered = [
            simulators.App("web", "web-secret", "Fan & <Co>", allowed, webhook_url=webhook_url),
            simulators.App("desktop", "desktop-secret", "Desk", allowed, pkce_required=True),
        ]
        application = simulators.create(
            registered, state_path=state_path, **({"control": True, "clock": simulators.Clock()} | options)
        )
        client = TestClient(TestServer(application))
        await client.start_server()
        running.append(client)
        return Walker(client, application[simulators.WORLD])

    yield run
    for client in running:
        await client.close()


@pytest.fixture
async def tiktok(start: Start) -> Walker:
    return await start()
