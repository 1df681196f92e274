"""Who used the processors, and who waited for one: as the kernel counts it, in seconds (/proc/<pid>/task/*/schedstat)."""

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import machine

BUSY = (0, 1, 2, 5, 6)
"""Of /proc/stat: user, nice, system, irq, softirq."""


@dataclass(frozen=True)
class Share:
    used: float = 0.0
    waited: float = 0.0

    def __add__(self, other: "Share") -> "Share":
        return Share(self.used + other.used, self.waited + other.waited)

    def __sub__(self, other: "Share") -> "Share":
        return Share(self.used - other.used, self.waited - other.waited)


Shares = Mapping[str, Share]


@dataclass(frozen=True)
class Everybody:
    """The bench's processes by their part. PostgreSQL's that gave way are the worker's."""

    postmaster: int
    api: int
    worker: int
    platforms: int
    feeder: int

    def shares(self) -> dict[str, Share]:
        """Until now, whoever is still there."""
        backends = [pid for pid in machine.tree(self.postmaster) if pid != self.postmaster]
        gave_way = {pid for pid in backends if _niceness(pid) > 0}
        parts: dict[str, Iterable[int]] = {
            "API": set(machine.tree(self.api)) - set(machine.tree(self.worker)),
            "API's PostgreSQL": set(backends) - gave_way,
            "worker": machine.tree(self.worker),
            "worker's PostgreSQL": gave_way,
            "platforms": machine.tree(self.platforms),
            "who asks for syncs": [self.feeder],
            "readers": [os.getpid()],
        }
        return {part: sum(map(_share, pids), Share()) for part, pids in parts.items()}


def busy() -> float:
    """How long the machine's cores worked until now, all together."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(ticks[place] for place in BUSY) * machine.TICK_US / 1e6


def between(before: Shares, after: Shares) -> dict[str, Share]:
    return {part: share - before[part] for part, share in after.items()}


def _niceness(pid: int) -> int:
    with contextlib.suppress(OSError):
        return os.getpriority(os.PRIO_PROCESS, pid)
    return 0


def _share(pid: int) -> Share:
    found = Share()
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            used, waited, _turns = (task / "schedstat").read_text().split()
            found += Share(int(used) / 1e9, int(waited) / 1e9)
    return found
