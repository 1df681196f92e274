"""Runs of one small statement that come while it runs already go together: one statement reads for all of them.

A row by id costs PostgreSQL and our own process less than the statement around it. Who comes alone waits
for nobody; who comes while others read waits for one round trip at most, and what it sees is no older than itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from db.notation import listed
from db.readers import Readers

# More would make the process wait for the database and then the database for it, instead of both at work.
MOST_AT_ONCE = 16
# What meets one round most likely meets the next, seconds later each.
AWAY = (
    TimeoutError,
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)


class Several(NamedTuple):
    """A statement for a row of lists of one's arguments, the run's number last; `noted`: which lists come as text."""

    sql: str
    noted: tuple[bool, ...]


class _Run(NamedTuple):
    arguments: Sequence[Any]
    future: asyncio.Future[list[tuple[Any, ...]]]


class Gathered:
    """One a process. What fails fails for all who went together; a read can be read again alone.

    Where the database is slow or away, it fails for all who wait for the same statement too: nobody queues for that.
    """

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, list[_Run]] = {}
        """By text, where one is under way: those that go together next."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def fetch(self, sql: str, for_several: Several, arguments: Sequence[Any]) -> Sequence[Any]:
        """The rows of `sql`. `for_several`: the same for many.

        Raises what asyncpg raises, and TimeoutError.
        """
        waiting = self._waiting.get(sql)
        if waiting is not None:
            future: asyncio.Future[list[tuple[Any, ...]]] = self._loop.create_future()
            waiting.append(_Run(arguments, future))
            return await future
        self._waiting[sql] = []
        try:
            async with self._readers.lease() as connection:
                rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
                return rows
        except AWAY as error:
            self._give_up(sql, error)
            raise
        finally:
            self._go_on(sql, for_several)

    def _go_on(self, sql: str, for_several: Several) -> None:
        """Those that came meanwhile are next."""
        if not self._waiting[sql]:
            del self._waiting[sql]
            return
        task = self._loop.create_task(self._run(sql, for_several))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, sql: str, for_several: Several) -> None:
        try:
            while waiting := self._waiting[sql]:
                self._waiting[sql] = waiting[MOST_AT_ONCE:]
                here = [run for run in waiting[:MOST_AT_ONCE] if not run.future.done()]  # the others left
                if here:
                    await self._read(here, sql, for_several)
        finally:
            self._go_on(sql, for_several)

    async def _read(self, runs: Sequence[_Run], sql: str, for_several: Several) -> None:
        """Every one gets its rows, or the error of all."""
        found: list[list[tuple[Any, ...]]] = [[] for _ in runs]
        try:
            async with self._readers.lease() as connection:
                columns = zip(*[run.arguments for run in runs], strict=True)
                lists = [
                    listed(column) if noted else column
                    for column, noted in zip(columns, for_several.noted, strict=True)
                ]
                for row in await connection.fetch(for_several.sql, *lists):
                    found[row[-1] - 1].append(row[:-1])
        except Exception as error:  # noqa: BLE001 -- whoever waits must be told
            _fail(runs, error)
            if isinstance(error, AWAY):
                self._give_up(sql, error)
            return
        for run, rows in zip(runs, found, strict=True):
            if not run.future.done():
                run.future.set_result(rows)

    def _give_up(self, sql: str, error: Exception) -> None:
        waiting, self._waiting[sql] = self._waiting[sql], []
        _fail(waiting, error)


def _fail(runs: Sequence[_Run], error: Exception) -> None:
    for run in runs:
        if not run.future.done():
            run.future.set_exception(error)
