"""Opening what a command needs: settings, the database (ours where none is given), a house."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import pydantic
import typer
import uvloop
from sqlalchemy import exc

from db import embedded
from db.session import Database, open_database
from server import logs, output, roomy
from server.settings import Settings
from services import errors

T = TypeVar("T")


@dataclass(frozen=True)
class Opened:
    """Settings, and the database's address. `keeper` keeps an embedded server running while it is held."""

    settings: Settings
    address: str
    keeper: Any

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        database = await open_database(self.address, readers=2, writers=2)
        try:
            yield database
        finally:
            await database.close()


def read_settings() -> Settings:
    """The settings, or a clear end of the command."""
    try:
        return Settings()
    except pydantic.ValidationError as error:
        for wrong in error.errors():
            name = "CREATOR_GRAPH_" + "_".join(str(part) for part in wrong["loc"][:1]).upper()
            output.errors_to.print(output.plain(name, "red").append(f": {wrong['msg']}"))
        raise typer.Exit(2) from None


def open_all(*, log_level: str = "info") -> Opened:
    """Settings read, logging set (to `log_level` where no setting says), the embedded server started if need be."""
    settings = read_settings()
    level = settings.log_level or log_level
    settings = settings.model_copy(update={"log_level": level})
    logs.configure(level)
    if settings.database_url:
        return Opened(settings, settings.database_url, None)
    keeper, address = embedded.start(settings.data_dir.resolve())
    return Opened(settings, address, keeper)


def _run(work: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return roomy.run(runner.run, work)


def run(work: Callable[[Opened], Coroutine[Any, Any, T]], *, as_json: bool, log_level: str = "warning") -> T:
    """Run a command's work. Expected failures are said, not traced; the exit code is 1."""
    try:
        return _run(work(open_all(log_level=log_level)))
    except errors.ServiceError as error:
        raise output.refuse(error, as_json=as_json) from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, exc.DBAPIError) as error:
        raise output.refuse(_unusable(error), as_json=as_json) from None


def _unusable(error: BaseException) -> errors.ServiceError:
    """What is the matter with the database, and what to do."""
    driver = error.orig.__cause__ if isinstance(error, exc.DBAPIError) and error.orig else error
    if isinstance(driver, asyncpg.UndefinedTableError | asyncpg.InvalidCatalogNameError):
        wrong = errors.Unavailable("The database has no tables of ours yet.")
        wrong.remedy = "Run: creator-graph migrate"
        return wrong
    away = errors.Unavailable(f"The database cannot be used: {type(driver or error).__name__}.")
    away.remedy = "Check CREATOR_GRAPH_DATABASE_URL, and that the server runs."
    return away
