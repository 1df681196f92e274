"""Members: who an account's people are."""

from typing import Annotated, Any

import typer

from graph import ids
from server import opening, output
from services import accounts, api_keys

app = typer.Typer(help="Members: add, list, change, remove.", no_args_is_help=True)

Account = Annotated[str, typer.Option(help="Id (acc_…) or name.")]
Which = Annotated[str, typer.Argument(help="Id (mem_…) or email.")]
Role = Annotated[str, typer.Option(help="owner, admin or member.")]


def _plain(member: accounts.Member) -> dict[str, Any]:
    return {
        "id": ids.write("Member", member.id),
        "email": member.email,
        "role": member.role,
        "joinedAt": member.joined_at,
    }


@app.command()
def add(
    account: Account,
    email: Annotated[str, typer.Option(help="How they are reached; unique in the account.")],
    role: Role = "member",
    json: output.Json = False,
) -> None:
    """Add a person, who may then have keys (keys create --member)."""

    async def work(opened: opening.Opened) -> accounts.Member:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            member_id = await accounts.add_member(session, found.id, email, role.upper())
            return await accounts.find_member(session, found.id, str(member_id))

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


@app.command("list")
def listed(account: Account, json: output.Json = False) -> None:
    """The account's people, the first to join first."""

    async def work(opened: opening.Opened) -> list[accounts.Member]:
        async with opened.database() as database, database.write() as session:
            return await accounts.members(session, (await accounts.find(session, account)).id)

    rows = [_plain(member) for member in opening.run(work, as_json=json)]
    output.records(rows, as_json=json, empty="No members.")


@app.command("set")
def change(account: Account, member: Which, role: Role, json: output.Json = False) -> None:
    """Change what a person may do."""

    async def work(opened: opening.Opened) -> accounts.Member:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            return await accounts.set_role(session, found.id, member, role.upper())

    output.record(_plain(opening.run(work, as_json=json)), as_json=json)


@app.command()
def remove(account: Account, member: Which, json: output.Json = False) -> None:
    """Remove a person. Their personal keys end at once; keys of the account that they made are due for rotation."""

    async def work(opened: opening.Opened) -> tuple[accounts.Member, list[api_keys.Key]]:
        async with opened.database() as database, database.write() as session:
            found = await accounts.find(session, account)
            leaving = await accounts.find_member(session, found.id, member)
            made = [key for key in await api_keys.listed(session, found.id) if key.created_by == leaving.id]
            await accounts.remove_member(session, found.id, member)
            return leaving, [key for key in made if key.status in {"ACTIVE", "RETIRING"}]

    gone, keys = opening.run(work, as_json=json)
    value = {
        **_plain(gone),
        "revokedKeys": [ids.write("ApiKey", key.id) for key in keys if key.owner == "MEMBER"],
        "keysToRotate": [ids.write("ApiKey", key.id) for key in keys if key.owner == "SERVICE"],
    }
    output.record(value, as_json=json)
