"""Turns: contenders asked one after the other in short stretches, again and again, each in its place beside the others.

Such a machine becomes half as fast, or twice, within a minute: only stretches that are neighbours in time compare.
"""

import contextlib
import itertools
import random
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg

from bench import bed as beds
from bench import compare, load, machine, operations, reference
from bench.load import Request, Speaker
from bench.operations import Operation
from bench.roster import Contender

SAMPLE = 25
SIZE_TOLERANCE = 0.2


@dataclass
class Turns:
    """What a whole bench needs to know, and what it has found so far."""

    bed: beds.Bed
    postgres: int
    operations: dict[str, Operation]
    connections: Sequence[int]
    seconds: int
    deadline: float
    warm_up: float | None = None
    """Seconds before each stretch; a third of the stretch where none are given."""
    bodies: dict[tuple[str, str], list[Request]] = field(default_factory=dict)
    sizes: dict[tuple[str, str], float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    skipped: dict[tuple[str, str], str] = field(default_factory=dict)
    found: list[dict[str, Any]] = field(default_factory=list)

    @property
    def late(self) -> bool:
        return time.monotonic() > self.deadline

    def wanted(self, contender: Contender) -> Iterable[Operation]:
        return (
            operation
            for operation in self.operations.values()
            if contender.offers(operation) and (contender.name, operation.name) not in self.skipped
        )


_Started = tuple[Turns, Contender, machine.Running]


async def _prepare_all(turns: Turns, contender: Contender, server: machine.Running) -> None:
    async with aiohttp.ClientSession() as session:
        speaker = Speaker(contender, turns.bed, server.port, session)
        for operation in turns.wanted(contender):
            if (contender.name, operation.name) not in turns.bodies:
                await _prepare(turns, contender, operation, speaker)


async def _prepare(turns: Turns, contender: Contender, operation: Operation, speaker: Speaker) -> None:
    """Bodies made and answers compared; an operation that a contender does not offer is noted and left out."""
    wants = operations.shuffled(operation.wants(turns.bed))
    key = contender.name, operation.name
    try:
        requests = await speaker.requests(operation, wants)
        equal, size = await _compared(turns.bed, speaker, operation, requests)
    except (RuntimeError, KeyError, TypeError) as error:
        turns.skipped[key] = str(error)[:200]
        if not operation.ours_alone:
            turns.problems.append(str(error))
        say(f"{contender.name}: {operation.name} is left out: {str(error)[:300]}")
        return
    turns.bodies[key], turns.sizes[key] = requests, size
    say(f"{contender.name}: {operation.name}: {len(requests)} bodies, answers equal: {equal}")


async def _compared(
    bed: beds.Bed, speaker: Speaker, operation: Operation, requests: Sequence[Request]
) -> tuple[int, float]:
    """How many answers of a sample were compared with the reference, and their mean size. Raises where one differs."""
    connection = await asyncpg.connect(bed.address)
    sizes, equal = [], 0
    for request in requests[:SAMPLE]:
        data, size = await speaker.ask(operation, request)
        sizes.append(size)
        if reference.knows(operation):
            wanted = await reference.answer(connection, bed, operation, request.want)
            differs = compare.difference(compare.normal(data), compare.normal(wanted))
            if differs:
                raise RuntimeError(f"{operation.name} {request.want}: answers differ: {differs}")
            equal += 1
    await connection.close()
    return equal, sum(sizes) / len(sizes)


def _measure(
    turns: Turns,
    contender: Contender,
    operation: Operation,
    connections: int,
    run: int,
    server: machine.Running,
) -> None:
    key = contender.name, operation.name
    url = f"http://127.0.0.1:{server.port}{contender.path(operation)}"
    stretch = load.measure(
        url,
        turns.bodies[key],
        connections,
        turns.seconds,
        server=server.pid,
        postgres=turns.postgres,
        warm_up=turns.warm_up,
    )
    # An error told with status 200 would show in the size.
    odd = abs(stretch.kb * 1000 - turns.sizes[key]) > SIZE_TOLERANCE * turns.sizes[key] + 1000
    where = {"contender": contender.name, "operation": operation.name, "connections": connections, "run": run}
    turns.found.append({**where, **load.plain(stretch), "odd": odd})
    say(
        f"run {run + 1}, c={connections:<3} {operation.name:<21}{contender.name:<24}{stretch.rps:>9,.0f} rps  "
        f"p50 {stretch.p50:>7.2f}  p99 {stretch.p99:>8.2f} ms  server {stretch.server_us:>7.0f}  "
        f"PG {stretch.postgres_us:>6.0f} µs" + ("  FAILED " + str(stretch.failed) if stretch.failed else "")
        + ("  ODD SIZE" if odd else "")
    )  # fmt: skip


async def side_by_side(asked: Sequence[tuple[Turns, Contender]], rounds: int) -> None:
    """All started, each on its bed, and idle but for the one that is asked: a stretch each, in another order each round.

    Each warms up first: who has been idle for longer than it keeps its keys looks them up again. All are asked the
    same operations, at the same numbers of connections.
    """
    with contextlib.ExitStack() as ends:
        running: list[_Started] = []
        for turns in {id(turns): turns for turns, _ in asked}.values():
            await beds.reset(turns.bed)
        for turns, contender in asked:
            try:
                server = ends.enter_context(
                    machine.running(contender.slug, contender.command, contender.env(turns.bed))
                )
                await _prepare_all(turns, contender, server)
                running.append((turns, contender, server))
            except RuntimeError as error:  # one that does not start
                turns.problems.append(str(error))
                say(f"{contender.name}: {error}")
        for run in range(rounds):
            _round(running, run)


def _round(running: list[_Started], run: int) -> None:
    first = running[0][0]
    for name, connections in itertools.product(first.operations, first.connections):
        random.shuffle(running)
        for turns, contender, server in running:
            if turns.late:
                say("out of time: what was found until now is reported")
                return
            operation = turns.operations[name]
            if operation not in turns.wanted(contender):
                continue
            try:
                _measure(turns, contender, operation, connections, run, server)
            except RuntimeError as error:  # wrk cannot talk to it
                turns.problems.append(str(error))
                say(f"{contender.name}: {error}")


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


async def prepared(
    server: beds.Server,
    accounts: int,
    names: Sequence[str],
    connections: Sequence[int],
    seconds: int,
    minutes: int,
) -> Turns:
    """The bed of so many accounts with the operations named."""
    bed = await beds.stand(server, accounts)
    known = operations.operations(await operations.creator_ids(bed))
    deadline = time.monotonic() + minutes * 60
    wanted = {name: known[name] for name in names}
    return Turns(bed, server.pid, wanted, connections, seconds, deadline)
