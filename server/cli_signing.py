"""Signing keys: what access tokens and receipts are signed with."""

from typing import Annotated, Any

import typer

from server import opening, output
from services import signing
from services.vault import Vault

app = typer.Typer(
    help="Keys that sign access tokens and receipts: list, rotate. Public halves: /.well-known/jwks.json.",
    no_args_is_help=True,
)


def _plain(key: signing.SigningKey) -> dict[str, Any]:
    return {"kid": key.kid, "status": key.status, "createdAt": key.created_at, "endsAt": key.ends_at}


@app.command("list")
def listed(json: output.Json = False) -> None:
    """All of them, newest first: the one that signs, those that still verify, those that ended."""

    async def work(opened: opening.Opened) -> list[signing.SigningKey]:
        async with opened.database() as database, database.write() as session:
            return await signing.listed(session)

    rows = [_plain(key) for key in opening.run(work, as_json=json)]
    output.records(rows, as_json=json, empty="None yet: the first is made when the API starts.")


@app.command()
def rotate(
    overlap_seconds: Annotated[
        int, typer.Option(help="How long what older keys signed still verifies; after a leak: 0.")
    ] = signing.OVERLAP,
    json: output.Json = False,
) -> None:
    """Sign with a new key from now on. After a leak give 0: every token and receipt made so far stops verifying."""

    async def work(opened: opening.Opened) -> signing.SigningKey:
        sealed = Vault.from_settings(opened.settings.vault_keys())
        async with opened.database() as database, database.write() as session:
            kid = await signing.rotate(session, sealed, overlap_seconds)
            return next(key for key in await signing.listed(session) if key.kid == kid)

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)
