"""Giving way on a machine that others share: our own process, and PostgreSQL's that work for us.

A process of PostgreSQL has the priority of its server, whoever it works for. Where server and worker share a machine,
the pages a worker writes would take the processor from the rows an API reads.
"""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

TITLE = b"postgres: "


@dataclass(frozen=True)
class Way:
    """How far to give way: a niceness at least, and the cores to keep to (none: all).

    Niceness alone is not much. Where the kernel groups processes by session, as it does outside of containers, each of
    PostgreSQL's is a group by itself, and a woken one waits for whoever runs on its core to end their turn.
    """

    niceness: int
    cores: frozenset[int] = frozenset()

    def take(self, pid: int = 0) -> None:
        """Send a process this way; 0: our own. One that is not ours to send stays where it is."""
        with contextlib.suppress(OSError):
            least = max(self.niceness, os.getpriority(os.PRIO_PROCESS, pid))
            os.setpriority(os.PRIO_PROCESS, pid, least)
        if sys.platform == "linux" and self.cores:
            with contextlib.suppress(OSError):
                os.sched_setaffinity(pid, self.cores)

    def send(self, backend: int) -> None:
        """The same of PostgreSQL's process with this id; harmless where that is on another machine, or not ours."""
        with contextlib.suppress(OSError):
            if Path(f"/proc/{backend}/cmdline").read_bytes().startswith(TITLE):
                self.take(backend)

    def send_all(self, engine: AsyncEngine) -> None:
        """Each connection's process, as it is opened."""

        @event.listens_for(engine.sync_engine, "connect")
        def _opened(connection: Any, _record: Any) -> None:
            self.send(connection.driver_connection.get_server_pid())


def half_of_the_cores() -> frozenset[int]:
    """The last of those we may use, one at least; none where nobody can choose."""
    if sys.platform != "linux":
        return frozenset()
    ours = sorted(os.sched_getaffinity(0))
    return frozenset(ours[-max(1, len(ours) // 2) :])
