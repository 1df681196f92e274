"""A cluster of real RabbitMQ nodes on loopback: own data, names, ports and name server; nodes end by SIGKILL."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests import ports

# Debian's command in the path insists on the package's own user and directories; the one behind it does not.
KNOWN = ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server") or "")
SERVER = next((path for path in KNOWN if path and Path(path).exists()), None)
START_SECONDS = 90
CONF = """\
listeners.tcp.local = 127.0.0.1:{port}
log.console = false
"""
# The others join the first once it stands: who joins earlier, while it makes its first user, can leave it without one.
JOIN = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.discovery_retry_interval = 100
cluster_formation.discovery_retry_limit = 900
cluster_formation.classic_config.nodes.1 = {first}
cluster_formation.classic_config.nodes.2 = {own}
"""


def lean(home):
    """RabbitMQ as it is installed, but for the plugins: nobody enables one, and half of a start is loading them."""
    installed = Path(SERVER).resolve().parents[1]
    for part in ("sbin", "plugins"):
        (home / part).mkdir()
        for found in (installed / part).iterdir():
            if not found.name.startswith("rabbitmq_") or found.name.startswith("rabbitmq_prelaunch"):
                (home / part / found.name).symlink_to(found)
    return {"RABBITMQ_SCRIPTS_DIR": str(home / "sbin")}


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Cluster:
    def __init__(self, home, size):
        self.home = home
        self.names = [f"rabbit{number}@localhost" for number in range(size)]
        self.ports = [ports.free() for _ in self.names]
        self.urls = [f"amqp://guest:guest@127.0.0.1:{port}/" for port in self.ports]
        self.nodes = {}
        (home / "enabled").write_text("[].\n")
        cookie = home / ".erlang.cookie"
        cookie.write_text("a cookie for this cluster alone")
        cookie.chmod(0o400)
        names = {"ERL_EPMD_PORT": str(ports.free()), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        self.env = {**os.environ, **names, **lean(home), "HOME": str(home), "LANG": "C.UTF-8"}
        self.epmd = subprocess.Popen([shutil.which("epmd"), "-port", names["ERL_EPMD_PORT"]], env=self.env)

    def start(self):
        """The first, until it takes connections; then the others begin. `wait` for as many as are needed."""
        self.start_node(0)
        self.wait(1)
        for number in range(1, len(self.names)):
            self.start_node(number)

    def wait(self, count):
        """Until the first so many take connections."""
        end = time.monotonic() + START_SECONDS
        while not all(listens(port) for port in self.ports[:count]):
            assert time.monotonic() < end, "rabbitmq-server does not start"
            time.sleep(0.1)

    def start_node(self, number):
        name, port, home = self.names[number], self.ports[number], self.home / str(number)
        home.mkdir(exist_ok=True)
        conf = CONF.format(port=port) + (JOIN.format(first=self.names[0], own=name) if number else "")
        (home / "rabbitmq.conf").write_text(conf)
        env = {
            "RABBITMQ_NODENAME": name,
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(ports.free()),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.home / "enabled"),
            # Few processors, shared with the tests: no spinning, and nothing heard from outside.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }
        with (home / "out").open("a") as out:
            self.nodes[number] = subprocess.Popen(
                [SERVER],
                env={**self.env, **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def kill(self, number):
        node = self.nodes.pop(number)
        os.killpg(node.pid, signal.SIGKILL)
        node.wait()

    def end(self):
        for number in list(self.nodes):
            self.kill(number)
        self.epmd.kill()
        self.epmd.wait()
