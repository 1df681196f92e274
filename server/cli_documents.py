"""Trusted documents: the operations an account's clients may ask by their hash."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

import resolvers
from graph import documents as checking
from server import opening, output
from services import accounts, errors, trusted

app = typer.Typer(help="Trusted documents: upload, list, remove.", no_args_is_help=True)

Account = Annotated[str, typer.Option(help="Id (acc_…) or name.")]
Where = Annotated[Path, typer.Argument(exists=True, help="A .graphql file, or a folder with such files.")]


@app.command()
def upload(where: Where, account: Account, json: output.Json = False) -> None:
    """Trust documents, once each is found to be good. What a client sends as documentId is the id shown."""
    documents = checking.Documents(resolvers.engine().core)
    base = where if where.is_dir() else where.parent

    async def work(opened: opening.Opened) -> list[dict[str, Any]]:
        found = {str(path.relative_to(base)): _read(documents, path) for path in _files(where)}
        async with opened.database() as database, database.write() as session:
            account_id: UUID = (await accounts.find(session, account)).id
            return [
                {"id": await trusted.store(session, account_id, name, text), "name": name}
                for name, text in found.items()
            ]

    output.records(opening.run(work, as_json=json), as_json=json, empty="No .graphql files there.")


@app.command("list")
def listed(account: Account, json: output.Json = False) -> None:
    """The account's trusted documents, by name."""

    async def work(opened: opening.Opened) -> list[trusted.Document]:
        async with opened.database() as database, database.write() as session:
            return await trusted.listed(session, (await accounts.find(session, account)).id)

    rows = [
        {"id": document.id, "name": document.name, "size": document.size, "uploadedAt": document.uploaded_at}
        for document in opening.run(work, as_json=json)
    ]
    output.records(rows, as_json=json, empty="No trusted documents.")


@app.command()
def remove(
    ids: Annotated[list[str], typer.Argument(help="Ids (sha256:…), as list shows them.")],
    account: Account,
    json: output.Json = False,
) -> None:
    """Trust documents no more: every process refuses them at once, by documentId and by hash. All, or none."""

    async def work(opened: opening.Opened) -> list[dict[str, Any]]:
        async with opened.database() as database, database.write() as session:
            gone = await trusted.remove(session, (await accounts.find(session, account)).id, ids)
            return [{"id": id, "name": name} for id, name in gone]

    output.records(opening.run(work, as_json=json), as_json=json, empty="Nothing was removed.")


def _files(where: Path) -> Iterator[Path]:
    return iter([where] if where.is_file() else sorted(where.rglob("*.graphql")))


def _read(documents: checking.Documents, path: Path) -> str:
    """A document's text, exactly. Raises BadUserInput where it is not GraphQL of this schema."""
    text = path.read_text(encoding="utf-8")
    try:
        documents.check(text)
    except errors.ServiceError as refusal:
        raise errors.BadUserInput(f"{path.name}: {refusal.message}", argument="where") from None
    return text
