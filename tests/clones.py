"""A migrated database for each test: a clone of the run's template, made as new again for the next test.

Cloning waits for checkpoints, a quarter of a second; emptying what a test wrote takes hundredths. As new is
checked, not hoped: where anything but rows and sequences changed (a table, a column, statistics), the clone
is dropped and the next test gets another.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from io import BytesIO

import asyncpg

TEMPLATE = "template_graph"

# Tables that hold or held anything, by their files: also what was rolled back is not left behind.
WRITTEN = """
select format('%I', relname) from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and pg_relation_size(oid) > 0
"""
RESTART = """
select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
from pg_sequences where last_value is not null
"""
CATALOGS = (
    "attrdef", "attribute", "cast", "collation", "constraint", "depend", "description", "enum", "extension",
    "index", "inherits", "language", "largeobject_metadata", "namespace", "opclass", "operator",
    "partitioned_table", "policy", "proc", "publication", "rewrite", "sequence", "statistic", "statistic_ext",
    "trigger", "type",
)  # fmt: skip
# A clone has its template's rows, with the transactions that wrote them. Emptying a table changes pg_class alone.
CATALOG = """
select md5(string_agg(format('%s %s %s', it, rows, newest), ',' order by it)) from (
{catalogs}
union all select 'class', count(*), sum(hashtext(format('%s %s %s %s %s %s %s %s %s %s', oid, relname, relkind,
  relnatts, relchecks, reloptions, relacl, relhastriggers, relispartition, case relkind when 'r' then reltuples end)))
from pg_class where relnamespace = 'public'::regnamespace
union all select 'settings', count(s.*), max(d.datconnlimit) from pg_database d
left join pg_db_role_setting s on d.oid = s.setdatabase where d.datname = current_database()
) as found (it, rows, newest)
""".format(
    catalogs="\nunion all ".join(
        f"select '{name}', count(*), max(xmin::text::bigint) from pg_{name}" for name in CATALOGS
    )
)


async def _rows(connection: asyncpg.Connection, table: str) -> bytes:
    written = BytesIO()
    await connection.copy_from_query(f"select * from {table} order by 1", output=written, format="binary")
    return written.getvalue()


@dataclass
class Clones:
    """One process's clones. `seeds`: what migrations wrote, by table; `catalog`: what the template is made of."""

    admin: asyncpg.Connection
    address: str  # with {name} where the database's name goes
    seeds: dict[str, bytes] = field(default_factory=dict)
    catalog: str = ""
    clean: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, postgres: str) -> "Clones":
        clones = cls(await asyncpg.connect(postgres), postgres.replace("/postgres?", "/{name}?"))
        first = await clones._new()
        connection = await asyncpg.connect(clones.at(first))
        clones.seeds = {row[0]: await _rows(connection, row[0]) for row in await connection.fetch(WRITTEN)}
        clones.catalog = await connection.fetchval(CATALOG)
        await connection.close()
        clones.clean.append(first)
        return clones

    def at(self, name: str) -> str:
        return self.address.format(name=name)

    async def _new(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        # Copied as files, a tenth of the time that writing each page to the log takes.
        await self.admin.execute(f"create database {name} template {TEMPLATE} strategy file_copy")
        return name

    async def take(self) -> str:
        """The name of a database as new, which no test before had: what still runs of another test cannot find it."""
        if not self.clean:
            return await self._new()
        name = f"test_{uuid.uuid4().hex}"
        await self._renamed(self.clean.pop(), name)
        return name

    async def give_back(self, name: str) -> None:
        """End whoever is still connected; empty it, or drop it where that does not make it as new."""
        try:
            away = await self._renamed(name, f"used_{name}")
        except asyncpg.ObjectInUseError:  # someone connects again and again
            await self.admin.execute(f"drop database {name} with (force)")
            return
        if await self._emptied(away):
            self.clean.append(away)
        else:
            await self.admin.execute(f"drop database {away} with (force)")

    async def _renamed(self, name: str, to: str) -> str:
        ending = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1"
        async with asyncio.timeout(60):
            while await self.admin.fetchval(ending, name):
                await asyncio.sleep(0.001)
        await self.admin.execute(f"alter database {name} rename to {to}")
        return to

    async def _emptied(self, name: str) -> bool:
        """Whether it is as new, rows deleted and sequences restarted."""
        try:
            connection = await asyncpg.connect(self.at(name))
        except asyncpg.PostgresError:  # it lets nobody in
            return False
        try:
            changed = [table for table, rows in self.seeds.items() if await _rows(connection, table) != rows]
            written = [row[0] for row in await connection.fetch(WRITTEN) if row[0] not in self.seeds]
            if changed or written:
                await connection.execute(f"truncate {', '.join((*changed, *written))} cascade")
            for table in changed:
                await connection.copy_to_table(table, source=BytesIO(self.seeds[table]), format="binary")
            await connection.fetch(RESTART)
            found: str = await connection.fetchval(CATALOG)
        except asyncpg.PostgresError:  # a seed's table is away
            return False
        finally:
            await connection.close()
        return found == self.catalog
