"""Faults a test orders: which endpoint, what goes wrong, how often."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from aiohttp import web

ENDPOINTS: Final = (
    "auth/authorize", "oauth/token", "oauth/revoke", "user/info", "video/list", "video/query", "oembed",
    "youtube/auth", "youtube/token", "youtube/revoke", "youtube/channels", "youtube/playlistItems", "youtube/videos",
    "youtube/oembed",
)  # fmt: skip

KINDS: Final = (
    "status_429",  # too many requests, in the endpoint's own error shape
    "status_500",  # internal error, in the endpoint's own error shape
    "slow",  # right, after `delay` seconds
    "late",  # done at once, answered after `delay` seconds: who dies meanwhile never hears of it
    "drip",  # right, in single bytes over `delay` seconds: something always comes, and never all of it in time
    "half_json",  # the first half of the right body, status 200
    "huge",  # the right body and `size` bytes of white space
    "drop",  # the connection closes without an answer
    "bad_token",  # access_token_invalid; at oauth/token invalid_grant
    "page_loop",  # video/list: has_more, and a cursor that does not fall
    "short_page",  # video/list: one video at most, whatever was asked
    "duplicates",  # video/list: every video of the page twice
    "not_modified",  # YouTube's lists: a 304, whatever was asked
    "wrong_etag",  # YouTube's lists: the answer bears another one's etag
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One order. `delay` seconds pass before any kind of it; of "late" before its answer, of "drip" during it.

    `retry_after` is sent as the header of that name, whatever it is: seconds, or a date.
    """

    endpoint: str
    kind: str
    times: int = 1
    delay: float = 0.0
    size: int = 16 * 2**20
    retry_after: str | None = None

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS or self.kind not in KINDS:
            raise ValueError(f"no such fault: {self.endpoint} {self.kind}")
        if self.times < 1 or not 0 <= self.delay <= 600 or not 0 <= self.size <= 2**30:  # noqa: PLR2004
            raise ValueError("times, delay or size is out of range")


async def hold_back(request: web.Request, delay: float) -> None:
    """Until the time is over, or nobody waits for the answer any more."""
    end = asyncio.get_running_loop().time() + delay
    while asyncio.get_running_loop().time() < end and request.transport is not None:  # noqa: ASYNC110 -- aiohttp tells nobody
        await asyncio.sleep(0.02)


async def spoiled(request: web.Request, response: web.Response, fault: Fault | None) -> web.StreamResponse:
    """The answer as its fault leaves it."""
    if fault is None:
        return response
    if fault.kind == "late":
        await hold_back(request, fault.delay)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = fault.retry_after
    body = response.body if isinstance(response.body, bytes) else b""
    if fault.kind == "half_json":
        response.body = body[: len(body) // 2]
    if fault.kind == "huge":
        response.body = body + b" " * fault.size
    return await _dripped(request, response, body, fault.delay) if fault.kind == "drip" else response


async def _dripped(
    request: web.Request, response: web.Response, body: bytes, seconds: float
) -> web.StreamResponse:
    drip = web.StreamResponse(status=response.status, headers=response.headers)
    drip.content_length = len(body)
    await drip.prepare(request)
    with contextlib.suppress(ConnectionError):  # who asked has lost patience
        for place in range(len(body)):
            await drip.write(body[place : place + 1])
            await asyncio.sleep(seconds / len(body))
        await drip.write_eof()
    return drip


class Faults:
    """The faults still to happen, in the order they were given."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append((fault, fault.times))

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, endpoint: str) -> Fault | None:
        """The next fault of this endpoint, one time less."""
        for place, (fault, left) in enumerate(self._waiting):
            if fault.endpoint == endpoint:
                self._waiting[place : place + 1] = [(fault, left - 1)] if left > 1 else []
                return fault
        return None

    def waiting(self) -> list[dict[str, object]]:
        return [
            {"endpoint": fault.endpoint, "kind": fault.kind, "times": left, "delay": fault.delay}
            for fault, left in self._waiting
        ]
