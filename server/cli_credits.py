"""Credits: what is left, and why."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from graph import ids
from server import opening, output
from services import accounts, credits

app = typer.Typer(help="Credits: grant, adjust, refund, show, audit.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Account: id (acc_…) or name.")]


def _plain(statement: credits.Statement) -> dict[str, Any]:
    balance = statement.balance
    return {
        "limit": balance.limit,
        "used": balance.used,
        "remaining": balance.remaining,
        "resetAt": balance.reset_at,
    }


@app.command()
def grant(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many more, this month.")],
    note: Annotated[str | None, typer.Option(help="Why.")] = None,
    json: output.Json = False,
) -> None:
    """More credits for this month."""

    async def work(opened: opening.Opened) -> credits.Statement:
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
                await credits.grant(session, found.id, amount, note)
            async with database.read() as connection:
                return await credits.show(connection, found.id, datetime.now(UTC), 1)

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


@app.command()
def adjust(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many more, or less: after `--` where negative.")],
    note: Annotated[str, typer.Option(help="Why.")],
    json: output.Json = False,
) -> None:
    """Set a balance right, up or down, but never below nothing."""

    async def work(opened: opening.Opened) -> credits.Statement:
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
                await credits.adjust(session, found.id, amount, note)
            async with database.read() as connection:
                return await credits.show(connection, found.id, datetime.now(UTC), 1)

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


@app.command()
def refund(
    account: Which,
    amount: Annotated[int, typer.Argument(help="How many were charged for nothing.")],
    note: Annotated[str, typer.Option(help="For what.")],
    json: output.Json = False,
) -> None:
    """Give back what was charged for nothing."""

    async def work(opened: opening.Opened) -> credits.Statement:
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
                await credits.refund(session, found.id, amount, note)
            async with database.read() as connection:
                return await credits.show(connection, found.id, datetime.now(UTC), 1)

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


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
