"""Processes on their cores: started, watched through /proc, and ended by their own pid whatever happens."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.bed import OUT, free_port

SERVER_CORE = 0
OTHER_CORE = 1
START_SECONDS = 60
END_SECONDS = 10
QUIET_SECONDS = 20
TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Running:
    """A contender that answers on a port."""

    pid: int
    port: int


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One bench at a time, off the servers' core; told to end, it unwinds and so ends what it started."""
    if (os.cpu_count() or 1) <= OTHER_CORE:
        raise SystemExit("bench: needs two cores")
    OUT.mkdir(exist_ok=True)
    with (OUT / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("bench: another one is running") from None
        # Of our own, so that asyncio does not put off Ctrl-C until a measurement's end.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGINT, lambda *_: sys.exit(130))
        os.sched_setaffinity(0, {OTHER_CORE})
        yield


@contextlib.contextmanager
def running(name: str, command: tuple[str, ...], env: dict[str, str]) -> Iterator[Running]:
    """A server on its core, from when it accepts connections until the block ends. Its output goes to a log."""
    port = free_port()
    (OUT / "logs").mkdir(parents=True, exist_ok=True)
    told = {name: text.replace("{port}", str(port)) for name, text in env.items()}
    with (OUT / "logs" / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            ("taskset", "-c", str(SERVER_CORE), *command),
            env={**os.environ, **told},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the bench, which then ends its servers
        )
    try:
        _await(process, port, name)
        yield Running(process.pid, port)
    finally:
        _end(process)


def _await(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except urllib.error.HTTPError:
            return  # it answers; what, does not matter here
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{name} does not start; see {OUT / 'logs' / name}.log")


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)


def tree(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_us(pid: int) -> int:
    """Processor time that a process, its children, and those of them that ended, have used."""
    total = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            # utime, stime; of ended children the postmaster's only: inner ones would count twice
            total += sum(int(ticks) for ticks in fields[11 : 15 if one == pid else 13])
    return total * TICK_US


def quiet(pid: int) -> None:
    """Wait until a server has worked off what was asked by connections that are gone."""
    deadline = time.monotonic() + QUIET_SECONDS
    used = cpu_us(pid)
    while time.monotonic() < deadline:
        time.sleep(0.2)
        before, used = used, cpu_us(pid)
        if used - before <= 2 * TICK_US:
            return


def peak_mb(pid: int) -> float:
    """The most memory that the processes ever held, each at its own peak."""
    kilobytes = 0
    for one in tree(pid):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return round(kilobytes / 1024, 1)
