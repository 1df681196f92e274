"""A platform on loopback that answers what a test tells it to, and remembers what it was asked."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import test_utils, web

from services.platforms import client


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    form: dict[str, str]
    json: Any


@dataclass
class Platform:
    """Answers in turn what was queued; the last one again and again."""

    answers: list[web.StreamResponse | Any] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    def say(self, body: Any = None, status: int = 200, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, raw, headers or {"Content-Type": "application/json"}))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form, text = {}, await request.text()
        if request.content_type == "application/x-www-form-urlencoded":
            form = {key: str(value) for key, value in (await request.post()).items()}
        told = json.loads(text) if request.content_type == "application/json" and text else None
        headers = dict(request.headers)
        self.asked.append(Asked(request.method, request.path, dict(request.query), headers, form, told))
        status, raw, sent = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, body=raw, headers=sent)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    fake = Platform()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", fake.answer)
    async with test_utils.TestServer(app, host="127.0.0.1") as server:
        fake.url = str(server.make_url("")).rstrip("/")
        yield fake


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as opened:
        yield opened


@pytest.fixture
def http(session: aiohttp.ClientSession) -> client.Client:
    quick = client.Patience(total=2.0, wait_initial=0, wait_max=0, wait_jitter=0)
    return client.Client(session, patience=quick)
