"""Access tokens: short-lived JWTs made from a key, for browsers, so that no key reaches them.

Ed25519 only (RFC 8037), verified with our own public keys by kid; whatever else a header asks for is
ignored or refused. A token says who may ask; that its parent key still stands is looked up, as for keys.
"""

import dataclasses
import hashlib
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
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
KEYS_KEPT = timedelta(seconds=60)
NEVER = ("KEYS_", "TOKENS_", "WEBHOOKS_")
REQUIRED = ["exp", "iat", "iss", "aud", "jti", "sub", "key", "use"]

# Creators by the three ways in which a partner names them; the token holds ids.
RESOLVE = """
select id, username, platform, reference from creators
where account_id = :account_id and livemode = :livemode
  and (id = any(cast(:ids as uuid[])) or (platform || ':' || username) = any(cast(:usernames as text[]))
       or reference = any(cast(:references as text[])))
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
    if len(ids) + len(usernames) + len(references) > MOST_CREATORS:
        raise errors.BadUserInput(
            f"A token takes at most {MOST_CREATORS} creators.", argument="allowedCreators"
        )
    values: dict[str, Any] = {
        "account_id": caller.account_id,
        "livemode": caller.livemode,
        "ids": ids,
        "usernames": [f"{platform}:{name}" for platform, name in usernames],
        "references": references,
    }
    rows = (await session.execute(text(RESOLVE), values)).all()
    there = {row.id for row in rows}
    named = {f"{row.platform}:{row.username}" for row in rows}
    referred = {row.reference for row in rows}
    if not (set(ids) <= there and set(values["usernames"]) <= named and set(references) <= referred):
        raise errors.NotFound("creator")
    return sorted(id.hex for id in there)


@dataclass(frozen=True)
class _Verified:
    """A token whose signature and claims were good."""

    account_id: UUID
    key_id: UUID
    livemode: bool
    scopes: frozenset[str]
    creators: frozenset[UUID] | None
    sockets: int
    expires_at: datetime


class AccessTokens:
    """Verifies tokens; good ones are kept by hash until they end, since a signature costs more than a look-up."""

    def __init__(self, database: Database, keys: callers.Callers, *, issuer: str) -> None:
        self._database, self._keys, self._issuer = database, keys, issuer
        self._public: dict[str, Any] = {}
        self._read_at: datetime | None = None
        self._kept: OrderedDict[bytes, _Verified] = OrderedDict()

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
        parent.check_standing(now)
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
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = self._claims(token, await self._key_of(token, now), now)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return found

    async def _key_of(self, token: str, now: datetime) -> Any:
        """Our own public key by the header's kid; nothing else in the header is looked at for keys."""
        try:
            header = jwt.get_unverified_header(token) if len(token) <= LONGEST_TOKEN else {}
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise errors.InvalidToken("MALFORMED") from None
        kid = header.get("kid")
        if header.get("alg") != "EdDSA" or not isinstance(kid, str) or "crit" in header or "b64" in header:
            raise errors.InvalidToken("MALFORMED")
        stale = self._read_at is None or now - self._read_at > KEYS_KEPT
        if stale or (kid not in self._public and now - self._read_at > timedelta(seconds=1)):  # type: ignore[operator]
            async with self._database.read() as connection:
                keys = (await signing.public_keys(connection))["keys"]
            self._public = {jwk["kid"]: jwt.PyJWK(jwk).key for jwk in keys}
            self._read_at = now
        if kid not in self._public:
            raise errors.InvalidToken("MALFORMED")
        return self._public[kid]

    def _claims(self, token: str, key: Any, now: datetime) -> _Verified:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=self._issuer,
                options={"require": REQUIRED, "verify_exp": False, "strict_aud": True},
            )
            creators = claims["creators"]
            if claims["use"] != USE:
                raise errors.InvalidToken("MALFORMED")
            return _Verified(
                account_id=UUID(claims["sub"]),
                key_id=UUID(claims["key"]),
                livemode=claims["mode"] == "LIVE",
                scopes=frozenset(claims["scopes"]),
                creators=None if creators is None else frozenset(UUID(id) for id in creators),
                sockets=int(claims["sockets"]),
                expires_at=datetime.fromtimestamp(claims["exp"], UTC),
            )
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise errors.InvalidToken("MALFORMED") from None
