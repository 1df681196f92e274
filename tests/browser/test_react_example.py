"""examples/react and examples/browser in a real Chromium: each with its own backend on its own origin, before the whole service."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

import simulators
from db import partitions
from server import app, demo, opening, processes, simulated
from server.settings import ROOT, Settings
from services import accounts, callers, errors, signing
from simulators import people
from tests import ports
from tests.browser.beside import NEEDED, Browser, chromium, playwright, working

NODE = shutil.which("node")
REACT = (str(NODE), str(ROOT / "examples/react/server.mjs"))
PLAIN = (sys.executable, str(ROOT / "examples/browser/backend.py"))
PAST_DAYS = 29

pytestmark = NEEDED
BUILT = pytest.mark.skipif(
    NODE is None or not (ROOT / "examples/react/dist/index.html").is_file(),
    reason="The page is not built (make examples), or there is no Node to run its backend on.",
)


@dataclass
class Partner:
    """The service, an account of it, and the example's backend with the account's key."""

    api: str
    page: str
    secret: str
    house: app.House
    http: aiohttp.ClientSession
    world: simulators.world.World

    async def connect(self, username: str) -> None:
        known = demo.Partner(self.http, self.api, self.secret)
        steps = [step async for step in demo.connect_and_sync(known, "TIKTOK", username)]
        assert steps[-1].status == "succeeded"

    async def remember(self, username: str) -> None:
        """The month before, as daily syncs would have found it."""
        creator, now = people.BY_USERNAME[username], datetime.now(UTC)
        days = [now - timedelta(days=ago) for ago in range(PAST_DAYS, 0, -1)]
        async with self.house.services.database.write() as session:
            await partitions.ensure(session, days[0])
            connection = await (await session.connection()).get_raw_connection()
            await connection.driver_connection.executemany(
                "insert into creator_stats select account_id, id, date_trunc('hour', $2::timestamptz), livemode, $3 "
                "from creators where username = $1",
                [(username, day, people.followers(creator, day.timestamp())) for day in days],
            )


@pytest.fixture
async def partner(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Partner]:
    made: list[web.Application] = []
    build = simulated.build
    monkeypatch.setattr(simulated, "build", lambda *given: made.append(build(*given)) or made[0])
    ours, theirs = ports.free(), ports.free()
    api, page = (f"http://127.0.0.1:{port}" for port in (ours, theirs))
    settings = Settings(
        database_url=address, port=ours, data_dir=tmp_path, cors_origins=(page,), drain_seconds=0
    )
    async with (
        processes.serving(opening.Opened(settings, address, None)) as house,
        working(house),
        aiohttp.ClientSession() as http,
    ):
        async with house.services.database.write() as session:
            account = await accounts.create(session, "Ada's agency", "pro")
        async with backend(getattr(request, "param", REACT), api, theirs, account.test.secret):
            yield Partner(api, page, account.test.secret, house, http, made[0][simulators.WORLD])


@contextlib.asynccontextmanager
async def backend(command: tuple[str, ...], api: str, port: int, secret: str) -> AsyncIterator[None]:
    """An example's own server, once it listens."""
    environment = {"CREATOR_GRAPH_URL": api, "CREATOR_GRAPH_KEY": secret, "PORT": str(port)}
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(60):
            while not await listens(port):
                await asyncio.sleep(0.02)
        yield
    finally:
        process.terminate()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


async def nearly_over(route: playwright.Route) -> None:
    """The token that was asked for, with five minutes left."""
    end = datetime.now(UTC) + timedelta(minutes=5)
    answer = await route.fetch()
    await route.fulfill(json=await answer.json() | {"expiresAt": end.isoformat()})


async def consent(browser: Browser, username: str, decision: str) -> None:
    """Press the page's button, and answer in the popup that opens."""
    async with browser.page.expect_popup() as opened:
        await browser.page.get_by_role("button", name="Connect a creator").click()
    popup = await opened.value
    await popup.get_by_label("Logged in as").select_option(username)
    async with popup.expect_event("close"):
        await popup.get_by_role("button", name=decision).click()


@BUILT
async def test_the_page_shows_creators_with_their_videos_and_growth(partner: Partner, browser: Browser):
    page = browser.page
    for username in ("sim.ada", "sim.noor", "sim.kenji", "sim.maya", "sim.luca"):
        await partner.connect(username)
    await partner.remember("sim.ada")
    await page.goto(partner.page)
    await page.get_by_text("5 creators").wait_for()
    cards = page.get_by_role("article")
    assert await cards.count() == 4  # newest first: Ada is on the next page
    await page.get_by_role("button", name="More creators").click()
    ada = page.get_by_role("article", name="sim.ada")
    await ada.get_by_text("Ada Okafor").wait_for()
    assert await cards.count() == 5
    assert await ada.get_by_role("listitem").count() == 3
    await ada.get_by_role("button", name="More videos").click()
    await ada.get_by_role("listitem").nth(7).wait_for()
    plot = ada.get_by_role("img", name="Followers from")
    line = await plot.locator("path.line").get_attribute("d")
    assert line.count(",") == PAST_DAYS + 1
    assert len(await plot.locator("text").all()) > 6  # both axes are labelled
    await ada.get_by_text("+2").wait_for()  # percent a month, as the simulated creators grow
    async with partner.house.services.database.write() as session:  # the page's token ends at once
        await signing.rotate(session, partner.house.services.vault, overlap_seconds=0)
    await page.get_by_label("Order").select_option("FOLLOWERS")
    await page.get_by_role("article").first.get_by_text("Maya Lindqvist").wait_for()
    assert ["401" in text for text in browser.complaints] == [True]  # once, and then with another token


@BUILT
async def test_a_creator_is_connected_in_a_popup_and_its_sync_followed_live(
    partner: Partner, browser: Browser
):
    page = browser.page
    partner.world.faults.add(simulators.Fault("video/list", "slow", times=4, delay=0.2))
    await page.route("**/token", nearly_over)  # it would end the socket while the creator decides
    await page.goto(partner.page)
    await page.get_by_text("Nobody is connected yet.").wait_for()
    await page.unroute("**/token")
    await consent(browser, "sim.burst", "Approve")
    await page.get_by_text("up to date").wait_for()
    card = page.get_by_role("article", name="sim.burst")
    await card.get_by_role("listitem").first.wait_for()
    steps = [
        event["payload"]["data"]["syncProgress"]
        for event in browser.events
        if event["type"] == "next" and "syncProgress" in event["payload"]["data"]
    ]
    assert steps[-1]["status"] == "SUCCEEDED"
    assert any(0 < step["progress"] < 1 for step in steps)
    await card.get_by_role("button", name="Sync").click()
    await card.get_by_text("up to date").wait_for()
    assert browser.complaints == []
    assert len([url for url in browser.addresses if url == f"{partner.page}/token"]) == 2
    assert not any(partner.secret in request for request in browser.asked)


@BUILT
async def test_what_goes_wrong_is_shown_with_its_code_and_remedy(
    partner: Partner, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    page, alert = browser.page, browser.page.get_by_role("alert")
    await page.route("**/token", lambda route: route.abort())
    await page.goto(partner.page)
    await alert.get_by_text("gave no token").wait_for()
    await page.unroute("**/token")
    await alert.get_by_role("button", name="Try again").click()
    await consent(browser, "sim.ada", "Deny")
    await alert.get_by_text("DENIED").wait_for()

    def refuse(_caller: callers.Caller, _now: datetime) -> None:
        raise errors.RateLimited(3)

    monkeypatch.setattr(partner.house.services.limits, "take", refuse)
    await page.get_by_role("button", name="Connect a creator").click()
    await alert.get_by_text("RATE_LIMITED").wait_for()
    text = await alert.inner_text()
    assert "Spread requests over the minute." in text
    assert "Request req_" in text


@pytest.mark.parametrize("partner", [PLAIN], indirect=True, ids=["browser"])
async def test_the_page_without_a_build_step_lists_the_creators(partner: Partner, browser: Browser):
    await partner.connect("sim.ada")
    await browser.page.goto(partner.page)
    await browser.page.get_by_text("1 connected.").wait_for()
    await browser.page.get_by_role("cell", name="sim.ada").wait_for()
    assert not any(partner.secret in request for request in browser.asked)
