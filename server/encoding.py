"""Answers made shorter on their way, for clients that say they can read it."""

import asyncio
import zlib

from aiohttp import web

LEAST_BYTES = 1024
MOST_ON_THE_LOOP = 64 * 1024  # some 2 ms
LEVEL = 4
GZIP = 16 + zlib.MAX_WBITS


def may_gzip(request: web.Request) -> bool:
    """Whether Accept-Encoding takes gzip."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        name, _, quality = part.strip().partition(";")
        if name.strip().lower() in {"gzip", "x-gzip", "*"}:
            return quality.replace(" ", "").lower().removeprefix("q=").strip("0.") != "" or not quality
    return False


def is_long(response: web.Response) -> bool:
    return isinstance(response.body, bytes) and len(response.body) > LEAST_BYTES


async def shorten(response: web.Response) -> None:
    """Replace the body by a shorter one, where there is one."""
    body = response.body
    assert isinstance(body, bytes)
    short = _gzip(body) if len(body) <= MOST_ON_THE_LOOP else await asyncio.to_thread(_gzip, body)
    if len(short) < len(body):
        response.body = short
        response.headers["Content-Encoding"] = "gzip"


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(LEVEL, wbits=GZIP)
    return packer.compress(body) + packer.flush()
