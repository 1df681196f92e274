"""What runs until it is told to stop: the API, and a worker beside it."""

import asyncio
import contextlib
import functools
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp
import structlog
from aiohttp import web

from server import again, output, view, wire, worker
from server import app as composition
from server.opening import Opened
from server.parts import PARTS
from server.settings import Settings
from services import errors

log = structlog.get_logger()
RESTART_SECONDS = 1.0
READY_SECONDS = 0.1
GRACE_SECONDS = 10.0
LITTER = 50_000  # objects made, less those let go, between two looks of the garbage collector: some 10 MB


def stop_event() -> asyncio.Event:
    """Set by SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return stop


@contextlib.asynccontextmanager
async def serving(opened: Opened, *, members: int = 1) -> AsyncIterator[composition.House]:
    """The API listening; ends open connections in order when the block does. `members`: how many share the port."""
    async with contextlib.AsyncExitStack() as stack:
        house = await composition.open_house(opened.settings, opened.address, members=members)
        stack.push_async_callback(house.close)
        app = composition.create_app(house)
        heads = again.Heads(functools.partial(view.repeated, app[PARTS]))
        runner = wire.Runner(
            app,
            ahead={"/graphql": functools.partial(view.posted, app[PARTS], heads)},
            heads=heads,
            access_log=None,
            shutdown_timeout=2.0,
            handle_signals=False,
            max_line_size=16_384,
        )
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(_leave, house, app, runner)
        await runner.setup()
        site = web.TCPSite(
            runner,
            opened.settings.host,
            opened.settings.port,
            reuse_address=True,
            reuse_port=members > 1 or None,
        )
        try:
            await site.start()
        except OSError as error:
            raise _taken(opened, error) from None
        yield house


async def _leave(house: composition.House, app: web.Application, runner: web.AppRunner) -> None:
    """Still answering, say on each answer that it is the connection's last: nobody sends into one that closes."""
    end = asyncio.get_running_loop().time() + app[PARTS].settings.drain_seconds
    await app[PARTS].connections.leave()
    while asyncio.get_running_loop().time() < end and wire.strangers(runner, house.http):  # noqa: ASYNC110 -- aiohttp tells nobody
        await asyncio.sleep(0.02)


def _taken(opened: Opened, error: OSError) -> errors.ServiceError:
    where = f"{opened.settings.host}:{opened.settings.port}"
    return errors.Conflict(
        f"Cannot listen on {where}: {error.strerror or error}.",
        remedy="Stop what listens there, or set CREATOR_GRAPH_PORT.",
    )


def keep_what_stands() -> None:
    """What start-up made stays as long as the process: the garbage collector need not look at it again.

    Without this a nested read spends more on walking the schema's objects than on itself (measured: twice its time).
    Answers have no cycles: looking for some after every 700 objects takes another twentieth (measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(LITTER)


async def serve(opened: Opened, *, with_worker: bool, as_json: bool, members: int = 1) -> None:
    """The API, and a worker process beside it, until told to stop."""
    stop = stop_event()
    async with serving(opened, members=members) as house:
        keep_what_stands()
        value = {
            "url": house.settings.public,
            "graphql": f"{house.settings.public}/graphql",
            "pid": os.getpid(),
        }
        output.record(value, as_json=as_json)
        sys.stdout.flush()
        async with working(opened, stop) if with_worker else contextlib.nullcontext():
            await stop.wait()


async def serve_many(opened: Opened, *, number: int, with_worker: bool, as_json: bool) -> None:
    """The API as several processes on one port (SO_REUSEPORT), each started again when it dies."""
    stop = stop_event()
    settings = opened.settings
    # What would keep each of them from starting is told once, by us.
    await (await composition.open_house(settings, opened.address)).close()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(number):
            await stack.enter_async_context(
                child(opened, stop, "serve", "--members", str(number), **_counted_together(settings))
            )
        if with_worker:
            await stack.enter_async_context(working(opened, stop))
        await _answers(settings.public, stop)
        output.record({"url": settings.public, "processes": number, "pid": os.getpid()}, as_json=as_json)
        sys.stdout.flush()
        await stop.wait()


def _counted_together(settings: Settings) -> dict[str, str]:
    """Several processes count requests in one place; Redis goes first where it is set."""
    return {} if settings.redis_url else {"CREATOR_GRAPH_RATE_LIMITS": "postgres"}


async def _answers(url: str, stop: asyncio.Event) -> None:
    """Wait until some process answers, or all are told to stop."""
    async with aiohttp.ClientSession() as http:
        while not stop.is_set():
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"{url}/readyz"):
                    return
            await asyncio.sleep(READY_SECONDS)


@contextlib.asynccontextmanager
async def working(opened: Opened, stop: asyncio.Event) -> AsyncIterator[None]:
    """A worker beside the API. A process of its own: a sync's busy loop must not slow the API's answers."""
    async with child(opened, stop, "worker", "--beside"):
        yield


@contextlib.asynccontextmanager
async def child(opened: Opened, stop: asyncio.Event, *command: str, **settings: str) -> AsyncIterator[None]:
    """One of our commands as a child process, started again when it dies; told to stop when the block ends."""
    keeper = asyncio.create_task(_keep(opened, stop, command, settings))
    try:
        yield
    finally:
        stop.set()
        await keeper


async def _keep(
    opened: Opened, stop: asyncio.Event, command: Sequence[str], settings: Mapping[str, str]
) -> None:
    level = {"CREATOR_GRAPH_LOG_LEVEL": opened.settings.log_level or "info"}
    while not stop.is_set():
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "server", *command, "--json"),
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, **level, **settings},
        )
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if stop.is_set():
            await _end(child, ended)
            return
        log.warning("ended, starting it again", process=command[0], code=child.returncode)
        await asyncio.sleep(RESTART_SECONDS)


async def _end(child: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    _, pending = await asyncio.wait({ended}, timeout=GRACE_SECONDS)
    if pending:
        child.kill()
        await ended


async def work(opened: Opened, *, beside: bool, as_json: bool) -> None:
    """Jobs, until told to stop. They have time: where somebody waits for an answer, the processor is theirs first."""
    stop = stop_event()
    way = worker.way(beside=beside)
    way.take()
    house = await composition.open_house(opened.settings, opened.address, works=way)
    keep_what_stands()
    try:
        output.record({"worker": os.getpid()}, as_json=as_json)
        sys.stdout.flush()
        services = house.services
        nodes = [url.get_secret_value() for url in house.settings.broker_urls]
        await worker.run(services.database, services.vault, services.platforms, stop, nodes=nodes)
    finally:
        await house.close()
