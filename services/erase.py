"""What a disconnect does: revoke at the platform, erase in one transaction, remember only a keyed hash.

The creator's row is locked for update before anything is deleted; a slice that runs holds it for share while
it writes a page. So the disconnect waits for a page at most, and what comes later finds no creator.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, Database, raw
from services import errors, events, grants, jobs, public_videos, revocations, tombstones
from services.platforms import base, registry
from services.vault import Vault

REVOKE_SECONDS = 8.0
REFRESH_SECONDS, LOOK_AGAIN_SECONDS = 4.0, 0.1
ERASE_SECONDS = 60.0  # a long history takes longer than a request's statement may
ROUNDS = 3

LOCK = """
select c.platform, c.external_id, g.version,
       (g.access_token is not null)::int + (g.refresh_token is not null)::int as tokens
from creators c left join grants g on (g.account_id, g.creator_id) = (c.account_id, c.id)
where c.account_id = $1 and c.livemode = $2 and c.id = $3
for update of c
"""

LEASED = "select lease_until > now() from grants where account_id = $1 and livemode = $2 and creator_id = $3"

SYNCS = "select id from syncs where account_id = $1 and livemode = $2 and creator_id = $3"

# Children before parents, each by itself: the counts are the answer, and a cascade tells none.
ERASE = {
    "grants": "delete from grants where account_id = $1 and livemode = $2 and creator_id = $3",
    "public_videos": public_videos.ERASE,
    "video_stats": "delete from video_stats where account_id = $1 and livemode = $2 and creator_id = $3",
    "creator_stats": "delete from creator_stats where account_id = $1 and livemode = $2 and creator_id = $3",
    "videos": "delete from videos where account_id = $1 and livemode = $2 and creator_id = $3",
    "syncs": "delete from syncs where account_id = $1 and livemode = $2 and creator_id = $3",
    "states": "delete from oauth_states where account_id = $1 and livemode = $2 and creator_id = $3",
    "answers": "delete from idempotent_answers where account_id = $1 and livemode = $2 and creator_id = $3",
    "creators": "delete from creators where account_id = $1 and livemode = $2 and id = $3",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Erased:
    """What was erased, exactly. revocation: REVOKED, ALREADY_REVOKED, PENDING_RETRY."""

    creator_id: UUID
    platform: str
    revocation: str
    creators: int
    videos: int
    history_points: int
    syncs: int
    tokens: int
    stored_answers: int
    at: datetime


Also = Callable[[AsyncSession, Erased], Awaitable[None]]
"""What must commit together with the erasure."""


async def disconnect(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    *,
    account_id: UUID,
    livemode: bool,
    creator_id: UUID,
    now: datetime | None = None,
    also: Also | None = None,
) -> Erased:
    """Revoke and erase. Raises NotFound for a creator that is unknown, another's, or erased before."""
    whose = grants.Whose(account_id, livemode, creator_id)
    outcome: str | None = None
    for left in reversed(range(ROUNDS)):
        held = await grants.read(database, vault, whose)
        outcome, held = await _revoke(database, vault, platforms, held, outcome)
        await _refreshed(database, whose)
        async with database.write() as session:
            erased = await _erase(
                session, vault, whose, held, outcome=outcome, now=now or datetime.now(UTC), last=not left
            )
            if erased is not None:
                if also is not None:
                    await also(session, erased)
                return erased
    raise AssertionError("the last round erases")  # pragma: no cover


async def forget(
    database: Database,
    vault: Vault,
    whose: grants.Whose,
    *,
    now: datetime | None = None,
    also: Also | None = None,
) -> Erased:
    """Erase without asking the platform: what was granted there is newer. Raises NotFound as `disconnect`."""
    async with database.write() as session:
        erased = await _erase(
            session, vault, whose, None, outcome="ALREADY_REVOKED", now=now or datetime.now(UTC), last=True
        )
        assert erased
        if also is not None:
            await also(session, erased)
    return erased


async def _revoke(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    held: grants.Held | None,
    before: str | None,
) -> tuple[str, grants.Held | None]:
    """How the platform took it, and the grant as it was then; an expired token is refreshed first."""
    if held is None:
        return before or "ALREADY_REVOKED", None
    try:
        connector = platforms.connector(held.platform, held.whose.livemode)
        async with asyncio.timeout(REVOKE_SECONDS):
            try:
                revoked = await connector.revoke(held.tokens)
            except base.AuthExpired:
                held = await grants.renewed(database, vault, platforms, held.whose, held.version)
                revoked = await connector.revoke(held.tokens)
    except base.ReconnectRequired:
        revoked = False
    except (base.Failure, errors.PlatformError, TimeoutError) as failure:
        log.warning("disconnect.not_revoked", platform=held.platform, kind=type(failure).__name__)
        return "PENDING_RETRY", held
    return ("REVOKED" if revoked or before == "REVOKED" else "ALREADY_REVOKED"), held


async def _refreshed(database: Database, whose: grants.Whose) -> None:
    """Wait for whoever refreshes the grant: the new tokens are to be revoked too.

    Not for long: somebody waits for the answer, and a refresher that finds no grant gives its tokens to be revoked.
    """
    end = asyncio.get_running_loop().time() + REFRESH_SECONDS
    while asyncio.get_running_loop().time() < end:
        async with database.read() as connection:
            if not await connection.fetchval(LEASED, *whose.key):
                return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _erase(
    session: AsyncSession,
    vault: Vault,
    whose: grants.Whose,
    held: grants.Held | None,
    *,
    outcome: str,
    now: datetime,
    last: bool,
) -> Erased | None:
    """Everything of the creator; None when the grant has newer tokens than those that were revoked."""
    connection = await raw(session)
    row = await connection.fetchrow(LOCK, *whose.key)
    if row is None:
        raise errors.NotFound("creator")
    if not last and row["version"] != (held.version if held else None):
        return None
    ids = [found["id"] for found in await connection.fetch(SYNCS, *whose.key)]
    payloads = await jobs.forget(connection, ids)
    gone = {name: await _delete(connection, statement, whose) for name, statement in ERASE.items()}
    digest = tombstones.digest(vault, row["platform"], row["external_id"])
    await connection.execute(tombstones.BURY, whose.account_id, whose.livemode, digest)
    if outcome == "PENDING_RETRY" and held is not None:
        await revocations.remember(
            session,
            vault,
            account_id=whose.account_id,
            livemode=whose.livemode,
            platform=held.platform,
            tokens=held.tokens,
        )
    await _tell(connection, whose, ids)
    return Erased(
        creator_id=whose.creator_id,
        platform=row["platform"],
        revocation=outcome,
        creators=gone["creators"],
        videos=gone["videos"],
        history_points=gone["creator_stats"] + gone["video_stats"],
        syncs=gone["syncs"],
        tokens=row["tokens"],
        stored_answers=gone["answers"] + gone["public_videos"] + payloads,
        at=now,
    )


async def _delete(connection: Connection, statement: str, whose: grants.Whose) -> int:
    done = await connection.execute(statement, *whose.key, timeout=ERASE_SECONDS)
    return int(done.split()[-1])


async def _tell(connection: Connection, whose: grants.Whose, ids: list[UUID]) -> None:
    """Whoever waits for a sync of the creator looks again, and finds none."""
    for sync_id in ids[-1:]:
        await events.notify(connection, events.SYNC, str(sync_id))
    world = "live" if whose.livemode else "test"
    await events.notify(connection, events.CREATOR, f"{whose.account_id}:{world}:{whose.creator_id}")
