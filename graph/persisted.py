"""From a hash to its document: uploaded by the account (trusted), or sent before by one of its keys (Apollo's APQ)."""

import hashlib
import sys
import time
from collections import OrderedDict
from dataclasses import replace
from uuid import UUID

from db.session import Database
from graph import limits
from graph.context import Asked
from graph.documents import Documents
from services import callers, errors, sent_documents, trusted

MOST_BYTES = 16 * 1024 * 1024
ENTRY_BYTES = 600  # what an entry takes beside its text
# After that the tables are asked again: they learn what is still in use.
FRESH_SECONDS = 24 * 3600.0

Key = tuple[UUID, bytes]


class Kept:
    """Texts by account and hash for a day, the least recently used dropped first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._texts: OrderedDict[Key, tuple[str, float]] = OrderedDict()
        self._most, self._size = most_bytes, 0

    def get(self, key: Key) -> str | None:
        text, until = self._texts.get(key, (None, 0.0))
        if text is not None and until < time.monotonic():
            self._drop(key)
            return None
        if text is not None:
            self._texts.move_to_end(key)
        return text

    def put(self, key: Key, text: str) -> None:
        if key in self._texts or len(text) > limits.DOCUMENT_BYTES:
            return
        self._texts[key] = text, time.monotonic() + FRESH_SECONDS
        self._size += _weight(text)
        while self._size > self._most:
            self._drop(next(iter(self._texts)))

    def forget(self, account_id: UUID | None) -> None:
        """An account's; None: all."""
        for key in [key for key in self._texts if account_id in {None, key[0]}]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        text, _ = self._texts.pop(key)
        self._size -= _weight(text)


class Persisted:
    """Both kinds: in memory what this process saw, behind it the tables. An account's are known to its own keys only."""

    def __init__(self, database: Database, documents: Documents) -> None:
        self._database, self._documents = database, documents
        self._sent, self._trusted = Kept(), Kept()
        self._forgotten = 0  # what was read before may be gone by now, and is not kept

    def forget(self, account_id: UUID | None = None) -> None:
        """Ask the tables anew about the account's documents: some are trusted no more. None: all accounts."""
        for kept in (self._sent, self._trusted):
            kept.forget(account_id)
        self._forgotten += 1

    async def resolve(self, caller: callers.Caller, asked: Asked) -> Asked:
        """What was asked, with its text.

        Raises PersistedQueryNotFound, BadRequest (text and hash differ), Forbidden DOCUMENT: a key that is
        held to trusted documents asked something else.
        """
        if asked.document_id is not None:
            return replace(asked, query=await self._uploaded(caller.account_id, _digest(asked.document_id)))
        if caller.trusted_only:
            return await self._only_trusted(caller, asked)
        if asked.document_hash is None:
            return asked
        key = caller.account_id, bytes.fromhex(asked.document_hash)
        if not asked.query:
            return replace(asked, query=await self._sent_before(key))
        if _sha256(asked.query) != key[1]:
            raise errors.BadRequest("`sha256Hash` is not the hash of `query`.", remedy="Send its SHA-256.")
        await self._keep(key, asked)
        return asked

    async def _keep(self, key: Key, asked: Asked) -> None:
        """For the next time, in any process; only what can be asked takes room."""
        if self._sent.get(key) is not None:
            return
        try:
            await self._documents.opened(asked.query, asked.operation_name)
        except errors.ServiceError:
            return  # running it says why
        await sent_documents.store(self._database, *key, asked.query)
        self._sent.put(key, asked.query)

    async def _sent_before(self, key: Key) -> str:
        text, forgotten = self._sent.get(key) or self._trusted.get(key), self._forgotten
        if text is None:
            text = await sent_documents.find(self._database, *key)
            if text is None:
                return await self._uploaded(*key)
            if forgotten == self._forgotten:
                self._sent.put(key, text)
        return text

    async def _only_trusted(self, caller: callers.Caller, asked: Asked) -> Asked:
        digest = _sha256(asked.query) if asked.query else bytes.fromhex(asked.document_hash or "")
        try:
            return replace(asked, query=await self._uploaded(caller.account_id, digest))
        except errors.PersistedQueryNotFound:
            raise errors.Forbidden(
                "This API key may ask trusted documents only.",
                remedy="Ask by documentId; upload it first (creator-graph documents upload).",
                reason="DOCUMENT",
            ) from None

    async def _uploaded(self, account_id: UUID, digest: bytes) -> str:
        key = account_id, digest
        text, forgotten = self._trusted.get(key), self._forgotten
        if text is None:
            async with self._database.read() as connection:
                text = await trusted.find(connection, account_id, digest)
            if text is None:
                raise errors.PersistedQueryNotFound
            if forgotten == self._forgotten:
                self._trusted.put(key, text)
        return text


def _weight(text: str) -> int:
    """The bytes that keeping a text takes, roughly; a short one's place takes more than itself."""
    return sys.getsizeof(text) + ENTRY_BYTES


def _digest(document_id: str) -> bytes:
    match = trusted.ID.match(document_id)
    if not match:
        raise errors.BadRequest("`documentId` must be sha256: and 64 hex digits.")
    return bytes.fromhex(match[1])


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
