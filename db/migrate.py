"""Brings a database to the newest tables: ours by alembic, the queue's by its own installer."""

from datetime import UTC, datetime
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession

from alembic import command
from db import partitions
from db.session import Database, raw

SCRIPTS = Path(__file__).parent.parent / "alembic"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


async def upgrade(database: Database, revision: str = "head") -> None:
    """Make every table, the queue's too, and the partitions of the days ahead. Safe to run by several at once."""
    async with database.engine.begin() as connection:
        await connection.execute(text("select pg_advisory_xact_lock(hashtext('creator-graph migrate'))"))
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), revision))
    if revision == "head":
        async with database.write() as session:
            await session.execute(text("select pg_advisory_xact_lock(hashtext('creator-graph migrate'))"))
            await _install_queue(session)
            await partitions.ensure(session, datetime.now(UTC))


async def downgrade(database: Database, revision: str = "base") -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(_config(sync), revision))


async def is_current(database: Database) -> bool:
    """Whether the tables are those this code was written for."""
    async with database.engine.connect() as connection:
        stands = await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )
        wanted = await connection.run_sync(
            lambda sync: ScriptDirectory.from_config(_config(sync)).get_current_head()
        )
    return stands == wanted


async def _install_queue(session: AsyncSession) -> None:
    queries = Queries(AsyncpgDriver(await raw(session)))
    if not await queries.has_table("pgqueuer"):
        await queries.install()
    await queries.upgrade()
