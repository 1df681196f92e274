"""Keys: who asks."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from graph import ids
from server import opening, output
from services import accounts, api_keys, errors, key_format, key_terms

app = typer.Typer(help="Keys: make, list, change, rotate, revoke.", no_args_is_help=True)

Account = Annotated[str, typer.Option(help="Id (acc_…) or name.")]
KeyId = Annotated[str, typer.Argument(help="key_<32 hex>.")]
RequestsPerMinute = Annotated[int | None, typer.Option(help="Its own, below the account's.")]
MonthlyCredits = Annotated[int | None, typer.Option(help="Its own, below the account's.")]


def _made(key: api_keys.NewKey) -> dict[str, Any]:
    return {
        "id": ids.write("ApiKey", key.id),
        "secret": key.secret,
        "name": key.name,
        "mode": key.mode.lower(),
        "hint": key.hint,
        "scopes": list(key.scopes),
    }


def _plain(key: api_keys.Key) -> dict[str, Any]:
    return {
        "id": ids.write("ApiKey", key.id),
        "name": key.name,
        "mode": key.mode.lower(),
        "hint": key.hint,
        "status": key.status,
        "scopes": list(key.scopes),
        "allowedIps": list(key.allowed_ips),
        "owner": key.owner,
        "createdBy": key.created_by and ids.write("Member", key.created_by),
        "createdAt": key.created_at,
        "expiresAt": key.expires_at,
        "rotationDueAt": key.rotation_due_at,
        "retiresAt": key.retires_at,
        "replaces": key.replaces and ids.write("ApiKey", key.replaces),
        "replacedBy": key.replaced_by and ids.write("ApiKey", key.replaced_by),
        "requestsPerMinute": key.requests_per_minute,
        "monthlyCredits": key.monthly_credits,
        "lastUsedAt": key.last_used_at,
        "lastUsedIp": key.last_used_ip,
        "lastUsedCountry": key.last_used_country,
    }


TABLE = ("id", "name", "mode", "hint", "status", "owner", "expiresAt", "rotationDueAt", "lastUsedAt")


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
    service: Annotated[bool, typer.Option(help="Of the account: it stands when its maker leaves.")] = False,
    member: Annotated[
        str | None,
        typer.Option(help="Whose it is, or who makes it: id (mem_…) or email; without it: the first."),
    ] = None,
    requests_per_minute: RequestsPerMinute = None,
    monthly_credits: MonthlyCredits = None,
    trusted_only: Annotated[
        bool, typer.Option("--trusted-only", help="May ask trusted documents alone (`documents upload`).")
    ] = False,
    json: output.Json = False,
) -> None:
    """Make a key. Its secret is shown this once."""

    async def work(opened: opening.Opened) -> api_keys.NewKey:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            maker = await _maker(session, found.id, member)
            return await api_keys.create(
                session,
                found.id,
                name=name,
                mode=read_mode(mode),
                owner="SERVICE" if service else "MEMBER",
                scopes=_split(scopes.upper()) if scopes else key_terms.SCOPES,
                allowed_ips=_split(allowed_ips),
                expires_at=_utc(expires_at),
                requests_per_minute=requests_per_minute,
                monthly_credits=monthly_credits,
                trusted_only=trusted_only,
                created_by=maker.id,
                prefix=opened.settings.key_prefix,
            )

    output.record(_made(opening.run(work, as_json=json)), as_json=json, note="The secret is not shown again.")


@app.command("list")
def listed(account: Account, json: output.Json = False) -> None:
    """The account's keys, newest first."""

    async def work(opened: opening.Opened) -> list[api_keys.Key]:
        async with opened.database() as database, database.write() as session:
            return await api_keys.listed(session, (await accounts.find(session, account)).id)

    rows = [_plain(key) for key in opening.run(work, as_json=json)]
    shown = rows if json else [{name: row[name] for name in TABLE} for row in rows]
    output.records(shown, as_json=json, empty="No keys.")


@app.command()
def update(
    account: Account,
    key: KeyId,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    scopes: Annotated[str | None, typer.Option(help="Comma-separated; replaces the list.")] = None,
    allowed_ips: Annotated[
        str | None, typer.Option(help="Comma-separated CIDR ranges; replaces the list; '': any address.")
    ] = None,
    expires_at: Annotated[datetime | None, typer.Option(help="When it ends (UTC).")] = None,
    no_expiry: Annotated[bool, typer.Option("--no-expiry", help="It does not end by itself.")] = False,
    requests_per_minute: Annotated[
        int | None, typer.Option(help="Its own, below the account's; 0: the account's.")
    ] = None,
    monthly_credits: Annotated[
        int | None, typer.Option(help="Its own, below the account's; 0: the account's.")
    ] = None,
    json: output.Json = False,
) -> None:
    """Change a key; what is left out stays."""
    given = {
        "name": name,
        "scopes": None if scopes is None else _split(scopes.upper()),
        "allowed_ips": None if allowed_ips is None else _split(allowed_ips),
        "expires_at": _utc(expires_at),
        "requests_per_minute": requests_per_minute,
        "monthly_credits": monthly_credits,
    }
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    for number in ("requests_per_minute", "monthly_credits"):
        if changes.get(number) == 0:
            changes[number] = None
    if no_expiry:
        changes["expires_at"] = None

    async def work(opened: opening.Opened) -> api_keys.Key:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            key_id = ids.read("ApiKey", key, "key")
            await api_keys.update(session, found.id, key_id, **changes)
            return next(one for one in await api_keys.listed(session, found.id) if one.id == key_id)

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


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


async def _maker(session: AsyncSession, account_id: UUID, which: str | None) -> accounts.Member:
    """Who makes a key: the member named, else the first to join."""
    if which is not None:
        return await accounts.find_member(session, account_id, which)
    return (await accounts.members(session, account_id))[0]


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at else None


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
