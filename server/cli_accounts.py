"""Accounts: who pays."""

from typing import Annotated, Any

import typer

from graph import ids
from server import opening, output
from services import accounts

app = typer.Typer(help="Accounts: make, show, change.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Id (acc_…) or name.")]
Name = Annotated[str, typer.Option(help="What the account is called; unique.")]
PlanName = Annotated[str, typer.Option(help="sandbox, basic, pro or ultra.")]
CreditsAMonth = Annotated[
    int | None, typer.Option("--credits", help="Its own monthly credits, instead of the plan's.")
]


def plain(account: accounts.Account) -> dict[str, Any]:
    return {
        "id": ids.write("Account", account.id),
        "name": account.name,
        "plan": account.plan,
        "monthlyCredits": account.monthly_credits,
        "requestsPerMinute": account.requests_per_minute,
        "testRequestsPerMinute": account.test_requests_per_minute,
        "maxWebsockets": account.max_websockets,
        "returnUrls": list(account.return_urls),
        "canceledAt": account.canceled_at,
    }


@app.command()
def create(
    name: Name,
    plan: PlanName = "sandbox",
    credits: CreditsAMonth = None,
    email: Annotated[str | None, typer.Option(help="The owner's address.")] = None,
    json: output.Json = False,
) -> None:
    """Make an account with its first live key and test key. The secrets are shown this once."""

    async def work(opened: opening.Opened) -> accounts.NewAccount:
        async with opened.database() as database, database.write() as session:
            return await accounts.create(
                session,
                name,
                plan,
                credits_a_month=credits,
                owner_email=email,
                prefix=opened.settings.key_prefix,
            )

    made = opening.run(work, as_json=json)
    value = {
        "id": ids.write("Account", made.id),
        "name": made.name,
        "liveKey": {
            "id": ids.write("ApiKey", made.live.id),
            "secret": made.live.secret,
            "hint": made.live.hint,
        },
        "testKey": {
            "id": ids.write("ApiKey", made.test.id),
            "secret": made.test.secret,
            "hint": made.test.hint,
        },
    }
    shown = value if json else {**value, "liveKey": made.live.secret, "testKey": made.test.secret}
    output.record(shown, as_json=json, note="The secrets are not shown again.")


@app.command("set")
def change(
    account: Which,
    return_url: Annotated[
        list[str] | None,
        typer.Option(help="Where connects may return to; repeat for several; replaces the list."),
    ] = None,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Live requests a minute and key; 0: unlimited.")
    ] = None,
    test_requests_per_minute: Annotated[
        int | None, typer.Option(help="Test requests a minute and key; 0: unlimited.")
    ] = None,
    max_websockets: Annotated[int | None, typer.Option(help="Open sockets; 0: unlimited.")] = None,
    credits: CreditsAMonth = None,
    plan: Annotated[str | None, typer.Option(help="sandbox, basic, pro or ultra.")] = None,
    cancel: Annotated[
        bool | None, typer.Option("--cancel/--uncancel", help="End or restore API access.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Change an account; what is left out stays."""
    given: dict[str, Any] = {
        "return_urls": return_url,
        "requests_per_minute": requests_per_minute,
        "test_requests_per_minute": test_requests_per_minute,
        "max_websockets": max_websockets,
        "credits": credits,
        "plan": plan,
        "canceled": cancel,
    }

    async def work(opened: opening.Opened) -> accounts.Account:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            changes = {name: value for name, value in given.items() if value is not None}
            return await accounts.update(session, found.id, **changes)

    output.record(plain(opening.run(work, as_json=json)), as_json=json)


@app.command()
def show(account: Which, json: output.Json = False) -> None:
    """An account and its numbers."""

    async def work(opened: opening.Opened) -> accounts.Account:
        async with opened.database() as database, database.write() as session:
            return await accounts.find(session, account)

    output.record(plain(opening.run(work, as_json=json)), as_json=json)
