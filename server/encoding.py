"""Answers made shorter on their way, for clients that say they can read it."""

import asyncio
import functools
import zlib
from collections.abc import Callable

import brotli

from server.whole import Whole

LEAST_BYTES = 1024
MOST_ON_THE_LOOP = 64 * 1024  # half a millisecond
GZIP_LEVEL, BROTLI_QUALITY = 4, 3
GZIP = 16 + zlib.MAX_WBITS


def is_long(response: Whole) -> bool:
    return len(response.body) > LEAST_BYTES


@functools.lru_cache(maxsize=256)
def coding(accepted: str) -> str | None:
    """Which of ours Accept-Encoding likes best, brotli among equals; None where it likes the plain answer better."""
    likes = dict(_liked(part) for part in accepted.split(","))
    others = likes.get("*", 0.0)
    best = max(("br", "gzip"), key=lambda name: likes.get(name, others))
    liked = likes.get(best, others)
    return best if liked > 0 and liked >= likes.get("identity", 0.0) else None


def _liked(part: str) -> tuple[str, float]:
    """A coding and its quality value; 0 where that cannot be read."""
    name, _, parameter = part.partition(";")
    word, _, value = parameter.partition("=")
    try:
        quality = float(value) if word.strip().lower() == "q" else 1.0
    except ValueError:
        quality = 0.0
    return name.strip().lower().removeprefix("x-"), quality


async def shorten(response: Whole, how: str) -> None:
    """Replace the body by a shorter one, where there is one."""
    body, pack = response.body, PACKERS[how]
    short = pack(body) if len(body) <= MOST_ON_THE_LOOP else await asyncio.to_thread(pack, body)
    if len(short) < len(body):
        response.body = short
        response.headers["Content-Encoding"] = how


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
    return packer.compress(body) + packer.flush()


def _brotli(body: bytes) -> bytes:
    short: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=BROTLI_QUALITY)
    return short


PACKERS: dict[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": _gzip}
