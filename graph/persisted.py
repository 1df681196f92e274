"""From a hash to its document: uploaded by the account (trusted), or sent before by one of its keys (Apollo's APQ)."""

import hashlib
import re
from collections import OrderedDict
from dataclasses import replace
from uuid import UUID

from db.session import Database
from graph import limits
from graph.context import Asked
from services import callers, errors, trusted

MOST_BYTES = 16 * 1024 * 1024
_ID = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})\Z")

Key = tuple[UUID, bytes]


class Kept:
    """Texts by account and hash, the least recently used dropped first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._texts: OrderedDict[Key, str] = OrderedDict()
        self._most, self._size = most_bytes, 0

    def get(self, key: Key) -> str | None:
        text = self._texts.get(key)
        if text is not None:
            self._texts.move_to_end(key)
        return text

    def put(self, key: Key, text: str) -> None:
        if key in self._texts or len(text) > limits.DOCUMENT_BYTES:
            return
        self._texts[key] = text
        self._size += len(text)
        while self._size > self._most:
            _, dropped = self._texts.popitem(last=False)
            self._size -= len(dropped)


class Persisted:
    """Both kinds, of this process. An account's texts are known to its own keys only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sent, self._trusted = Kept(), Kept()

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
            text = self._sent.get(key)
            if text is None:
                text = await self._uploaded(*key)
            return replace(asked, query=text)
        if _sha256(asked.query) != key[1]:
            raise errors.BadRequest("`sha256Hash` is not the hash of `query`.", remedy="Send its SHA-256.")
        self._sent.put(key, asked.query)
        return asked

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
        text = self._trusted.get(key)
        if text is None:
            async with self._database.read() as connection:
                text = await trusted.find(connection, account_id, digest)
            if text is None:
                raise errors.PersistedQueryNotFound
            self._trusted.put(key, text)
        return text


def _digest(document_id: str) -> bytes:
    match = _ID.match(document_id)
    if not match:
        raise errors.BadRequest("`documentId` must be sha256: and 64 hex digits.")
    return bytes.fromhex(match[1])


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
