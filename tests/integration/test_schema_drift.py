"""The migrations make exactly the tables of the models. Triggers are the migrations' alone."""

import asyncpg
from sqlalchemy import text

from db import migrate, models
from db.session import Database, open_database

CATALOG = """
select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
       || case when a.attnotnull then ' not null' else '' end || coalesce(' = ' || pg_get_expr(d.adbin, d.adrelid), '')
from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
union all
select 'index ' || indexdef from pg_indexes where schemaname = 'public'
union all
select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'public'::regnamespace and contype <> 't'
"""


async def _catalog(database: Database, ours: set[str]) -> set[str]:
    async with database.read() as connection:
        rows = await connection.fetch(CATALOG)
    return {
        row[0]
        for row in rows
        if "pgqueuer" not in row[0] and "alembic_version" not in row[0] and not _of_partition(row[0], ours)
    }


def _of_partition(line: str, ours: set[str]) -> bool:
    return any(f"{table}_20" in line or f"{table}_default" in line for table in ours)


async def test_migrations_make_the_tables_of_the_models(database: Database, postgres: str) -> None:
    tables = set(models.Table.metadata.tables)
    migrated = await _catalog(database, tables)
    admin = await asyncpg.connect(postgres)
    await admin.execute("create database from_models")
    scratch = await open_database(postgres.replace("/postgres?", "/from_models?"))
    async with scratch.engine.begin() as connection:
        await connection.run_sync(models.Table.metadata.create_all)
    from_models = await _catalog(scratch, tables)
    await scratch.close()
    await admin.execute("drop database from_models")
    await admin.close()
    assert migrated == from_models


async def test_migrations_go_down_to_nothing_and_up_again(database: Database) -> None:
    assert await migrate.is_current(database)
    await migrate.downgrade(database)
    async with database.engine.connect() as connection:
        left = set(
            await connection.scalars(
                text(
                    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r','p')"
                )
            )
        )
    assert not left & set(models.Table.metadata.tables)
    await migrate.upgrade(database)
    assert await migrate.is_current(database)
