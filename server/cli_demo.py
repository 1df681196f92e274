"""run: everything at once, to look at. demo: simulated creators for an account of a running service."""

import asyncio
import json as jsonlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import aiohttp
import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.syntax import Syntax

from db import migrate
from db.session import Database
from server import cli_keys, opening, output, processes
from server import demo as walk
from services import accounts, api_keys, errors, key_format, key_terms

ACCOUNT = "Demo"
KEY = "demo key"
CREATORS = 3
CLOSED = ("REVOKED", "EXPIRED")


def demo(
    account: Annotated[str, typer.Option(help="Id (acc_…) or name.")],
    mode: Annotated[str, typer.Option(help="test or live (live hosts pointed at the simulator).")] = "test",
    platform: Annotated[str, typer.Option(help="TIKTOK, INSTAGRAM or YOUTUBE.")] = "TIKTOK",
    creators: Annotated[int, typer.Option(help="How many to connect and sync.")] = CREATORS,
    json: output.Json = False,
) -> None:
    """Connect and sync simulated creators through the real flow. The service must be running."""

    async def work(opened: opening.Opened) -> list[walk.Step]:
        async with opened.database() as database:
            secret, key_id, account_id = await _mint(
                database, account, cli_keys.read_mode(mode), "demo", opened.settings.key_prefix
            )
            try:
                async with aiohttp.ClientSession() as http:
                    partner = walk.Partner(http, opened.settings.public, secret)
                    return await _connect(partner, platform.upper(), walk.names(creators), quiet=json)
            finally:
                async with database.write() as session:
                    await api_keys.revoke(session, account_id, key_id)

    steps = opening.run(work, as_json=json)
    rows = [
        {"username": step.username, "id": step.creator_id, "videos": step.videos, "sync": step.status}
        for step in steps
    ]
    output.records(rows, as_json=json, empty="Nobody.")


async def _mint(
    database: Database, account: str, mode: key_format.Mode, name: str, prefix: str
) -> tuple[str, UUID, UUID]:
    """A key for the walk; answers secret, key and account."""
    async with database.write() as session:
        found = await accounts.find(session, account)
        owner = (await accounts.members(session, found.id))[0]
        made = await api_keys.create(
            session,
            found.id,
            name=name,
            mode=mode,
            scopes=key_terms.SCOPES,
            created_by=owner.id,
            prefix=prefix,
        )
        return made.secret, made.id, found.id


async def _connect(
    partner: walk.Partner, platform: str, usernames: Sequence[str], *, quiet: bool
) -> list[walk.Step]:
    """Connect one after the other, with a bar each; answers their last steps."""
    ended: dict[str, walk.Step] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=output.errors_to, disable=quiet) as progress:
        for username in usernames:
            bar = progress.add_task(username, total=1.0, note="connecting")
            async for step in walk.connect_and_sync(partner, platform, username):
                progress.update(bar, completed=step.progress, note=f"{step.status}, {step.videos} videos")
                ended[username] = step
    return list(ended.values())


def run(json: output.Json = False) -> None:
    """Set up and run everything: database, API, worker, simulators, a demo account with three creators."""
    opening.run(lambda opened: _run(opened, as_json=json), as_json=json)


async def _run(opened: opening.Opened, *, as_json: bool) -> None:
    stop = processes.stop_event()
    _say("Database ready; bringing its tables up to date.", quiet=as_json)
    async with opened.database() as database:
        await migrate.upgrade(database)
        secret = await _demo_key(database, opened.settings.key_prefix)
    async with processes.serving(opened) as house, processes.working(opened, stop):
        public = house.settings.public
        _say(f"API, worker and simulators are up at {public}.", quiet=as_json)
        async with aiohttp.ClientSession() as http:
            partner = walk.Partner(http, public, secret)
            showing = asyncio.create_task(_show(partner, as_json=as_json))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({showing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if showing.done():
                showing.result()
                await stopping
            showing.cancel()
    _say("Stopped.", quiet=as_json)


async def _show(partner: walk.Partner, *, as_json: bool) -> None:
    """Connect the creators where they are not yet, then ask the nested read and show how."""
    have = await partner.ask("{ creators(first: 1) { totalCount } }")
    if not have["creators"]["totalCount"]:
        _say(f"Connecting {CREATORS} simulated TikTok creators through the real OAuth flow.", quiet=as_json)
        await _connect(partner, "TIKTOK", walk.names(CREATORS), quiet=as_json)
    answer = await partner.ask(walk.NESTED)
    value = {
        "graphiql": f"{partner.url}/graphiql",
        "graphql": f"{partner.url}/graphql",
        "key": partner.secret,
        "curl": walk.curl(partner.url, partner.secret),
        "answer": {"data": answer},
    }
    if as_json:
        output.record(value, as_json=True)
    else:
        _print(value)
    sys.stdout.flush()


def _print(value: dict[str, Any]) -> None:
    out = output.console
    out.print()
    out.print("Ask it from a shell:")
    out.print(value["curl"], style="cyan", soft_wrap=True, markup=False)
    out.print()
    out.print("It answers:")
    out.print(
        Syntax(
            jsonlib.dumps(value["answer"], indent=2, ensure_ascii=False), "json", background_color="default"
        )
    )
    out.print()
    out.print(f"GraphiQL:   [bold]{value['graphiql']}[/]")
    out.print(f"Test key:   [bold]{value['key']}[/]  [dim](shown this once; the next run makes a new one)[/]")
    out.print("[dim]Ctrl-C stops everything; the data stays.[/]")


async def _demo_key(database: Database, prefix: str) -> str:
    """The demo account's fresh test key; its last one is revoked."""
    async with database.write() as session:
        try:
            account = await accounts.find(session, ACCOUNT)
        except errors.NotFound:
            await accounts.create(session, ACCOUNT, "pro", prefix=prefix)
            account = await accounts.find(session, ACCOUNT)
        for key in await api_keys.listed(session, account.id, "TEST"):
            if key.name == KEY and key.status not in CLOSED:
                await api_keys.revoke(session, account.id, key.id)
    secret, _, _ = await _mint(database, ACCOUNT, "TEST", KEY, prefix)
    return secret


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        output.errors_to.print(text, style="dim")
