"""Server processes without the seconds of importing: `start <port>` on stdin forks one that serves as `serve` does."""

import os
import signal
import sys

from server import opening, processes


def serve(port: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ["CREATOR_GRAPH_PORT"] = port
    opening.run(
        lambda opened: processes.serve(opened, with_worker=False, as_json=True),
        as_json=True,
        log_level="error",
    )


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead need no burying
    for line in sys.stdin:
        if os.fork() == 0:
            serve(line.split()[1])
            os._exit(0)


if __name__ == "__main__":
    main()
