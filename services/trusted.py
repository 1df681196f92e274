"""Trusted documents: operations an account uploaded, asked for by the SHA-256 of their text."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection
from services import errors

ID = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})\Z")

CHANNEL = "creator_graph_documents"
"""Payload: the id of an account that trusts a document no more."""

FIND = "select text from trusted_documents where account_id = $1 and hash = $2"
STORE = """
insert into trusted_documents (account_id, hash, name, text) values (:account_id, :hash, :name, :text)
on conflict (account_id, hash) do update set name = excluded.name
"""
LIST = """
select hash, name, length(text) as size, uploaded_at from trusted_documents
where account_id = :account_id order by name, hash
"""
# Sent before as well as uploaded: else its hash would still be answered.
REMOVE = """
with gone as (delete from sent_documents where account_id = :account_id and hash = any(:hashes))
delete from trusted_documents where account_id = :account_id and hash = any(:hashes) returning hash, name
"""
NOTIFY = f"select pg_notify('{CHANNEL}', :account_id)"


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


async def remove(session: AsyncSession, account_id: UUID, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Trust documents no more; id and name of each. Raises BadUserInput, and NotFound where one is not trusted."""
    hashes = {digest(id) for id in ids}
    rows = await session.execute(text(REMOVE), {"account_id": account_id, "hashes": list(hashes)})
    gone = [(f"sha256:{row.hash.hex()}", row.name) for row in rows]
    if len(gone) < len(hashes):
        raise errors.NotFound("trusted document")
    await session.execute(text(NOTIFY), {"account_id": str(account_id)})
    return gone


def digest(id: str) -> bytes:
    """The hash in a `documentId`. Raises BadUserInput."""
    match = ID.match(id)
    if not match:
        raise errors.BadUserInput("A document's id is sha256: and 64 hex digits.", argument="ids")
    return bytes.fromhex(match[1])


async def listed(session: AsyncSession, account_id: UUID) -> list[Document]:
    rows = await session.execute(text(LIST), {"account_id": account_id})
    return [Document(f"sha256:{row.hash.hex()}", row.name, row.size, row.uploaded_at) for row in rows]


async def find(connection: Connection, account_id: UUID, digest: bytes) -> str | None:
    """The text behind a hash; another account's is as unknown as one that never was."""
    found: str | None = await connection.fetchval(FIND, account_id, digest)
    return found
