"""Documents that an account's keys sent with their hash (Apollo's APQ), kept for all processes.

A cache: who finds nothing here sends the text again. So the table is unlogged, and bounded an account.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database, raw

MOST_DOCUMENTS = 1_000
MOST_BYTES = 4 * 1024 * 1024
KEPT = timedelta(days=30)
USED_AGAIN = timedelta(days=1)  # how fine the use of a document is written down

FIND = """
select text, used_at < now() - $3::interval as is_stale from sent_documents
where account_id = $1 and hash = $2 and used_at > now() - $4::interval
"""
USE = "update sent_documents set used_at = now() where account_id = $1 and hash = $2"
STORE = """
insert into sent_documents (account_id, hash, text) values ($1, $2, $3)
on conflict (account_id, hash) do update set used_at = now()
"""
# Rows that another transaction is at are left to it: two that come at once neither wait nor deadlock.
TRIM = """
with ranked as (
  select hash, row_number() over latest as place, sum(octet_length(text)) over latest as size
  from sent_documents where account_id = $1 window latest as (order by used_at desc, hash)
), over as (
  select d.hash from sent_documents d join ranked r using (hash)
  where d.account_id = $1 and (r.place > $2 or r.size > $3) for update of d skip locked
)
delete from sent_documents d using over where d.account_id = $1 and d.hash = over.hash
"""


async def find(database: Database, account_id: UUID, digest: bytes) -> str | None:
    """The text behind a hash; another account's is as unknown as one that never was."""
    async with database.read() as connection:
        found = await connection.fetchrow(FIND, account_id, digest, USED_AGAIN, KEPT)
    if found is None:
        return None
    if found["is_stale"]:
        async with database.write() as session:
            await (await raw(session)).execute(USE, account_id, digest)
    document: bytes = found["text"]
    return document.decode()


async def store(database: Database, account_id: UUID, digest: bytes, document: str) -> None:
    """Keep a document whose hash was checked; what the account used least recently makes room."""
    async with database.write() as session:
        connection = await raw(session)
        await connection.execute(STORE, account_id, digest, document.encode())
        await connection.execute(TRIM, account_id, MOST_DOCUMENTS, MOST_BYTES)


async def forget_old(session: AsyncSession, now: datetime) -> None:
    await session.execute(text("delete from sent_documents where used_at <= :before"), {"before": now - KEPT})
