"""`python -m bench.documents first|memory|pages`: what new documents cost ours, and far pages.

`first`: the first use of documents that nest like the main read, beside their second. `memory`: what the process
and its PostgreSQL hold after tens of thousands of really different ones. `pages`: page 1 against page 1,000.
"""

import argparse
import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import aiohttp

from bench import bed as beds
from bench import machine, report, roster, turns

FIRST_MS = 10
FLAT = 1.2
NEW = 200
WARM = 20
CLIENTS = 16
STEPS = 10
CREATOR = "id platform externalId reference username displayName bio avatarUrl profileUrl verified connectedAt syncedAt"
STATS = "followers following likes views videoCount engagementRate"
VIDEO = "id externalId kind title description url coverUrl views likes comments shares duration publishedAt"


def subset(words: str, number: int) -> str:
    """One of the 2^n - 1 ways to choose of n words."""
    names = words.split()
    bits = 1 + number % (2 ** len(names) - 1)
    return " ".join(name for n, name in enumerate(names) if bits >> n & 1)


def nested(number: int) -> str:
    """Creators with their videos; no two ask for the same columns, so that no SQL is the same either."""
    return f"""query New{number}($after: String) {{ creators(first: 20, after: $after) {{
      edges {{ cursor node {{ {subset(CREATOR, number * 37)} stats {{ {subset(STATS, number)} }}
        videos(first: 10) {{ edges {{ cursor node {{ {subset(VIDEO, number * 101)} }} }}
          pageInfo {{ hasNextPage endCursor }} }} }} }}
      pageInfo {{ hasNextPage endCursor }} }} }}"""


def small(number: int) -> str:
    """A few creators' columns, likewise each its own."""
    chosen = subset(f"{CREATOR} {STATS}", number * 5 + 1).split()
    plain = " ".join(name for name in chosen if name in CREATOR.split())
    stats = " ".join(name for name in chosen if name in STATS.split())
    return f"query New{number} {{ creators(first: 1) {{ nodes {{ {plain} {f'stats {{ {stats} }}' if stats else ''} }} }} }}"


class Speaker:
    """Asks one server as one account."""

    def __init__(self, http: aiohttp.ClientSession, port: int, tenant: beds.Tenant) -> None:
        self._http, self._url = http, f"http://127.0.0.1:{port}/graphql"
        self._headers = {"Authorization": f"Bearer {tenant.secret}"}

    async def ask(self, text: str) -> float:
        """Milliseconds until the whole answer is there. Raises RuntimeError where it is none."""
        started = time.perf_counter()
        async with self._http.post(self._url, json={"query": text}, headers=self._headers) as answer:
            content = await answer.read()
        elapsed = (time.perf_counter() - started) * 1000
        if answer.status != 200 or b'"errors"' in content[:200]:
            raise RuntimeError(content[:500].decode())
        return elapsed


def spread(found: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(median(found), 2),
        "p99": round(quantiles(found, n=100)[98], 2),
        "most": round(max(found), 2),
    }


async def first(
    speaker: Speaker, server: machine.Running, postgres: int, _chosen: argparse.Namespace
) -> dict[str, Any]:
    """One after the other, so that each waits for nothing but itself."""
    for number in range(WARM):
        await speaker.ask(nested(10_000 + number))
    texts = [nested(number) for number in range(NEW)]
    assert len(set(texts)) == NEW
    used = [(machine.cpu_us(server.pid), machine.cpu_us(postgres))]
    firsts = [await speaker.ask(text) for text in texts]
    used.append((machine.cpu_us(server.pid), machine.cpu_us(postgres)))
    seconds = [await speaker.ask(text) for text in texts]
    used.append((machine.cpu_us(server.pid), machine.cpu_us(postgres)))
    added = median(firsts) - median(seconds)
    return {
        "first use, ms": spread(firsts),
        "second use, ms": spread(seconds),
        "a first use adds, ms": round(added, 2),
        "processor time of a first use, ms (server + PostgreSQL)": _between(used[0], used[1]),
        "of a second": _between(used[1], used[2]),
        f"first use at most {FIRST_MS} ms": _met(median(firsts) <= FIRST_MS),
    }


def _between(before: Sequence[int], after: Sequence[int]) -> str:
    """Milliseconds a document; what a busy machine's waiting does not bear on."""
    return " + ".join(f"{(end - start) / NEW / 1000:.2f}" for start, end in zip(before, after, strict=True))


async def memory(
    speaker: Speaker, server: machine.Running, postgres: int, chosen: argparse.Namespace
) -> dict[str, Any]:
    """Flat: the second half of the documents adds nothing to speak of."""
    await speaker.ask(small(chosen.many + 1))
    rows = [{"documents": 0, **_held(server, postgres)}]
    numbers = iter(range(chosen.many))
    for step in range(1, STEPS + 1):
        await _pour(speaker, itertools.islice(numbers, chosen.many // STEPS), chosen.planned)
        rows.append({"documents": chosen.many * step // STEPS, **_held(server, postgres)})
        turns.say(str(rows[-1]))
    middle, last = rows[STEPS // 2], rows[-1]
    grown = {name: round(last[name] / middle[name], 3) for name in middle if name != "documents"}
    return {"held, MB": rows, "all ÷ half": grown, "flat": _met(max(grown.values()) <= 1.05)}


async def _pour(speaker: Speaker, numbers: Iterator[int], planned: int) -> None:
    """By some clients at once."""

    async def client() -> None:
        for number in numbers:
            text = (
                small(number)
                if number % planned == 0
                else f"query New{number} {{ a{number}: viewer {{ mode }} }}"
            )
            with contextlib.suppress(RuntimeError):  # a busy machine's timeout; what is held is asked here
                await speaker.ask(text)

    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())


def _held(server: machine.Running, postgres: int) -> dict[str, float]:
    """Megabytes of the process, and of the PostgreSQL backends together without what they share."""
    backends = sum(_status(pid, "RssAnon") for pid in machine.tree(postgres))
    return {"server": _status(server.pid, "VmRSS"), "PostgreSQL": round(backends, 1)}


def _status(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
    return round(kilobytes / 1024, 1)


def _met(value: bool) -> str:
    return "met" if value else "NOT MET"


Measurement = Callable[[Speaker, machine.Running, int, argparse.Namespace], Awaitable[dict[str, Any]]]


async def measured(what: Measurement, chosen: argparse.Namespace) -> dict[str, Any]:
    """One server on a bed of one account."""
    ours = roster.contenders()[roster.OURS]
    with beds.postgres(machine.OTHER_CORE) as postgres:
        bed = await beds.stand(postgres, 1)
        await beds.reset(bed)
        with machine.running("documents", ours.command, ours.env(bed)) as server:
            async with aiohttp.ClientSession() as http:
                return await what(Speaker(http, server.port, bed.tenants[0]), server, postgres.pid, chosen)


async def pages(runs: int, seconds: int) -> dict[str, Any]:
    """The same page by turns, near and far; costs by /proc, latencies by wrk."""
    names = ("page 1", "page 1000")
    with beds.postgres(machine.OTHER_CORE) as server:
        found = await turns.prepared(server, 1, names, [16], seconds, minutes=10)
        await turns.side_by_side([(found, roster.contenders()[roster.OURS])], runs)
    told = {
        name: {
            key: round(median(row[key] for row in found.found if row["operation"] == name), 2)
            for key in ("rps", "p50", "p99", "server_us", "postgres_us")
        }
        for name in names
    }
    costs = [told[name]["server_us"] + told[name]["postgres_us"] for name in names]
    ratio = costs[1] / costs[0]
    return {**told, "page 1,000 ÷ page 1, µs": round(ratio, 2), "flat": _met(ratio <= FLAT)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.documents", description=__doc__)
    parser.add_argument("what", choices=("first", "memory", "pages"))
    parser.add_argument("--many", type=int, default=50_000, help="documents, for memory")
    parser.add_argument(
        "--planned", type=int, default=20, help="one in so many has SQL of its own, for memory"
    )
    parser.add_argument("--runs", type=int, default=5, help="for pages")
    parser.add_argument("--seconds", type=int, default=3, help="of a run, for pages")
    chosen = parser.parse_args(sys.argv[1:])
    with machine.alone():
        if chosen.what == "pages":
            found = asyncio.run(pages(chosen.runs, chosen.seconds))
        else:
            found = asyncio.run(measured({"first": first, "memory": memory}[chosen.what], chosen))
    text = "\n".join(f"- {name}: {value}" for name, value in found.items() if not isinstance(value, list))
    report.write(f"documents-{chosen.what}", f"# New documents: {chosen.what}\n\n{text}\n", [found])


if __name__ == "__main__":
    main()
