"""Bodies made ready for a contender, and wrk sending them; what one such stretch cost."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from bench import machine
from bench.bed import Bed
from bench.operations import BEFORE_LAST_PAGE, HOT, Operation, Want
from bench.roster import Contender

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Request:
    """One body as a contender wants it."""

    want: Want
    header: tuple[str, str]
    body: bytes


@dataclass(frozen=True)
class Stretch:
    """What some seconds of load showed. Latencies in ms, processor time in µs a request."""

    rps: float
    p50: float
    p99: float
    server_us: float
    postgres_us: float
    peak_mb: float
    kb: float
    failed: int


class Speaker:
    """Speaks to a running contender; knows its cursors once it has paged through its lists."""

    def __init__(self, contender: Contender, bed: Bed, port: int, session: aiohttp.ClientSession) -> None:
        self._contender, self._bed, self._session = contender, bed, session
        self.base = f"http://127.0.0.1:{port}"

    async def requests(self, operation: Operation, wants: Sequence[Want]) -> list[Request]:
        """The bodies of the wants, cursors and all."""
        if operation.name.removesuffix(HOT) == "page 1000":
            return [self._request(operation, want, await self._before_last(want)) for want in wants]
        walks: dict[int, list[str | None]] = {}
        if operation.pages:
            farthest = {want.tenant: 0 for want in wants}
            for want in wants:
                farthest[want.tenant] = max(farthest[want.tenant], want.page)
            walks = {tenant: await self._walk(operation, tenant, page) for tenant, page in farthest.items()}
        return [
            self._request(operation, want, walks[want.tenant][want.page] if walks else None) for want in wants
        ]

    async def ask(self, operation: Operation, request: Request) -> tuple[Any, int]:
        """The `data` of an answer, and its size. Raises RuntimeError with the answer where there is none."""
        headers = {"Content-Type": "application/json", request.header[0]: request.header[1]}
        url = self.base + self._contender.path(operation)
        async with self._session.post(url, data=request.body, headers=headers) as response:
            content = await response.read()
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or answer.get("errors") or not answer.get("data"):
            raise RuntimeError(f"{self._contender.name}, {operation.name}: {content[:600].decode()}")
        return answer["data"], len(content)

    def _request(self, operation: Operation, want: Want, cursor: str | None) -> Request:
        tenant = self._bed.tenants[want.tenant]
        return Request(
            want,
            self._contender.header(tenant),
            orjson.dumps(self._contender.body(operation, want, tenant, cursor)),
        )

    async def _walk(self, operation: Operation, tenant: int, page: int) -> list[str | None]:
        """Cursors in front of every page up to this one, by paging there."""
        cursors: list[str | None] = [None]
        while len(cursors) <= page:
            data, _ = await self.ask(operation, self._request(operation, Want(tenant), cursors[-1]))
            cursors.append(data["creators"]["pageInfo"]["endCursor"])
        return cursors

    async def _before_last(self, want: Want) -> str:
        """The cursor in front of the last page: that of the entry before it."""
        tenant = self._bed.tenants[want.tenant]
        request = Request(want, self._contender.header(tenant), orjson.dumps({"query": BEFORE_LAST_PAGE}))
        operation = Operation("before the last page", BEFORE_LAST_PAGE, lambda _: [])
        data, _ = await self.ask(operation, request)
        cursor: str = data["videos"]["edges"][0]["cursor"]
        return cursor


@contextlib.contextmanager
def bodies_file(requests: Sequence[Request]) -> Iterator[Path]:
    """The requests as wrk's script reads them. They hold keys: only we can read the file, and it goes away."""
    with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".bodies") as file:
        for request in requests:
            assert b"\n" not in request.body
            file.write("\t".join(request.header).encode() + b"\t" + request.body + b"\n")
        file.flush()
        yield Path(file.name)


def send(url: str, bodies: Path, connections: int, seconds: float) -> dict[str, int]:
    """Some seconds of wrk on its core."""
    command = (
        "taskset", "-c", str(machine.OTHER_CORE),
        "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", f"{TIMEOUT_SECONDS}s",
        "-s", str(SCRIPT), url, "--", str(bodies),
    )  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=seconds + 60)
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not results:
        raise RuntimeError(f"wrk: {done.stdout}{done.stderr}")
    told: dict[str, int] = json.loads(results[0].removeprefix("RESULT "))
    return told


def measure(
    url: str,
    requests: Sequence[Request],
    connections: int,
    seconds: int,
    *,
    server: int,
    postgres: int,
    warm_up: float | None = None,
) -> Stretch:
    """A warm-up, then the stretch that counts, with the processor time of both sides around it."""
    with bodies_file(requests) as bodies:
        send(url, bodies, connections, max(1, seconds // 3) if warm_up is None else warm_up)
        machine.quiet(server)
        before = machine.cpu_us(server), machine.cpu_us(postgres)
        told = send(url, bodies, connections, seconds)
        # What was in flight when wrk left is worked off too: one request a connection, in time and in number.
        machine.quiet(server)
        after = machine.cpu_us(server), machine.cpu_us(postgres)
    count = max(1, told["requests"])
    worked = told["requests"] + connections
    return Stretch(
        rps=round(told["requests"] * 1e6 / told["microseconds"], 1),
        p50=round(told["p50"] / 1000, 2),
        p99=round(told["p99"] / 1000, 2),
        server_us=round((after[0] - before[0]) / worked, 1),
        postgres_us=round((after[1] - before[1]) / worked, 1),
        peak_mb=machine.peak_mb(server),
        kb=round(told["bytes"] / count / 1000, 2),
        failed=told["refused"] + told["broken"],
    )


def plain(stretch: Stretch) -> dict[str, Any]:
    return asdict(stretch)
