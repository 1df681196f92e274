"""creators and sync: who is connected, and read them now."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from db.session import Database
from graph import ids
from server import app as composition
from server import cli_keys, opening, output
from services import accounts, creators, erase, errors, sync

app = typer.Typer(help="Creators: list, disconnect.", no_args_is_help=True)

POLL_SECONDS = 0.25
MOST_BARS = 10
FAILED = {"FAILED", "CANCELED"}
PLATFORMS = ("TIKTOK", "INSTAGRAM", "YOUTUBE")

Account = Annotated[str, typer.Option(help="Id (acc_…) or name.")]
Mode = Annotated[str | None, typer.Option(help="live or test; left out: both.")]
OnPlatform = Annotated[str | None, typer.Option(help="TIKTOK, INSTAGRAM or YOUTUBE; left out: all.")]


def _mode(text: str | None) -> bool | None:
    return None if text is None else cli_keys.read_mode(text) == "LIVE"


def _platform(text: str | None) -> str | None:
    if text is not None and text.upper() not in PLATFORMS:
        raise errors.BadUserInput(f"--platform must be one of {', '.join(PLATFORMS)}.", argument="platform")
    return text and text.upper()


def _plain(creator: creators.Listed) -> dict[str, Any]:
    return {
        "id": ids.write("Creator", creator.id),
        "mode": "live" if creator.livemode else "test",
        "platform": creator.platform,
        "username": creator.username,
        "externalId": creator.external_id,
        "reference": creator.reference,
        "grant": creator.grant_status,
        "followers": creator.followers,
        "videoCount": creator.video_count,
        "connectedAt": creator.connected_at,
        "syncedAt": creator.synced_at,
    }


TABLE = ("id", "mode", "platform", "username", "grant", "followers", "videoCount", "syncedAt")


@app.command("list")
def list_(
    account: Account,
    platform: OnPlatform = None,
    mode: Mode = None,
    most: Annotated[int, typer.Option(help="How many at most.", min=1, max=creators.MOST)] = 1_000,
    json: output.Json = False,
) -> None:
    """An account's creators, those connected first at the top."""

    async def work(opened: opening.Opened) -> list[creators.Listed]:
        async with opened.database() as database:
            return await _listed(database, account, mode, platform, None, most)

    found = [_plain(creator) for creator in opening.run(work, as_json=json)]
    rows = found if json else [{name: row[name] for name in TABLE} for row in found]
    output.records(rows, as_json=json, empty="Nobody is connected.")


@app.command()
def disconnect(
    creator: Annotated[str, typer.Argument(help="crt_<32 hex>.")],
    account: Account,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: output.Json = False,
) -> None:
    """Revoke the creator's grant at the platform and erase all that was read."""
    if not yes and not json:
        typer.confirm("Revoke the grant and erase all that was read of this creator?", abort=True)

    async def work(opened: opening.Opened) -> erase.Erased:
        creator_id = ids.read("Creator", creator, "creator")
        house = await composition.open_house(opened.settings, opened.address)
        try:
            database = house.services.database
            found = (await _listed(database, account, None, None, [creator_id], 1))[0]
            account_id = await _account_id(database, account)
            return await erase.disconnect(
                database,
                house.services.vault,
                house.services.platforms,
                account_id=account_id,
                livemode=found.livemode,
                creator_id=creator_id,
            )
        finally:
            await house.close()

    erased = opening.run(work, as_json=json)
    value = {
        "id": creator,
        "revocation": erased.revocation,
        "videos": erased.videos,
        "historyPoints": erased.history_points,
        "syncs": erased.syncs,
        "tokens": erased.tokens,
        "storedAnswers": erased.stored_answers,
    }
    output.record(value, as_json=json)


def start(
    account: Account,
    creator: Annotated[list[str] | None, typer.Option(help="crt_<32 hex>; repeat for several.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every creator with a living grant.")] = False,
    platform: OnPlatform = None,
    mode: Mode = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until all have ended, with their progress.")] = False,
    json: output.Json = False,
) -> None:
    """Read creators now. A worker must be running; costs nothing. With --wait, exit 1 if one failed."""

    async def work(opened: opening.Opened) -> list[dict[str, Any]]:
        if bool(creator) == all_:
            raise errors.BadUserInput("Give --creator (once or more) or --all.", argument="creator")
        wanted = [ids.read("Creator", text, "creator") for text in creator] if creator else None
        async with opened.database() as database:
            found = await _listed(database, account, mode, platform, wanted, creators.MOST)
            living = [one for one in found if wanted or one.grant_status == "ACTIVE"]
            account_id = await _account_id(database, account)
            # A whole account's creators go behind what somebody waits for.
            trigger = "SCHEDULED" if all_ else "MANUAL"
            begun = [await _begin(database, account_id, one, trigger) for one in living]
            if wait:
                await _watch(database, account_id, [one.sync_id for one in begun if one], quiet=json)
            return await _ended(database, account_id, living, begun)

    rows = opening.run(work, as_json=json)
    output.records(rows, as_json=json, empty="Nobody to read.")
    if wait and any(row["status"] in FAILED for row in rows):
        raise typer.Exit(1)


async def _account_id(database: Database, account: str) -> UUID:
    async with database.write() as session:
        return (await accounts.find(session, account)).id


async def _listed(
    database: Database,
    account: str,
    mode: str | None,
    platform: str | None,
    wanted: Sequence[UUID] | None,
    most: int,
) -> list[creators.Listed]:
    livemode, where = _mode(mode), _platform(platform)
    account_id = await _account_id(database, account)
    async with database.read() as connection:
        return await creators.listed(
            connection, account_id, livemode=livemode, platform=where, ids=wanted, most=most
        )


async def _begin(
    database: Database, account_id: UUID, one: creators.Listed, trigger: str
) -> sync.Requested | None:
    """A transaction each, so that a long list blocks nobody; None for who is gone, or ending just now."""
    try:
        async with database.write() as session:
            return await sync.request(session, account_id, one.livemode, one.id, trigger)
    except (errors.NotFound, errors.Conflict):
        return None


async def _watch(database: Database, account_id: UUID, wanted: Sequence[UUID], *, quiet: bool) -> None:
    """Poll the rows until every sync has ended; a bar for all, and one for each of the first that run."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=output.errors_to, disable=quiet) as progress:
        everything = progress.add_task("all", total=len(wanted), note="")
        bars: dict[UUID, Any] = {}
        left = set(wanted)
        while left:
            async with database.read() as connection:
                found = await creators.syncs(connection, account_id, list(left))
            ended = {id for id in left if id not in found or found[id].status in sync.ENDED}
            _draw(progress, bars, found, ended)
            left -= ended
            progress.update(everything, completed=len(wanted) - len(left))
            if left:
                await asyncio.sleep(POLL_SECONDS)


def _draw(
    progress: Progress, bars: dict[UUID, Any], found: dict[UUID, creators.Running], ended: set[UUID]
) -> None:
    for id in ended & bars.keys():
        progress.remove_task(bars.pop(id))
    for id, one in found.items():
        if id in ended or one.status != "RUNNING" or (id not in bars and len(bars) >= MOST_BARS):
            continue
        if id not in bars:
            bars[id] = progress.add_task(output.plain(one.username).plain, total=None, note="")
        note = output.plain(one.error_message or "").plain
        progress.update(bars[id], total=one.videos_expected, completed=one.videos_seen, note=note)


async def _ended(
    database: Database,
    account_id: UUID,
    asked: Sequence[creators.Listed],
    begun: Sequence[sync.Requested | None],
) -> list[dict[str, Any]]:
    """How each stands now, in the order asked."""
    async with database.read() as connection:
        found = await creators.syncs(connection, account_id, [one.sync_id for one in begun if one])
    rows = []
    for creator, one in zip(asked, begun, strict=True):
        now = found.get(one.sync_id) if one else None
        rows.append(
            {
                "creator": ids.write("Creator", creator.id),
                "username": creator.username,
                "sync": one and ids.write("Sync", one.sync_id),
                "joined": bool(one and one.joined),
                "status": now.status if now else "CANCELED",
                "videosSeen": now.videos_seen if now else 0,
                "error": now.error_code if now else None,
            }
        )
    return rows
