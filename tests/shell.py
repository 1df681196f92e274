"""Commands as a shell runs them: each a process of its own, forked from one that has imported everything.

An interpreter's start costs a second and a half of a processor, a fork hundredths. That the start itself works,
test_processes.py tries.
"""

import asyncio
import json
import os
import signal
import socketserver
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Begun:
    """A process that runs until it ends or is ended, the leader of its group. `out`: what it printed so far."""

    pid: int
    out: Path
    _stream: Stream
    returncode: int | None = None

    @property
    def err(self) -> Path:
        return Path(f"{self.out}.err")

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """It and what it started."""
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)

    async def wait(self) -> int:
        if self.returncode is None:
            self.returncode = (await _told(self._stream))["code"]
        return self.returncode

    async def value(self) -> Any:
        """The first line of JSON that it prints."""
        try:
            async with asyncio.timeout(120):
                while "\n" not in (text := self.out.read_text()):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(self.err.read_text()) from None
        return json.loads(text.partition("\n")[0])


@dataclass(frozen=True)
class Shell:
    """Runs `creator-graph` in the environment of who asks; begins workers and servers."""

    path: str

    async def run(
        self, *arguments: str, environment: Mapping[str, str] = os.environ, **settings: object
    ) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command under these settings; stdin is empty."""
        stream = await self._ask("command", arguments, dict(environment) | _given(settings))
        async with asyncio.timeout(300):
            told = await _told(stream)
        return told["code"], told["out"], told["err"]

    async def begin(
        self,
        what: str,
        *arguments: str,
        out: Path,
        environment: Mapping[str, str] = os.environ,
        **settings: object,
    ) -> Begun:
        """A `command` or a `worker` with its arguments, or a `server`, under these settings."""
        stream = await self._ask(what, arguments, dict(environment) | _given(settings), out=str(out))
        told = json.loads(await stream[0].readline())
        return Begun(told["pid"], out, stream)

    async def _ask(
        self, what: str, arguments: Sequence[str], environment: Mapping[str, str], **more: str
    ) -> Stream:
        asked = {"what": what, "arguments": arguments, "environment": environment, **more}
        reader, writer = await asyncio.open_unix_connection(self.path, limit=2**24)
        writer.write(json.dumps(asked).encode() + b"\n")
        return reader, writer


def _given(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"CREATOR_GRAPH_{name.upper()}": str(value) for name, value in settings.items()}


async def _told(stream: Stream) -> Any:
    """The last word about a process."""
    reader, writer = stream
    told = json.loads(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return told


@contextmanager
def opened(path: Path) -> Iterator[Shell]:
    """A shell, gone with the block."""
    command = [sys.executable, "-m", "tests.shell", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as warmed:
        assert warmed.stdout
        assert warmed.stdout.readline(), "it did not come up"
        yield Shell(str(path))
        warmed.kill()


# -- in the process that forks


class _Handler(socketserver.StreamRequestHandler):
    """One process, in another that waits for it."""

    def handle(self) -> None:
        asked = json.loads(self.rfile.readline())
        if "out" in asked:
            with Path(asked["out"]).open("wb") as out, Path(asked["out"] + ".err").open("wb") as err:
                child = _forked(asked, out, err)
            self._tell({"pid": child})
            with suppress(BrokenPipeError):  # nobody asks any more
                self._tell({"code": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])})
            return
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            told: dict[str, Any] = {
                "code": os.waitstatus_to_exitcode(os.waitpid(_forked(asked, out, err), 0)[1])
            }
            for name, file in (("out", out), ("err", err)):
                file.seek(0)
                told[name] = file.read().decode()
        self._tell(told)

    def _tell(self, told: Mapping[str, Any]) -> None:
        self.wfile.write(json.dumps(told).encode() + b"\n")


def _forked(asked: Any, out: IO[bytes], err: IO[bytes]) -> int:
    child = os.fork() or _become(asked, out, err)
    with suppress(
        PermissionError, ProcessLookupError
    ):  # whoever is first: it leads a group before anybody hears of it
        os.setpgid(child, child)
    return child


def _become(asked: Any, out: IO[bytes], err: IO[bytes]) -> NoReturn:
    os.setpgid(0, 0)
    for ours, theirs in ((os.open(os.devnull, os.O_RDONLY), 0), (out.fileno(), 1), (err.fileno(), 2)):
        os.dup2(ours, theirs)
    os.environ.clear()
    os.environ.update(asked["environment"])
    code: object = 1
    try:
        BECOMING[asked["what"]](asked["arguments"])
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 -- as the interpreter does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _command(arguments: Sequence[str]) -> None:
    from server.cli import main  # noqa: PLC0415 -- imported already, by `serve`

    sys.argv = ["creator-graph", *arguments]
    main()


def _worker(arguments: Sequence[str]) -> None:
    from bench import worker_process  # noqa: PLC0415
    from services import jobs  # noqa: PLC0415

    jobs.DEQUEUE_TIMEOUT, jobs.HEARTBEAT_TIMEOUT = timedelta(seconds=0.25), timedelta(seconds=2)
    asyncio.run(worker_process.main(*arguments))


def _server(arguments: Sequence[str]) -> None:
    from tests.acceptance import patience  # noqa: PLC0415

    patience.serve()


BECOMING: Mapping[str, Callable[[Sequence[str]], None]] = {
    "command": _command,
    "worker": _worker,
    "server": _server,
}


class _Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 128


def serve(path: str) -> None:
    # What every fork then has.
    import bench.worker_process  # noqa: F401, PLC0415
    import server.cli  # noqa: F401, PLC0415
    import tests.acceptance.patience  # noqa: F401, PLC0415

    with _Server(path, _Handler) as server_:
        print("ready", flush=True)  # noqa: T201
        server_.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1])
