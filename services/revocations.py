"""Revocations that are still to be had from a platform: tokens alone, sealed, tried again for seven days.

Of the person only what their tombstone says is kept beside them. They go as soon as the platform has said that they
are dead, or the person has connected again: at the platform there is one consent, and revoking would end the new one.
"""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database, raw
from services import errors, jobs, tombstones
from services.platforms import base, registry
from services.vault import Vault

RETRY_FIRST, RETRY_MOST = timedelta(minutes=1), timedelta(hours=6)
RETRY_FOR = timedelta(days=7)

REMEMBER = """
insert into revocations (account_id, livemode, id, platform, tokens, next_attempt_at)
values ($1, $2, $3, $4, $5, now() + $6)
"""

# An attempt is counted, and the next one put off, before the platform is asked: a death in between costs one.
TRY = """
update revocations set attempts = attempts + 1, next_attempt_at = now() + least($5::interval, $4::interval * power(2, least(attempts, 20)))
where account_id = $1 and livemode = $2 and id = $3
returning platform, tokens, attempts, created_at, next_attempt_at - now() as again
"""

KEEP = "update revocations set tokens = $4 where account_id = $1 and livemode = $2 and id = $3"
DROP = "delete from revocations where account_id = $1 and livemode = $2 and id = $3"

log = structlog.get_logger(__name__)


async def remember(
    session: AsyncSession,
    vault: Vault,
    *,
    account_id: UUID,
    livemode: bool,
    platform: str,
    tokens: base.Tokens,
) -> None:
    """The tokens alone, sealed for their new place, and the job that tries them."""
    connection = await raw(session)
    revocation_id: UUID = await connection.fetchval("select uuidv7()")
    key = (account_id, livemode, revocation_id)
    await connection.execute(
        REMEMBER,
        *key,
        platform,
        _seal(vault, revocation_id, account_id, tokens, _digest(vault, platform, tokens)),
        RETRY_FIRST,
    )
    await jobs.enqueue(session, jobs.RETRY_REVOCATION, *job(*key), delay=RETRY_FIRST)


async def retry(
    database: Database, vault: Vault, platforms: registry.Platforms, payload: Mapping[str, Any]
) -> timedelta | None:
    """Try once more to revoke. None: revoked, or given up (after 7 days, or for who is back); else how long to wait."""
    key = (UUID(payload["account_id"]), payload["livemode"], UUID(payload["revocation_id"]))
    async with database.write() as session:
        row = await (await raw(session)).fetchrow(TRY, *key, RETRY_FIRST, RETRY_MOST)
    if row is None:
        return None
    over = datetime.now(UTC) - row["created_at"] > RETRY_FOR
    over = over or await _is_back(database, vault, key, row)
    if not over and not await _revoked(database, vault, platforms, key, row):
        again: timedelta = row["again"]
        return again * (0.9 + random.random() / 5)  # noqa: S311 -- spreads, hides nothing
    log.info("revocation.ended", platform=row["platform"], gave_up=over, attempts=row["attempts"])
    async with database.write() as session:
        await (await raw(session)).execute(DROP, *key)
    return None


def job(account_id: UUID, livemode: bool, revocation_id: UUID) -> tuple[Mapping[str, Any], str]:
    """Payload and key of a revocation's job."""
    payload = {
        "account_id": str(account_id),
        "livemode": livemode,
        "revocation_id": str(revocation_id),
    }
    return payload, f"{revocation_id}:revoke"


async def _is_back(database: Database, vault: Vault, key: tuple[UUID, bool, UUID], row: Any) -> bool:
    """Whether the person has connected again: then their tombstone is gone."""
    account_id, livemode, revocation_id = key
    _, digest = _open(vault, revocation_id, account_id, row["tokens"])
    if digest is None:
        return False
    async with database.read() as connection:
        return await connection.fetchval(tombstones.LIES, account_id, livemode, digest) is None


async def _revoked(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    key: tuple[UUID, bool, UUID],
    row: Any,
) -> bool:
    """Whether the grant is dead at its platform now."""
    account_id, livemode, revocation_id = key
    tokens, digest = _open(vault, revocation_id, account_id, row["tokens"])
    try:
        connector = platforms.connector(row["platform"], livemode)
        try:
            await connector.revoke(tokens)
        except base.AuthExpired:
            fresh = await connector.refresh(tokens)  # rotates: kept before it is used
            async with database.write() as session:
                sealed = _seal(vault, revocation_id, account_id, fresh, digest)
                await (await raw(session)).execute(KEEP, *key, sealed)
            await connector.revoke(fresh)
    except base.ReconnectRequired:
        return True
    except (base.Failure, errors.PlatformError) as failure:
        log.info("revocation.put_off", platform=row["platform"], kind=type(failure).__name__)
        return False
    return True


def _place(account_id: UUID, revocation_id: UUID) -> str:
    return f"revocation:{account_id}:{revocation_id}"


def _digest(vault: Vault, platform: str, tokens: base.Tokens) -> bytes | None:
    person = tokens.external_id
    return None if person is None else tombstones.digest(vault, platform, person)


def _seal(
    vault: Vault, revocation_id: UUID, account_id: UUID, tokens: base.Tokens, digest: bytes | None
) -> bytes:
    plain = {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token,
        "expires_at": tokens.expires_at and tokens.expires_at.isoformat(),
        "refresh_expires_at": tokens.refresh_expires_at and tokens.refresh_expires_at.isoformat(),
        "scopes": tokens.scopes,
        "digest": digest and digest.hex(),
    }
    return vault.seal(json.dumps(plain), _place(account_id, revocation_id))


def _open(
    vault: Vault, revocation_id: UUID, account_id: UUID, sealed: bytes
) -> tuple[base.Tokens, bytes | None]:
    plain = json.loads(vault.open(sealed, _place(account_id, revocation_id)))
    ends: dict[str, Any] = {
        name: plain[name] and datetime.fromisoformat(plain[name])
        for name in ("expires_at", "refresh_expires_at")
    }
    told = plain.get("digest")
    tokens = base.Tokens(
        access_token=plain["access_token"],
        refresh_token=plain["refresh_token"],
        scopes=tuple(plain["scopes"]),
        external_id=None,  # nothing of the person stays
        **ends,
    )
    return tokens, told and bytes.fromhex(told)
