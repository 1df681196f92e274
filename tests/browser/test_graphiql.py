"""The page at /graphiql in a real Chromium, before the whole service: what a newcomer does first."""

import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from server import app, demo
from server.settings import ROOT, Settings
from services import accounts
from tests.browser.beside import NEEDED, Browser, chromium, playwright, working

CREATOR = "sim.ada"
STORED = "JSON.stringify(localStorage)"
NOTED = (
    "new Promise(done => setTimeout(done, 600))"  # GraphiQL takes note of what was typed half a second later
)

pytestmark = [
    NEEDED,
    pytest.mark.skipif(
        not (ROOT / "web/dist/index.html").is_file(), reason="The page is not built: make web."
    ),
]


@dataclass
class Service:
    url: str
    account: accounts.NewAccount
    house: app.House


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
        yield Service(url, account, house)
    finally:
        await runner.cleanup()
        await house.close()


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    """Whatever was done: no complaint, nothing asked of anybody else, no key in an address."""
    async with chromium() as opened:
        yield opened
    ours = (service.url, service.url.replace("http", "ws"), "data:", "blob:")
    assert (opened.complaints, [url for url in opened.addresses if not url.startswith(ours)]) == ([], [])
    assert not any(service.account.test.secret in address for address in opened.addresses)


async def enter(page: playwright.Page, service: Service) -> None:
    """From the root to the page, and the key into its field."""
    await page.goto(service.url)
    assert page.url == f"{service.url}/graphiql"
    await page.locator(".graphiql-query-editor .view-line").first.wait_for()
    await page.get_by_label("API key", exact=True).fill(service.account.test.secret)
    await page.get_by_text("Ada's agency · test mode").wait_for()


async def shown(place: playwright.Locator, text: str = "") -> str:
    """What a place shows, once it shows the text."""
    await place.get_by_text(text).first.wait_for()
    return " ".join((await place.inner_text()).split())


async def run(page: playwright.Page, operation: str) -> None:
    """One of several operations, from the menu that the button is once the editor knows of them."""
    await page.locator(".graphiql-execute-button[aria-haspopup=menu]").click()
    await page.get_by_role("menuitem", name=operation).click()


async def test_a_pasted_key_and_one_click_show_the_creators(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_role("button", name="Execute query").click()
    await page.locator(".graphiql-response .view-line", has_text=f'"username": "{CREATOR}"').wait_for()
    await page.get_by_label("Credits").get_by_text("0 credits charged").wait_for()
    assert await page.get_by_label("API key", exact=True).get_attribute("type") == "password"
    assert service.account.test.secret not in await page.evaluate(STORED)


async def test_a_credential_typed_as_a_header_is_not_stored(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_label("API key", exact=True).fill("")
    await page.get_by_role("tab", name="WhoAmI", exact=True).click()
    await page.get_by_role("button", name="Headers").click()
    await page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden)").click()
    await page.keyboard.insert_text(f'{{"X-API-Key": "{service.account.test.secret}"}}')
    await page.evaluate(NOTED)
    await page.get_by_role("button", name="Execute query").click()
    await page.locator(".graphiql-response .view-line", has_text="Ada's agency").wait_for()
    await page.get_by_role("button", name="Show History").click()
    await page.locator(".graphiql-history-item", has_text="WhoAmI").wait_for()
    stored = await page.evaluate(STORED)
    assert "WhoAmI" in stored
    assert service.account.test.secret not in stored


async def test_prices_are_told_before_a_run_and_itemised_after_it(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    credits = page.get_by_label("Credits")
    await page.get_by_role("button", name="Price: what this may cost").click()
    await credits.get_by_text("at most 40 credits").wait_for()
    assert await page.locator(".graphiql-response").get_by_text(CREATOR).count() == 0
    await page.get_by_role("button", name="Itemised receipts").click()
    await page.get_by_role("button", name="Execute query").click()
    await credits.get_by_role("row", name="Creator.videos 10 1").wait_for()
    await page.get_by_role("tab", name="SyncCreator", exact=True).click()
    await page.get_by_role("button", name="Price: what this may cost").click()
    assert "at most 10 credits SyncCreator" in await shown(credits, "CreatorIds")
    await page.get_by_role("button", name="Documentation Explorer").first.click()
    await page.get_by_role("link", name="Query", exact=True).click()
    listed = page.locator(".graphiql-doc-explorer-item", has_text="creators(")
    assert "All connected creators. (1 credit each, needs CREATORS_READ)" in await shown(listed)


async def test_a_sync_is_followed_over_a_socket_until_its_key_changes(
    service: Service, browser: Browser
) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_role("tab", name="CreatorToSync", exact=True).click()
    answer = page.locator(".graphiql-response")
    await run(page, "CreatorToSync")
    await shown(answer, CREATOR)
    await run(page, "StartSync")
    await shown(answer, "QUEUED")
    await run(page, "SyncProgress")
    await page.get_by_label("Credits").get_by_text("1 event so far").wait_for()
    assert '"videosSeen": 0' in await shown(answer, "QUEUED")
    async with working(service.house):
        assert '"charged": 0' in await shown(answer, "SUCCEEDED")
    assert (
        int((await shown(page.get_by_label("Credits"), "events so far")).split(" event")[0].split()[-1]) > 1
    )
    assert f"ws{service.url.removeprefix('http')}/graphql" in browser.addresses
    await page.get_by_role("tab", name="CreatorUpdated", exact=True).click()
    await page.locator(".graphiql-execute-button:not([aria-haspopup])").click()
    await page.get_by_role("button", name="Stop query").wait_for()
    await page.get_by_label("API key", exact=True).fill(service.account.live.secret)
    await page.get_by_role("button", name="Execute query").wait_for()


async def test_a_creator_is_connected_from_the_page(service: Service, browser: Browser) -> None:
    page = browser.page
    await enter(page, service)
    await page.get_by_role("tab", name="ConnectCreator", exact=True).click()
    await run(page, "ConnectCreator")
    async with page.expect_popup() as opened:
        # Under a pointer with Ctrl the link is another element.
        link = page.locator(".graphiql-response :is(.detected-link, .detected-link-active)").first
        await link.click(modifiers=["ControlOrMeta"])
    consent = await opened.value
    await consent.get_by_label("Logged in as").select_option("sim.noor")
    await consent.get_by_role("button", name="Approve").click()
    await consent.get_by_role("heading", name="Connected", exact=True).wait_for()
    assert consent.url.startswith(f"{service.url}/connect/tiktok/callback?")
