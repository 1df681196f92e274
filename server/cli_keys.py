"""Keys: who asks."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from graph import ids
from server import opening, output
from services import accounts, api_keys, errors, key_format, key_terms

app = typer.Typer(help="Keys: make, list, rotate, revoke.", no_args_is_help=True)

Account = Annotated[str, typer.Option(help="Id (acc_…) or name.")]
KeyId = Annotated[str, typer.Argument(help="key_<32 hex>.")]


def _made(key: api_keys.NewKey) -> dict[str, Any]:
    return {
        "id": ids.write("ApiKey", key.id),
        "secret": key.secret,
        "name": key.name,
        "mode": key.mode.lower(),
        "hint": key.hint,
        "scopes": list(key.scopes),
    }


@app.command()
def create(
    account: Account,
    name: Annotated[str, typer.Option(help="What it is for.")],
    mode: Annotated[str, typer.Option(help="live or test.")] = "live",
    scopes: Annotated[str | None, typer.Option(help="Comma-separated; without it: all.")] = None,
    allowed_ips: Annotated[
        str | None, typer.Option(help="Comma-separated CIDR ranges; without it: any address.")
    ] = None,
    expires_at: Annotated[datetime | None, typer.Option(help="When it ends (UTC).")] = None,
    service: Annotated[bool, typer.Option(help="Of the account, not of a member.")] = False,
    json: output.Json = False,
) -> None:
    """Make a key. Its secret is shown this once."""

    async def work(opened: opening.Opened) -> api_keys.NewKey:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            owner = (await accounts.members(session, found.id))[0]
            return await api_keys.create(
                session,
                found.id,
                name=name,
                mode=read_mode(mode),
                owner="SERVICE" if service else "MEMBER",
                scopes=_split(scopes.upper()) if scopes else key_terms.SCOPES,
                allowed_ips=_split(allowed_ips),
                expires_at=expires_at.replace(tzinfo=UTC) if expires_at else None,
                created_by=owner.id,
                prefix=opened.settings.key_prefix,
            )

    output.record(_made(opening.run(work, as_json=json)), as_json=json, note="The secret is not shown again.")


@app.command("list")
def listed(account: Account, json: output.Json = False) -> None:
    """The account's keys, newest first."""

    async def work(opened: opening.Opened) -> list[api_keys.Key]:
        async with opened.database() as database, database.write() as session:
            return await api_keys.listed(session, (await accounts.find(session, account)).id)

    rows = [
        {
            "id": ids.write("ApiKey", key.id),
            "name": key.name,
            "mode": key.mode.lower(),
            "hint": key.hint,
            "status": key.status,
            "scopes": list(key.scopes),
            "allowedIps": list(key.allowed_ips),
            "expiresAt": key.expires_at,
            "lastUsedAt": key.last_used_at,
        }
        for key in opening.run(work, as_json=json)
    ]
    output.records(rows, as_json=json, empty="No keys.")


@app.command()
def rotate(
    account: Account,
    key: KeyId,
    overlap_seconds: Annotated[int, typer.Option(help="How long the old secret lives on.")] = 0,
    until_revoked: Annotated[bool, typer.Option(help="The old secret lives on until it is revoked.")] = False,
    json: output.Json = False,
) -> None:
    """A new secret for a key. The old one stops at once, unless an overlap is given."""

    async def work(opened: opening.Opened) -> api_keys.NewKey:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            return await api_keys.rotate(
                session,
                found.id,
                ids.read("ApiKey", key, "key"),
                overlap_seconds=overlap_seconds,
                until_revoked=until_revoked,
                prefix=opened.settings.key_prefix,
            )

    output.record(_made(opening.run(work, as_json=json)), as_json=json, note="The secret is not shown again.")


@app.command()
def revoke(account: Account, key: KeyId, json: output.Json = False) -> None:
    """End a key, at once."""

    async def work(opened: opening.Opened) -> None:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            await api_keys.revoke(session, found.id, ids.read("ApiKey", key, "key"))

    opening.run(work, as_json=json)
    output.record({"id": key, "status": "REVOKED"}, as_json=json)


def read_mode(text: str) -> key_format.Mode:
    """LIVE or TEST. Raises BadUserInput."""
    if text.lower() == "live":
        return "LIVE"
    if text.lower() == "test":
        return "TEST"
    raise errors.BadUserInput("--mode must be live or test.", argument="mode")


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
