"""Access tokens: short-lived JWTs made from a key, for browsers, so that no key reaches them.

Ed25519 only (RFC 8037), verified with our own public keys by kid; a header that says anything but what
ours say is refused. A token says who may ask; that its parent key still stands is looked up, as for keys.
"""

import asyncio
import dataclasses
import hashlib
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database
from services import callers, errors, key_terms, signing
from services.vault import Vault

AUDIENCE = "creator-graph"
USE = "access"
LONGEST = 24 * 3600
MOST_CREATORS = 100
MOST_SOCKETS = 1_000
LONGEST_TOKEN = 16_384
MOST_KEPT = 10_000
# Public keys are read again after so many seconds; for a kid that is not known, after fewer.
KEYS_KEPT = 60.0
UNKNOWN_ASKS = 1.0
# How far the clocks of two of our machines may be apart.
LEEWAY = timedelta(seconds=10)
HEADER = frozenset({"alg", "kid", "typ"})
# One way of writing each token: decoders pass over padding, stray characters and the last digit's spare bits.
FORM = re.compile(r"[\w-]{2,}\.[\w-]{2,}\.[\w-]{85}[AQgw]\Z", re.ASCII)
NEVER = ("KEYS_", "TOKENS_", "WEBHOOKS_")
REQUIRED = ["exp", "iat", "iss", "aud", "jti", "sub", "key", "use"]

# Creators by the three ways in which a partner names them; the token holds ids. One more than it may hold.
RESOLVE = """
select id, username, platform, reference from creators
where account_id = :account_id and livemode = :livemode
  and (id = any(cast(:ids as uuid[])) or (platform || ':' || username) = any(cast(:usernames as text[]))
       or reference = any(cast(:references as text[])))
limit 101
"""


@dataclass(frozen=True)
class Wish:
    """What a token is asked to be. Lists of None: all creators."""

    expires_in: int
    max_websockets: int
    scopes: Sequence[str] | None = None
    creator_ids: Sequence[UUID] | None = None
    usernames: Sequence[tuple[str, str]] | None = None  # platform, username
    references: Sequence[str] | None = None


@dataclass(frozen=True)
class Minted:
    token: str = dataclasses.field(repr=False)
    expires_at: datetime


async def mint(
    session: AsyncSession, vault: Vault, caller: callers.Caller, wish: Wish, *, issuer: str, now: datetime
) -> Minted:
    """A token that may no more than its key. Raises BadUserInput, Forbidden (SCOPE), NotFound (a creator)."""
    if not 1 <= wish.expires_in <= LONGEST:
        raise errors.BadUserInput(f"`expiresIn` must be 1 to {LONGEST} seconds.", argument="expiresIn")
    if not 1 <= wish.max_websockets <= MOST_SOCKETS:
        raise errors.BadUserInput(f"`maxWebsockets` must be 1 to {MOST_SOCKETS}.", argument="maxWebsockets")
    ends = now.replace(microsecond=0) + timedelta(seconds=wish.expires_in)
    ends = min(ends, caller.ends_at) if caller.ends_at else ends
    claims = {
        "use": USE,
        "aud": AUDIENCE,
        "exp": int(ends.timestamp()),
        "jti": uuid.uuid4().hex,
        "sub": caller.account_id.hex,
        "key": caller.key_id.hex,
        "mode": caller.mode,
        "scopes": _scopes(caller, wish.scopes),
        "creators": await _creators(session, caller, wish),
        "sockets": wish.max_websockets,
    }
    return Minted(await signing.sign(session, vault, claims, issuer=issuer), ends)


def _scopes(caller: callers.Caller, wanted: Sequence[str] | None) -> list[str]:
    """Those asked for, or all of the key's that a token may have."""
    if wanted is None:
        return sorted(scope for scope in caller.scopes if not scope.startswith(NEVER))
    asked = key_terms.scopes(wanted)
    for scope in asked:
        if scope.startswith(NEVER) or not key_terms.covers(caller.scopes, scope):
            raise errors.Forbidden(
                f"A token of this key cannot have the scope {scope}.",
                remedy="Ask for scopes of the key, without those for keys, tokens and webhooks.",
                reason="SCOPE",
                scope=scope,
            )
    return list(asked)


async def _creators(session: AsyncSession, caller: callers.Caller, wish: Wish) -> list[str] | None:
    """Ids of the creators it is for; None: all. Raises NotFound when one of those named is not there."""
    given = (wish.creator_ids, wish.usernames, wish.references)
    if all(part is None for part in given):
        return None
    ids, usernames, references = (
        list(wish.creator_ids or ()),
        list(wish.usernames or ()),
        list(wish.references or ()),
    )
    _check_many(len(ids) + len(usernames) + len(references))
    if not all(_storable(name) for name in (*(name for _, name in usernames), *references)):
        raise errors.NotFound("creator")
    values: dict[str, Any] = {
        "account_id": caller.account_id,
        "livemode": caller.livemode,
        "ids": ids,
        "usernames": [f"{platform}:{name}" for platform, name in usernames],
        "references": references,
    }
    rows = (await session.execute(text(RESOLVE), values)).all()
    _check_many(len(rows))  # several may bear one reference, or one name
    there = {row.id for row in rows}
    named = {f"{row.platform}:{row.username}" for row in rows}
    referred = {row.reference for row in rows}
    if not (set(ids) <= there and set(values["usernames"]) <= named and set(references) <= referred):
        raise errors.NotFound("creator")
    return sorted(id.hex for id in there)


def _storable(name: str) -> bool:
    """Whether PostgreSQL takes a text; nobody is called by one that it does not."""
    return "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


def _check_many(count: int) -> None:
    if count > MOST_CREATORS:
        raise errors.BadUserInput(
            f"A token takes at most {MOST_CREATORS} creators.", argument="allowedCreators"
        )


@dataclass(frozen=True)
class _Verified:
    """A token whose signature and claims were good."""

    kid: str
    account_id: UUID
    key_id: UUID
    livemode: bool
    scopes: frozenset[str]
    creators: frozenset[UUID] | None
    sockets: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _PublicKey:
    key: Ed25519PublicKey
    ends_at: datetime | None


class AccessTokens:
    """Verifies tokens; good ones are kept by hash until they end, since a signature costs more than a look-up."""

    def __init__(self, database: Database, keys: callers.Callers, *, issuer: str) -> None:
        self._database, self._keys, self._issuer = database, keys, issuer
        self._public: dict[str, _PublicKey] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._hints = 0
        self._kept: OrderedDict[bytes, _Verified] = OrderedDict()

    def forget(self) -> None:
        """Read the public keys anew before the next token: something about them changed, or may have."""
        self._hints += 1
        self._read_at = float("-inf")

    async def authenticate(self, token: str, now: datetime) -> callers.Caller:
        """Who is asking: the parent key's caller, held to what the token allows.

        Raises Unauthenticated (MALFORMED, EXPIRED, REVOKED), Forbidden PLAN. The key's address list is the
        partner's backend's; a token is for browsers anywhere.
        """
        verified = await self._verified(token, now)
        if verified.expires_at <= now:
            raise errors.InvalidToken("EXPIRED")
        parent = await self._keys.of_key(verified.account_id, verified.key_id, now)
        if parent is None or parent.livemode != verified.livemode:
            raise errors.InvalidToken("REVOKED")
        try:
            parent.check_standing(now)
        except errors.Unauthenticated as refusal:
            raise errors.InvalidToken(refusal.extra["reason"]) from None
        scopes = frozenset(scope for scope in verified.scopes if key_terms.covers(parent.scopes, scope))
        return dataclasses.replace(
            parent,
            scopes=scopes,
            allowed_creators=verified.creators,
            allowed_ips=(),
            max_websockets=min(verified.sockets, parent.max_websockets or verified.sockets),
            token_expires_at=verified.expires_at,
        )

    async def _verified(self, token: str, now: datetime) -> _Verified:
        """Of a token that was good before, only that its signing key still verifies is looked at again."""
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(digest)
        kid = _kid(token) if found is None else found.kid
        key = await self._public_key(kid, now)
        if found is None:
            found = self._kept[digest] = self._claims(token, kid, key)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    async def _public_key(self, kid: str, now: datetime) -> Ed25519PublicKey:
        """Our own, by kid. However many unknown ones come in, the database is asked once a second."""
        if self._is_due(kid):
            async with self._reading:
                if self._is_due(kid):
                    await self._read()
        found = self._public.get(kid)
        if found is None or (found.ends_at is not None and found.ends_at <= now):
            raise errors.InvalidToken("MALFORMED")
        return found.key

    def _is_due(self, kid: str) -> bool:
        return time.monotonic() - self._read_at > (KEYS_KEPT if kid in self._public else UNKNOWN_ASKS)

    async def _read(self) -> None:
        hints = self._hints
        async with self._database.read() as connection:
            rows = await connection.fetch(signing.STANDING)
        self._public = {
            row["kid"]: _PublicKey(Ed25519PublicKey.from_public_bytes(row["public_key"]), row["ends_at"])
            for row in rows
        }
        if hints == self._hints:  # else this may be older than what the hint was about
            self._read_at = time.monotonic()

    def _claims(self, token: str, kid: str, key: Ed25519PublicKey) -> _Verified:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": REQUIRED, "verify_exp": False, "strict_aud": True},
            )
            if claims["use"] != USE or claims["exp"] - claims["iat"] > LONGEST + LEEWAY.total_seconds():
                raise errors.InvalidToken("MALFORMED")
            creators = claims["creators"]
            return _Verified(
                kid=kid,
                account_id=UUID(claims["sub"]),
                key_id=UUID(claims["key"]),
                livemode=claims["mode"] == "LIVE",
                scopes=frozenset(claims["scopes"]),
                creators=None if creators is None else frozenset(UUID(id) for id in creators),
                sockets=int(claims["sockets"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (
            jwt.PyJWTError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            raise errors.InvalidToken("MALFORMED") from None


def _kid(token: str) -> str:
    """The kid that a token's header names; nothing else in the header is looked at for keys."""
    if len(token) > LONGEST_TOKEN or not FORM.match(token):
        raise errors.InvalidToken("MALFORMED")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise errors.InvalidToken("MALFORMED") from None
    kid = header.get("kid")
    if header.get("alg") != "EdDSA" or not isinstance(kid, str) or not header.keys() <= HEADER:
        raise errors.InvalidToken("MALFORMED")
    return kid
