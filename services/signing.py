"""Statements anyone can verify: JWTs signed with our own Ed25519 keys, public halves at /.well-known/jwks.json."""

import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services import vault

# The newest signs.
NEWEST = "select kid, private_key from signing_keys where ends_at is null or ends_at > now() order by created_at desc limit 1"
# All that may still verify something.
STANDING = (
    "select kid, public_key from signing_keys where ends_at is null or ends_at > now() order by created_at"
)


async def ensure_key(session: AsyncSession, sealed: vault.Vault) -> None:
    """Make the first key where there is none."""
    await session.execute(text("select pg_advisory_xact_lock(hashtext('creator-graph signing'))"))
    if await session.scalar(text("select 1 from signing_keys limit 1")) is None:
        await make_key(session, sealed)


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


async def public_keys(connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy) -> dict[str, Any]:
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
