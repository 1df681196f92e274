"""Ports for servers of a run's own, which nobody else is given.

The system gives a port at random to whoever asks for any, and to whoever connects: one that was free a moment ago
may be theirs by the time a server takes it. Below FIRST_GIVEN it gives none unasked; there each process of a run
has its share.
"""

import itertools
import os
import random
import socket

FIRST, FIRST_GIVEN, SHARES = 12_000, 32_000, 16
_SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES
_MINE = [port for port in range(FIRST, FIRST_GIVEN) if port % SHARES == _SHARE]
_START = random.randrange(len(_MINE))  # another run beside this one begins elsewhere
_NEXT = itertools.cycle(_MINE[_START:] + _MINE[:_START])


def free() -> int:
    """One on which nobody listens, another each time."""
    for port in itertools.islice(_NEXT, len(_MINE)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port is free")
