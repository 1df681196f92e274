"""Connections that stay: ended when their credential does, when they are overdue, and when the process leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog

from services import callers, errors

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1.0
LEAVE_SECONDS = 2.0


class Staying(Protocol):
    """A socket or an event stream."""

    @property
    def account_id(self) -> UUID | None:
        """Whose it is, once that is known."""

    @property
    def ends_at(self) -> datetime | None:
        """When its credential ends by itself."""

    async def recheck(self, now: datetime) -> None:
        """Raises Unauthenticated or Forbidden when the credential no longer stands."""

    def look(self, now: float) -> None:
        """End by itself what is overdue; `now` is the loop's time."""

    def refuse(self, error: errors.ServiceError) -> None:
        """The credential no longer stands."""

    def leave(self) -> None:
        """The process is going."""


class Connections:
    """All of this process, and the work that must end though nobody waits for it."""

    def __init__(self) -> None:
        self._open: set[Staying] = set()
        self._work: set[asyncio.Task[Any]] = set()
        self._emptied = asyncio.Event()
        self.leaving = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Staying) -> None:
        self._open.add(connection)
        if self.leaving:  # it was let in just before
            connection.leave()

    def discard(self, connection: Staying) -> None:
        self._open.discard(connection)
        if self.leaving and not self._open:
            self._emptied.set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Run to its end, whoever hangs up."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(self._sweep(), name="connections")
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            if self._work:
                await asyncio.wait(self._work, timeout=LEAVE_SECONDS)

    async def recheck(self, account_id: UUID | None = None) -> None:
        """After a key changed: end what it opened, if it no longer stands. None: all accounts."""
        now = datetime.now(UTC)
        for connection in list(self._open):
            whose = connection.account_id
            if whose is not None and account_id in {None, whose}:
                await self._recheck(connection, now)

    async def leave(self) -> None:
        """End all; those who are told may come back, to another process."""
        self.leaving = True
        for connection in list(self._open):
            connection.leave()
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_SECONDS):
                    await self._emptied.wait()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now, moment = asyncio.get_running_loop().time(), datetime.now(UTC)
            for connection in list(self._open):
                connection.look(now)
                ends = connection.ends_at
                if ends is not None and ends <= moment:
                    await self._recheck(connection, moment)

    async def _recheck(self, connection: Staying, now: datetime) -> None:
        try:
            await connection.recheck(now)
        except (errors.Unauthenticated, errors.Forbidden) as error:
            connection.refuse(error)
        except Exception as error:  # noqa: BLE001 -- whoever sweeps must go on; each event is judged anyhow
            log.warning("connections.unchecked", kind=type(error).__name__)


def ends_at(caller: callers.Caller) -> datetime | None:
    """When what a caller opened with their key or token ends by itself."""
    return min(filter(None, (caller.ends_at, caller.token_expires_at)), default=None)
