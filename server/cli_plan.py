"""What the planner makes of an operation: its tree, its SQL, what assembles the answer, and PostgreSQL's own plan."""

import asyncio
import json as codec
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from graphql.execution.values import VariableValues

import resolvers
from db import explaining
from db.session import Database
from graph import quote as quoting
from graph import telling
from graph.documents import DocumentRefused, Operation
from graph.planner import tree
from graph.schema import Engine
from server import opening, output
from services import accounts, errors

NOBODY = UUID(int=0)


class Mode(StrEnum):
    """Which world."""

    live = "live"
    test = "test"


@dataclass(frozen=True)
class Asked:
    """An operation that the API would run, with its variables and its price."""

    engine: Engine
    operation: Operation
    variables: VariableValues
    quote: quoting.Quote


@dataclass(frozen=True)
class Wish:
    """Whose data is read, and how PostgreSQL is asked about it."""

    account: str | None
    livemode: bool
    explains: bool
    analyzes: bool


def plan(
    query: Annotated[typer.FileText, typer.Argument(help="A .graphql file; - reads standard input.")],
    variables: Annotated[str, typer.Option(help="A JSON object, or @ and a file that holds one.")] = "{}",
    operation: Annotated[str | None, typer.Option(help="Which of the document's operations.")] = None,
    account: Annotated[
        str | None, typer.Option(help="Whose data: id (acc_…) or name; else nobody's.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Which world.")] = Mode.live,
    explain: Annotated[bool, typer.Option(help="Ask PostgreSQL too, where one is configured.")] = True,
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run the statements, and tell their times.")
    ] = False,
    json: output.Json = False,
) -> None:
    """How an operation is read: price, plan, SQL, assembler, EXPLAIN. Nothing is charged."""
    wish = Wish(account, mode is Mode.live, explain, analyze)
    try:
        asked = _asked(query.read(), operation, _object(variables))
        if (account or analyze) and not _has_database():
            raise errors.BadUserInput("No database is configured.", remedy="Set CREATOR_GRAPH_DATABASE_URL.")
        if analyze and not account:
            raise errors.BadUserInput(
                "Whose data is to be read?", remedy="Give --account.", argument="account"
            )
        if not (explain or account) or not _has_database():
            shown = asyncio.run(_shown(asked, wish, None))
        else:
            shown = opening.run(lambda opened: _with_database(asked, wish, opened), as_json=json)
    except errors.ServiceError as error:
        raise output.refuse(error, as_json=json) from None
    if json:
        output.record(shown, as_json=True)
    else:
        _print(shown)


# -- what was asked


def _asked(text: str, name: str | None, given: Mapping[str, Any]) -> Asked:
    """Raises what the API would, with the same codes."""
    engine = resolvers.engine(compiles=opening.read_settings().compiled)
    try:
        operation = engine.documents.operation(text, name)
    except DocumentRefused as refusal:
        raise _refusal(refusal) from None
    variables = operation.read(given)
    return Asked(engine, operation, variables, quoting.of(engine.policy, operation, variables))


def _refusal(refusal: DocumentRefused) -> errors.ServiceError:
    """All errors of a document, each with its place, under the code the API gives them."""
    kinds = {kind.code: kind for kind in (errors.ParseFailed, errors.ValidationFailed)}
    found = [
        ":".join(
            [*(f"{place.line}:{place.column}" for place in (error.locations or ())[:1]), f" {error.message}"]
        )
        for error in refusal.found
    ]
    return kinds[refusal.document_code]("\n".join(line.strip() for line in found))


def _object(given: str) -> dict[str, Any]:
    try:
        text = Path(given[1:]).read_text(encoding="utf-8") if given.startswith("@") else given
        value = codec.loads(text)
    except (OSError, ValueError) as error:
        raise errors.BadUserInput(
            f"`--variables`: {error}", remedy='Give them as JSON: {"first": 20}'
        ) from None
    if not isinstance(value, dict):
        raise errors.BadUserInput("`--variables` must be a JSON object.", remedy='Such as {"first": 20}')
    return value


# -- what is told of it


def _has_database() -> bool:
    """Whether a database is configured, or ours was started here before: none is made for this."""
    settings = opening.read_settings()
    return settings.database_url is not None or (settings.data_dir / "postgres").exists()


async def _with_database(asked: Asked, wish: Wish, opened: opening.Opened) -> dict[str, Any]:
    async with opened.database() as database:
        return await _shown(asked, wish, database)


async def _shown(asked: Asked, wish: Wish, database: Database | None) -> dict[str, Any]:
    account_id = NOBODY
    if wish.account is not None and database is not None:
        async with database.write() as session:
            account_id = (await accounts.find(session, wish.account)).id
    roots = await telling.told(
        asked.operation, asked.variables, account_id, livemode=wish.livemode, now=datetime.now(UTC)
    )
    fields = [root.field for root in roots]
    is_compiled = asked.engine.compiles and telling.is_compiled(asked.operation, fields)
    return {
        "operation": asked.operation.name,
        "kind": asked.operation.kind,
        "path": "compiled" if is_compiled else "ordinary",
        "price": _price(asked.quote),
        "scopes": sorted(asked.quote.scopes),
        "roots": [
            {
                "key": root.field.key,
                "field": root.field.name,
                "planned": root.planned,
                "statements": [await _statement(one, wish, database) for one in root.statements],
            }
            for root in roots
        ],
    }


def _price(quote: quoting.Quote) -> dict[str, Any]:
    lines = [
        {"path": line.path, "count": line.count, "credits": line.thousandths / 1000} for line in quote.lines
    ]
    return {"least": quote.base, "most": quote.max, "fields": lines}


async def _statement(one: telling.Statement, wish: Wish, database: Database | None) -> dict[str, Any]:
    explained: Sequence[str] | None = None
    if database is not None and wish.explains:
        async with database.read() as connection:
            text = one.plan.statement.sql
            explained = await explaining.explain(connection, text, one.binds, analyze=wish.analyzes)
    return {
        "tree": list(tree.block(one.plan.statement.layout.block, one.read).lines()),
        "sql": tree.sql(one.plan.statement.sql),
        "binds": [str(value) for value in one.binds],
        "assembler": one.plan.assembler.source,
        "explain": explained,
    }


# -- to people


def _print(shown: Mapping[str, Any]) -> None:
    price = shown["price"]
    _title(
        f"{shown['kind']} {shown['operation'] or ''}".strip(),
        f"{shown['path']} path; {price['least']} to {price['most']} credits; "
        f"needs {', '.join(shown['scopes']) or 'no scope'}",
    )
    for line in price["fields"]:
        typer.echo(f"  {line['path']}: {line['count']:,} at most, {line['credits']:g} credits")
    for root in shown["roots"]:
        for number, statement in enumerate(root["statements"], start=1):
            _title(root["key"], f"{root['field']}: statement {number} of {len(root['statements'])}")
            _print_statement(statement)
        if not root["statements"]:
            _title(root["key"], f"{root['field']}: {_by_whom(shown['kind'], root)}")


def _by_whom(kind: str, root: Mapping[str, Any]) -> str:
    if root["field"].startswith("__"):
        return "of the schema itself"
    if root["planned"]:
        return "nothing to read"
    return (
        "answered by its resolver"
        if kind == "query"
        else f"a {kind}, done by its resolver; what it answers is read by plans"
    )


def _print_statement(statement: Mapping[str, Any]) -> None:
    binds = "\n".join(f"${n} = {value}" for n, value in enumerate(statement["binds"], start=1))
    explained = statement["explain"]
    for title, text in (
        ("plan", "\n".join(statement["tree"])),
        ("SQL", f"{statement['sql']}\n\n{binds}"),
        ("assembler", statement["assembler"]),
        (
            "EXPLAIN",
            "\n".join(explained) if explained is not None else "not asked: no database is configured",
        ),
    ):
        output.console.print(f"\n[bold]{title}[/]")
        typer.echo(text.rstrip())


def _title(name: str, more: str) -> None:
    output.console.print()
    output.console.print(f"[bold cyan]{name}[/]  {more}")
