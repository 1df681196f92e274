"""POST /webhooks/…: what platforms push to us. No credential: the platform's signature is what is believed.

Bounded before anything is believed: bytes, seconds, and messages a minute from one address. TikTok and Meta send
from few addresses, and come again after a refusal.
"""

import asyncio
import html
import secrets
from collections import OrderedDict
from datetime import UTC, datetime
from urllib import parse

from aiohttp import web

from server import callback, outside
from server.parts import PARTS
from server.settings import Settings
from services import addresses, errors, platform_events
from services.platforms import instagram_signed, tiktok_signed

BODY_SECONDS = 10
A_MINUTE = 600
MOST_ADDRESSES = 10_000
FORM_BYTES = 2 * instagram_signed.LIMIT
NEVER_STORED = {"Cache-Control": "no-store"}

TEXTS = {
    "done": ("Deleted", "Nothing of your Instagram account is stored here any more."),
    "pending": ("Deleting", "What is stored of your Instagram account is being deleted."),
    "nothing": ("Nothing to delete", "Nothing of your Instagram account was stored here."),
    "unknown": ("Unknown code", "There is no deletion request with this code, or it was long ago."),
}


class Gate:
    """So many messages a minute from one address: a bucket that fills again evenly."""

    def __init__(self, a_minute: int = A_MINUTE, most: int = MOST_ADDRESSES) -> None:
        self._a_minute, self._most = a_minute, most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, address: str, at: float) -> None:
        """Count one, at a second of any steady clock. Raises RateLimited."""
        step = 60 / self._a_minute
        level = max(self._full_at.pop(address, at), at) + step
        self._full_at[address] = min(level, at + 60)
        while len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        if level > at + 60:
            raise errors.RateLimited(max(1, round(level - at - 60)))


class Webhooks:
    """The handlers, with our apps at the platforms and the gate they share."""

    def __init__(self, settings: Settings, gate: Gate | None = None) -> None:
        self._gate = gate or Gate()
        registered = outside.registrations(settings)
        self._tiktok = tuple(app for app in registered if app.platform == "TIKTOK")
        self._instagram = tuple(app for app in registered if app.platform == "INSTAGRAM")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/webhooks/tiktok", self.tiktok),
            web.post("/webhooks/instagram/deauthorize", self.deauthorize),
            web.post("/webhooks/instagram/deletion", self.deletion),
            web.get("/webhooks/instagram/deletion/{code}", self.deletion_status),
        ]

    async def tiktok(self, request: web.Request) -> web.Response:
        """200 as soon as it is written down; anything else makes TikTok come again."""
        self._pass(request)
        body = await _read(request, tiktok_signed.LIMIT)
        services = request.app[PARTS].services
        header = request.headers.get("TikTok-Signature", "")
        now = datetime.now(UTC)
        await platform_events.tiktok(services.database, services.vault, self._tiktok, header, body, now)
        return web.json_response({"received": True}, headers=NEVER_STORED)

    async def deauthorize(self, request: web.Request) -> web.Response:
        self._pass(request)
        signed = await _signed_request(request)
        services = request.app[PARTS].services
        now = datetime.now(UTC)
        await platform_events.deauthorized(services.database, services.vault, self._instagram, signed, now)
        return web.json_response({"received": True}, headers=NEVER_STORED)

    async def deletion(self, request: web.Request) -> web.Response:
        """Where the person can see how it stands, and under which code, as Meta wants it."""
        self._pass(request)
        signed = await _signed_request(request)
        services = request.app[PARTS].services
        now = datetime.now(UTC)
        code = await platform_events.deletion(services.database, services.vault, self._instagram, signed, now)
        url = f"{services.public_url}/webhooks/instagram/deletion/{code}"
        return web.json_response(instagram_signed.deletion_answer(url, code), headers=NEVER_STORED)

    async def deletion_status(self, request: web.Request) -> web.Response:
        """The person's page. The code is all it knows of them."""
        self._pass(request)
        code = request.match_info["code"]
        found = await platform_events.deletion_status(request.app[PARTS].services.database, code)
        if found is None:
            return _page("unknown", None, status=404)
        word = "pending" if found.done_at is None else "done" if found.creators else "nothing"
        return _page(word, code)

    def _pass(self, request: web.Request) -> None:
        trusted = request.app[PARTS].settings.networks
        ip = addresses.client_ip(request.remote, request.headers, trusted)
        self._gate.take(str(ip), asyncio.get_running_loop().time())


async def _read(request: web.Request, most: int) -> bytes:
    """The raw body, within size and time. Raises BodyTooLarge, BadRequest."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    raise errors.BodyTooLarge(f"The body is larger than {most // 1024} KiB.")
    except TimeoutError as error:
        raise errors.BadRequest(f"The body did not arrive within {BODY_SECONDS} seconds.") from error
    except (web.HTTPException, web.RequestPayloadError) as error:
        raise errors.BadRequest("The body cannot be read.") from error
    return bytes(body)


async def _signed_request(request: web.Request) -> str:
    """The form's one field that counts. Raises BadRequest; Forbidden when there is none."""
    body = await _read(request, FORM_BYTES)
    try:
        form = parse.parse_qs(body.decode("ascii"), max_num_fields=20)
    except ValueError as error:
        raise errors.BadRequest("The body is not a form.") from error
    given = form.get("signed_request", [])
    if len(given) != 1:
        raise platform_events.forged()
    return given[0]


def _page(word: str, code: str | None, *, status: int = 200) -> web.Response:
    title, text = TEXTS[word]
    nonce = secrets.token_urlsafe(16)
    shown = f"<p>Code: <code>{html.escape(code)}</code></p>" if code else ""
    body = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title} · Creator Graph</title><style nonce='{nonce}'>{callback.STYLE}</style>"
        f"<main><h1>{title}</h1><p>{text}</p>{shown}</main></html>"
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; frame-ancestors 'none'"
    return web.Response(
        text=body,
        status=status,
        content_type="text/html",
        headers={**NEVER_STORED, "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"},
    )
