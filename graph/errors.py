"""A service error becomes a GraphQL error with a stable code; the rest is masked, and logged whole."""

import asyncio
from typing import Any

import asyncpg
import structlog
from graphql import GraphQLError
from sqlalchemy import exc

from graph.documents import DocumentRefused
from services import errors

log = structlog.get_logger()

AWAY = (
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    exc.InterfaceError,
    exc.OperationalError,
    exc.TimeoutError,
)


def expected(error: BaseException) -> errors.ServiceError | None:
    """The failure a caller may see behind an exception; None where it is ours to mend."""
    if isinstance(error, errors.ServiceError):
        return error
    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return errors.Unavailable()
    if isinstance(error, AWAY):
        return errors.Unavailable()
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError | asyncio.TimeoutError):
        return late()
    return None


def late() -> errors.Timeout:
    return errors.Timeout("The database did not answer in time.", remedy="Ask for less at once.")


def formatted(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """One entry of `errors` for what went wrong at a place."""
    original = error.original_error
    while isinstance(original, GraphQLError) and original.original_error:
        original = original.original_error
    entry: dict[str, Any] = {"message": error.message}
    if error.locations:
        entry["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        entry["path"] = error.path
    if original is None or isinstance(original, GraphQLError):
        entry["extensions"] = {"code": errors.BadUserInput.code}
        return entry
    known = expected(original)
    if known is None:
        return {**entry, **masked(original, request_id)}
    code = {"code": known.document_code} if isinstance(known, DocumentRefused) else {}
    return {**entry, "message": known.message, "extensions": known.extensions() | code}


def masked(error: BaseException, request_id: str) -> dict[str, Any]:
    """What is ours: logged whole here, told to nobody."""
    log.error("internal error", request_id=request_id, exc_info=error)
    text = f"Something went wrong on our side. Request id: {request_id}"
    return {"message": text, "extensions": {"code": "INTERNAL", "requestId": request_id}}


def refused(error: errors.ServiceError) -> list[dict[str, Any]]:
    """`errors` of an operation that was not run."""
    if isinstance(error, DocumentRefused):
        return [_at_document(found, error.document_code) for found in error.found]
    return [{"message": error.message, "extensions": error.extensions()}]


def _at_document(found: GraphQLError, code: str) -> dict[str, Any]:
    places = [{"line": place.line, "column": place.column} for place in found.locations or ()]
    return {
        "message": found.message,
        **({"locations": places} if places else {}),
        "extensions": {"code": code},
    }
