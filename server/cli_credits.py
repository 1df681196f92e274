"""Credits: what is left, and why."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from graph import ids
from server import opening, output
from services import accounts, credits

app = typer.Typer(help="Credits: grant, adjust, refund, show, audit.", no_args_is_help=True)

# Without it `-120` is read as an option.
NEGATIVE_NUMBERS = {"ignore_unknown_options": True}

Change = Callable[[AsyncSession, UUID], Awaitable[None]]
Which = Annotated[str, typer.Argument(help="Account: id (acc_…) or name.")]


def _plain(statement: credits.Statement) -> dict[str, Any]:
    balance = statement.balance
    return {
        "limit": balance.limit,
        "used": balance.used,
        "remaining": balance.remaining,
        "resetAt": balance.reset_at,
    }


def _changed(account: str, change: Change, *, as_json: bool) -> None:
    """Change a balance, and print what it is then."""

    async def work(opened: opening.Opened) -> credits.Statement:
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
                await change(session, found.id)
            async with database.read() as connection:
                return await credits.show(connection, found.id, datetime.now(UTC), 1)

    output.record(_plain(opening.run(work, as_json=as_json)), as_json=as_json)


@app.command(context_settings=NEGATIVE_NUMBERS)
def grant(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many more, this month.")],
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    json: output.Json = False,
) -> None:
    """More credits for this month."""
    _changed(account, lambda session, who: credits.grant(session, who, amount, note), as_json=json)


@app.command(context_settings=NEGATIVE_NUMBERS)
def adjust(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many more; less, where negative.")],
    note: Annotated[str, typer.Option(help="Why.")],
    json: output.Json = False,
) -> None:
    """Set a balance right, up or down, but never below nothing."""
    _changed(account, lambda session, who: credits.adjust(session, who, amount, note), as_json=json)


@app.command(context_settings=NEGATIVE_NUMBERS)
def refund(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many were charged for nothing.")],
    note: Annotated[str, typer.Option(help="For what.")],
    key: Annotated[
        str | None, typer.Option(help="Which key paid, key_…: its own monthly limit gets them back too.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Give back what was charged for nothing."""

    def change(session: AsyncSession, who: UUID) -> Awaitable[None]:
        key_id = None if key is None else ids.read("ApiKey", key)
        return credits.refund(session, who, amount, note, key_id=key_id)

    _changed(account, change, as_json=json)


@app.command()
def show(account: Which, json: output.Json = False) -> None:
    """The balance, and its last changes."""

    async def work(opened: opening.Opened) -> credits.Statement:
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
            async with database.read() as connection:
                return await credits.show(connection, found.id, datetime.now(UTC))

    statement = opening.run(work, as_json=json)
    entries = [
        {
            "at": entry.at,
            "kind": entry.kind,
            "amount": entry.amount,
            "key": entry.key_id and ids.write("ApiKey", entry.key_id),
            "note": entry.note,
        }
        for entry in statement.entries
    ]
    if json:
        output.record({**_plain(statement), "ledger": entries}, as_json=True)
        return
    output.record(_plain(statement), as_json=False)
    output.records(entries, as_json=False, empty="No changes yet.")


@app.command()
def audit(json: output.Json = False) -> None:
    """Whether every balance is the sum of its ledger rows. Exit code 1 when one is not."""

    async def work(opened: opening.Opened) -> list[credits.Disagreement]:
        async with opened.database() as database, database.read() as connection:
            return await credits.audit(connection)

    found = opening.run(work, as_json=json)
    rows = [
        {
            "account": ids.write("Account", wrong.account_id),
            "remaining": wrong.remaining,
            "booked": wrong.booked,
        }
        for wrong in found
    ]
    output.records(rows, as_json=json, empty="Every balance is the sum of its ledger rows.")
    if found:
        raise typer.Exit(1)
