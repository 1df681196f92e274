"""A real redis-server of a test's own, on loopback, that keeps nothing."""

import contextlib
import shutil
import socket
import subprocess
import time

import pytest

from tests import ports

SERVER = shutil.which("redis-server")


class Redis:
    """One server, which a test may kill and start again."""

    def __init__(self):
        self.port = ports.free()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process = None

    def start(self):
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self.process = subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL)
        for _ in range(3_000):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("redis-server does not listen")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def running():
    """A server as long as a test runs; where there is none the test is skipped."""
    if SERVER is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    pytest.importorskip("redis", reason="the optional package redis is not installed")
    server = Redis()
    server.start()
    yield server
    server.kill()
