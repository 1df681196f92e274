"""Statements anyone can verify: JWTs signed with our own Ed25519 keys, public halves at /.well-known/jwks.json."""

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import asyncpg
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services import errors, vault

CHANNEL = "creator_graph_signing"
"""Said when signing keys changed; the payload means nothing."""

# Receipts are shown to third parties long after they were made: a key that signs no more verifies on.
OVERLAP = 365 * 24 * 3600
LONGEST_OVERLAP = 10 * OVERLAP

LOCK = "select pg_advisory_xact_lock(hashtext('creator-graph signing'))"
# The newest signs: a rotation gives every other an end.
NEWEST = """
select kid, private_key from signing_keys
 where ends_at is null or ends_at > now()
 order by ends_at desc nulls first, created_at desc limit 1
"""
# All that may still verify something.
STANDING = """
select kid, public_key, ends_at from signing_keys where ends_at is null or ends_at > now() order by created_at
"""
# `least` passes over nulls; an end that was set before is never put off.
RETIRE = """
update signing_keys set ends_at = least(ends_at, now() + make_interval(secs => cast(:seconds as bigint)))
 where kid <> :kid and (ends_at is null or ends_at > now())
"""
LIST = """
select kid, case when ends_at <= now() then 'ENDED' when ends_at is null then 'SIGNING' else 'VERIFYING' end as status,
       created_at, ends_at
  from signing_keys order by created_at desc, ends_at desc nulls first
"""
NOTIFY = f"select pg_notify('{CHANNEL}', '')"


@dataclass(frozen=True)
class SigningKey:
    """A key as it stands, without its halves."""

    kid: str
    status: Literal["SIGNING", "VERIFYING", "ENDED"]
    created_at: datetime
    ends_at: datetime | None


async def ensure_key(session: AsyncSession, sealed: vault.Vault) -> None:
    """Make the first key where there is none."""
    await session.execute(text(LOCK))
    if (await session.execute(text(NEWEST))).first() is None:
        await make_key(session, sealed)


async def rotate(session: AsyncSession, sealed: vault.Vault, overlap_seconds: int = OVERLAP) -> str:
    """A new key signs from now on; what the others signed verifies for the overlap, or no more. Answers its kid.

    Raises BadUserInput.
    """
    if not 0 <= overlap_seconds <= LONGEST_OVERLAP:
        raise errors.BadUserInput(
            f"`overlapSeconds` must be 0 to {LONGEST_OVERLAP} (ten years).", argument="overlapSeconds"
        )
    await session.execute(text(LOCK))
    kid = await make_key(session, sealed)
    await session.execute(text(RETIRE), {"kid": kid, "seconds": overlap_seconds})
    await session.execute(text(NOTIFY))
    return kid


async def listed(session: AsyncSession) -> list[SigningKey]:
    """All keys there ever were, the newest first."""
    return [SigningKey(*row) for row in await session.execute(text(LIST))]


async def make_key(session: AsyncSession, sealed: vault.Vault) -> str:
    """A new key, which signs from now on; answers its kid."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    kid = _thumbprint(public)
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    await session.execute(
        text("insert into signing_keys (kid, public_key, private_key) values (:kid, :public, :private)"),
        {"kid": kid, "public": public, "private": sealed.seal(secret.decode(), _row(kid))},
    )
    return kid


async def sign(session: AsyncSession, sealed: vault.Vault, claims: dict[str, Any], *, issuer: str) -> str:
    """The claims as a JWT (EdDSA), with iss and iat."""
    row = (await session.execute(text(NEWEST))).one()
    return jwt.encode(
        {"iss": issuer, "iat": int(datetime.now(UTC).timestamp()), **claims},
        sealed.open(row.private_key, _row(row.kid)),
        algorithm="EdDSA",
        headers={"kid": row.kid},
    )


async def public_keys(connection: asyncpg.Connection) -> dict[str, Any]:
    """The JSON Web Key Set (RFC 7517, RFC 8037)."""
    return {"keys": [_jwk(row["kid"], row["public_key"]) for row in await connection.fetch(STANDING)]}


def _jwk(kid: str, public: bytes) -> dict[str, str]:
    return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(public), "kid": kid, "use": "sig", "alg": "EdDSA"}


def _thumbprint(public: bytes) -> str:
    """RFC 7638."""
    canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _row(kid: str) -> str:
    return f"signing:{kid}"
