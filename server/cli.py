"""creator-graph: serve it, work for it, look after its accounts, keys and credits."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

import resolvers
from db import migrate as migrations
from server import (
    cli_accounts,
    cli_credits,
    cli_demo,
    cli_documents,
    cli_keys,
    cli_members,
    cli_plan,
    cli_signing,
    cli_sync,
    cli_usage,
    opening,
    output,
    processes,
)
from server.settings import ROOT

app = typer.Typer(
    name="creator-graph",
    help=__doc__,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)
app.add_typer(cli_accounts.app, name="accounts")
app.add_typer(cli_members.app, name="members")
app.add_typer(cli_keys.app, name="keys")
app.add_typer(cli_documents.app, name="documents")
app.add_typer(cli_credits.app, name="credits")
app.add_typer(cli_usage.app, name="usage")
app.add_typer(cli_signing.app, name="signing")
app.add_typer(cli_sync.app, name="creators")
app.command("plan")(cli_plan.plan)
app.command("sync")(cli_sync.start)
app.command("demo")(cli_demo.demo)
app.command("run")(cli_demo.run)

WithWorker = Annotated[bool, typer.Option("--worker", help="Start a worker too, in the same process tree.")]


@app.command()
def serve(
    with_worker: WithWorker = False,
    number: Annotated[
        int, typer.Option("--processes", min=1, max=64, help="How many share the port: one a core.")
    ] = 1,
    members: Annotated[int, typer.Option(hidden=True, help="Of how many it is one.")] = 1,
    json: output.Json = False,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM. Settings come from the environment, CREATOR_GRAPH_…"""

    def work(opened: opening.Opened) -> Coroutine[Any, Any, None]:
        if number > 1:
            return processes.serve_many(opened, number=number, with_worker=with_worker, as_json=json)
        return processes.serve(opened, with_worker=with_worker, as_json=json, members=members)

    opening.run(work, as_json=json, log_level="info")


@app.command()
def worker(
    beside: Annotated[
        bool, typer.Option("--beside", help="An API runs on this machine: leave half of its cores to that.")
    ] = False,
    json: output.Json = False,
) -> None:
    """Run syncs and other jobs until Ctrl-C or SIGTERM. Start as many as you like, on any machine."""
    opening.run(
        lambda opened: processes.work(opened, beside=beside, as_json=json), as_json=json, log_level="info"
    )


@app.command()
def migrate(json: output.Json = False) -> None:
    """Bring the database to the newest tables. Safe to run again, and by several at once."""

    async def work(opened: opening.Opened) -> None:
        async with opened.database() as database:
            await migrations.upgrade(database)

    opening.run(work, as_json=json)
    output.record({"migrated": True}, as_json=json)


@app.command()
def schema(
    write: Annotated[bool, typer.Option("--write", help="Write schema.graphql instead of printing.")] = False,
    json: output.Json = False,
) -> None:
    """Print the public schema."""
    printed = resolvers.schema().as_str() + "\n"
    path: Path | None = None
    if write:
        path = ROOT / "schema.graphql"
        path.write_text(printed)
    if json:
        output.record({"schema": printed} if path is None else {"written": path.name}, as_json=True)
    elif path is None:
        typer.echo(printed, nl=False)


def main() -> None:
    app()
