"""What a database raises that is away, or too busy to answer in time: nothing is wrong, and it passes."""

import asyncpg
from sqlalchemy import exc

_AWAY = (
    OSError,  # TimeoutError too: a pool's, and a statement's
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # the database takes no connections; a lock did not come in time
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.DeadlockDetectedError,
    exc.InterfaceError,
    exc.OperationalError,
    exc.TimeoutError,
)


def is_away(error: BaseException) -> bool:
    """Whether it is worth coming again; what SQLAlchemy wrapped is judged by what it wraps."""
    if isinstance(error, exc.DBAPIError):
        wrapped = error.orig and error.orig.__cause__
        return isinstance(error, _AWAY) or error.connection_invalidated or isinstance(wrapped, _AWAY)
    return isinstance(error, _AWAY)
