"""The readers of `bench.beside`: they ask so often a second, and note how long each waited."""

import asyncio
import itertools
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from bench import operations

QUERIES = (operations.SMALL, operations.NESTED)


@dataclass
class Readers:
    """They wait from when they should have asked, whether the one before was answered or not."""

    url: str
    secret: str
    creators: list[UUID]
    rate: float

    async def ask(self, http: aiohttp.ClientSession, seconds: float) -> list[float]:
        loop = asyncio.get_running_loop()
        waits: list[float] = []
        begun, asked = loop.time(), []
        for number in range(int(seconds * self.rate)):
            due = begun + number / self.rate
            await asyncio.sleep(due - loop.time())
            asked.append(asyncio.create_task(self._one(http, number, due, waits)))
        await asyncio.gather(*asked)
        return waits

    async def _one(self, http: aiohttp.ClientSession, number: int, due: float, waits: list[float]) -> None:
        query = QUERIES[number % len(QUERIES)]
        whom = f"crt_{self.creators[number % len(self.creators)].hex}"
        body = {"query": query, "variables": {"id": whom} if query == operations.SMALL else {}}
        async with http.post(self.url, json=body, headers={"X-API-Key": self.secret}) as answer:
            told = await answer.json()
        assert "errors" not in told, told
        assert None not in told["data"].values(), told
        waits.append(asyncio.get_running_loop().time() - due)


def first_in_line() -> bool:
    """This process never waits for a core: readers are elsewhere. False where that is not allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        return False
    return True


def percentiles(stretches: Sequence[list[float]]) -> dict[str, float]:
    cuts = statistics.quantiles(itertools.chain(*stretches), n=1_000, method="inclusive")
    return {name: round(cuts[at] * 1000, 2) for name, at in (("p50", 499), ("p95", 949), ("p99", 989))}
