"""The page at /graphiql in a real Chromium, before the whole service: what a newcomer does first."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server import app, demo, worker
from server.settings import ROOT, Settings
from services import accounts

playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed.")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
VIOLATIONS = "addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))"
PATIENCE = 10_000
CREATOR = "sim.ada"

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)."
    ),
    pytest.mark.skipif(
        not (ROOT / "web/dist/index.html").is_file(), reason="The page is not built: make web."
    ),
]


@dataclass
class Service:
    url: str
    account: accounts.NewAccount


@pytest.fixture
async def service(address: str, tmp_path: Path) -> AsyncIterator[Service]:
    """The API and a worker, and an account that has connected one simulated creator."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    house = await app.open_house(
        Settings(database_url=address, public_url=url, simulator_url=None, data_dir=tmp_path, graphiql=True),
        address,
    )
    runner = web.AppRunner(app.create_app(house), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    try:
        async with house.services.database.write() as session:
            account = await accounts.create(session, "Ada's agency", "pro")
        async with working(house), aiohttp.ClientSession() as http:
            partner = demo.Partner(http, url, account.test.secret)
            steps = [step async for step in demo.connect_and_sync(partner, "TIKTOK", CREATOR)]
            assert steps[-1].status == "succeeded"
        yield Service(url, account)
    finally:
        await runner.cleanup()
        await house.close()


@contextlib.asynccontextmanager
async def working(house: app.House) -> AsyncIterator[None]:
    stop, services = asyncio.Event(), house.services
    task = asyncio.create_task(worker.run(services.database, services.vault, services.platforms, stop))
    try:
        yield
    finally:
        stop.set()
        await task


@dataclass
class Browser:
    page: playwright.Page
    complaints: list[str]
    """Errors on any console, violations of a page's policy among them."""
    elsewhere: list[str]
    """Addresses asked that are not the service's."""


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    async with playwright.async_playwright() as driver:
        chromium = await driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = await chromium.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(VIOLATIONS)
        seen = Browser(await context.new_page(), [], [])
        context.on("console", lambda said: said.type == "error" and seen.complaints.append(said.text))
        context.on("weberror", lambda thrown: seen.complaints.append(str(thrown.error)))
        context.on(
            "request",
            lambda sent: (
                sent.url.startswith((service.url, "data:", "blob:")) or seen.elsewhere.append(sent.url)
            ),
        )
        yield seen
        await chromium.close()


async def enter(page: playwright.Page, service: Service) -> None:
    """From the root to the page, and the key into its field."""
    await page.goto(service.url)
    assert page.url == f"{service.url}/graphiql"
    await page.locator(".graphiql-query-editor .view-line").first.wait_for()
    await page.get_by_label("API key", exact=True).fill(service.account.test.secret)
    await page.get_by_text("Ada's agency · test mode").wait_for()


async def test_a_pasted_key_and_one_click_show_the_creators(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_role("button", name="Execute query").click()
    await page.locator(".graphiql-response .view-line", has_text=f'"username": "{CREATOR}"').wait_for()
    await page.get_by_label("Last run").get_by_text("0 credits charged").wait_for()
    await page.get_by_role("button", name="Documentation Explorer").first.click()
    await page.get_by_role("link", name="Query", exact=True).click()
    await page.get_by_text("Who is asking. Free.").wait_for()
    assert await page.get_by_label("API key", exact=True).get_attribute("type") == "password"
    assert service.account.test.secret not in await page.evaluate("JSON.stringify(localStorage)")
    assert (browser.complaints, browser.elsewhere) == ([], [])


async def test_a_creator_is_connected_from_the_page(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_role("tab", name="ConnectCreator", exact=True).click()
    await page.locator(
        ".graphiql-execute-button[aria-haspopup=menu]"
    ).click()  # once it knows of both operations
    await page.get_by_role("menuitem", name="ConnectCreator").click()
    async with page.expect_popup() as opened:
        await page.locator(".graphiql-response .detected-link").first.click(modifiers=["ControlOrMeta"])
    consent = await opened.value
    await consent.get_by_label("Logged in as").select_option("sim.noor")
    await consent.get_by_role("button", name="Approve").click()
    await consent.get_by_role("heading", name="Connected", exact=True).wait_for()
    assert consent.url.startswith(f"{service.url}/connect/tiktok/callback?")
    assert (browser.complaints, browser.elsewhere) == ([], [])
