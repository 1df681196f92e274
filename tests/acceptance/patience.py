"""What waits for others waits long here: the machine may be busy with other tests."""

from db import session
from graph import in_time
from server import opening, processes
from services import cashier, redis_limits, shared_limits

COUNT_NODES_SECONDS = 1.0


def have() -> None:
    """For the database and for Redis, however many come at once."""
    session.open_database.__kwdefaults__["patience"] = 60
    shared_limits.SharedLimits.__init__.__kwdefaults__["patience"] = 20
    redis_limits.TIMEOUT = 15
    cashier.CONNECT_SECONDS = 60
    in_time.SECONDS = 60


def serve() -> None:
    """A server, as `serve` is, under the settings of this process."""
    have()
    shared_limits.COUNT_NODES_SECONDS = COUNT_NODES_SECONDS
    opening.run(
        lambda opened: processes.serve(opened, with_worker=False, as_json=True),
        as_json=True,
        log_level="error",
    )
