"""What runs beside a page under test: a real Chromium that is listened to, and a worker."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from server import app, worker

playwright = pytest.importorskip("playwright.async_api", reason="Playwright is not installed.")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDED = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)."
)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
VIOLATIONS = "addEventListener('securitypolicyviolation', e => console.error(`policy: ${e.violatedDirective} ${e.blockedURI}`))"
PATIENCE = 90_000


@dataclass
class Browser:
    """One window, and what was heard of it and of those it opened."""

    page: playwright.Page
    complaints: list[str] = field(default_factory=list)
    """Errors on any console, violations of a page's policy among them."""
    addresses: list[str] = field(default_factory=list)
    """All that were asked, sockets' too."""
    asked: list[str] = field(default_factory=list)
    """Address, headers and body of everything that was asked."""
    events: list[dict] = field(default_factory=list)
    """What arrived over the page's sockets."""

    def listen(self) -> None:
        context = self.page.context
        context.on("console", lambda said: said.type == "error" and self.complaints.append(said.text))
        context.on("weberror", lambda thrown: self.complaints.append(str(thrown.error)))
        context.on("request", self._asks)
        self.page.on("websocket", self._opens)

    def _asks(self, sent: playwright.Request) -> None:
        self.addresses.append(sent.url)
        self.asked.append(f"{sent.url} {sent.headers} {sent.post_data or ''}")

    def _opens(self, socket: playwright.WebSocket) -> None:
        self.addresses.append(socket.url)
        socket.on("framereceived", lambda frame: self.events.append(json.loads(frame)))


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with playwright.async_playwright() as driver:
        running = await driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = await running.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE)
        await context.add_init_script(VIOLATIONS)
        browser = Browser(await context.new_page())
        browser.listen()
        yield browser
        await running.close()


@contextlib.asynccontextmanager
async def working(house: app.House) -> AsyncIterator[None]:
    stop, services = asyncio.Event(), house.services
    task = asyncio.create_task(worker.run(services.database, services.vault, services.platforms, stop))
    try:
        yield
    finally:
        stop.set()
        await task
