"""How PostgreSQL would run a statement of ours: planned once for all values, as on the readers."""

from collections.abc import Sequence
from typing import Any

from db.session import Connection


async def explain(
    connection: Connection, sql: str, arguments: Sequence[Any], *, analyze: bool = False
) -> list[str]:
    """EXPLAIN's lines for a statement with these arguments. `analyze`: it is run, and its times told.

    Needs one of the readers' connections: only their settings give the plan that requests get.
    """
    # EXPLAIN EXECUTE takes literals only; PostgreSQL itself writes them, each by its parameter's type.
    types = (await connection.prepare(sql)).get_parameters()
    texts = ", ".join(f"quote_nullable(${n}::{kind.name}::text)" for n, kind in enumerate(types, start=1))
    literals = list((await connection.fetch(f"select {texts}", *arguments))[0]) if types else []
    await connection.execute(f"prepare explained as {sql}")
    try:
        given = f"({', '.join(literals)})" if literals else ""
        options = "(analyze, buffers off) " if analyze else ""
        return [row[0] for row in await connection.fetch(f"explain {options}execute explained{given}")]
    finally:
        await connection.execute("deallocate explained")
