"""Trusted documents: operations an account uploaded, asked for by the SHA-256 of their text."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection

FIND = "select text from trusted_documents where account_id = $1 and hash = $2"
STORE = """
insert into trusted_documents (account_id, hash, name, text) values (:account_id, :hash, :name, :text)
on conflict (account_id, hash) do update set name = excluded.name
"""
LIST = """
select hash, name, length(text) as size, uploaded_at from trusted_documents
where account_id = :account_id order by name, hash
"""


@dataclass(frozen=True)
class Document:
    id: str
    name: str
    size: int
    uploaded_at: datetime


def id_of(document: str) -> str:
    """How a document is asked for: `documentId`."""
    return f"sha256:{hashlib.sha256(document.encode()).hexdigest()}"


async def store(session: AsyncSession, account_id: UUID, name: str, document: str) -> str:
    """Trust a document; one that was uploaded before stays, under its new name."""
    digest = hashlib.sha256(document.encode()).digest()
    values = {"account_id": account_id, "hash": digest, "name": name, "text": document}
    await session.execute(text(STORE), values)
    return id_of(document)


async def listed(session: AsyncSession, account_id: UUID) -> list[Document]:
    rows = await session.execute(text(LIST), {"account_id": account_id})
    return [Document(f"sha256:{row.hash.hex()}", row.name, row.size, row.uploaded_at) for row in rows]


async def find(connection: Connection, account_id: UUID, digest: bytes) -> str | None:
    """The text behind a hash; another account's is as unknown as one that never was."""
    found: str | None = await connection.fetchval(FIND, account_id, digest)
    return found
