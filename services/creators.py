"""Creators as an operator sees them: who is connected, how their grant stands, what their last sync did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from db.session import Connection
from services import errors

MOST = 100_000

# By id: uuidv7 sorts by the time of the first connect.
LISTED = """
select c.id, c.livemode, c.platform, c.username, c.external_id, c.reference, g.status as grant_status,
       c.followers, c.video_count, c.connected_at, c.synced_at
from creators c left join grants g on (g.account_id, g.creator_id) = (c.account_id, c.id)
where c.account_id = $1 and ($2::boolean is null or c.livemode = $2) and ($3::text is null or c.platform = $3)
  and ($4::uuid[] is null or c.id = any($4))
order by c.id limit $5
"""

SYNCS = """
select s.id, s.creator_id, c.username, s.status, s.videos_expected, s.videos_seen, s.videos_added,
       s.videos_updated, s.error_code, s.error_message
from syncs s join creators c on (c.account_id, c.id) = (s.account_id, s.creator_id)
where s.account_id = $1 and s.id = any($2::uuid[])
"""


@dataclass(frozen=True)
class Listed:
    """One creator. `grant_status`: ACTIVE or NEEDS_REAUTH."""

    id: UUID
    livemode: bool
    platform: str
    username: str
    external_id: str
    reference: str | None
    grant_status: str | None
    followers: int | None
    video_count: int | None
    connected_at: datetime
    synced_at: datetime | None


@dataclass(frozen=True)
class Running:
    """A sync as it stands."""

    id: UUID
    creator_id: UUID
    username: str
    status: str
    videos_expected: int | None
    videos_seen: int
    videos_added: int
    videos_updated: int
    error_code: str | None
    error_message: str | None


async def listed(
    connection: Connection,
    account_id: UUID,
    *,
    livemode: bool | None = None,
    platform: str | None = None,
    ids: Sequence[UUID] | None = None,
    most: int = MOST,
) -> list[Listed]:
    """An account's creators, oldest first; those named by `ids`, which must all be there. Raises NotFound."""
    wanted = None if ids is None else list(dict.fromkeys(ids))
    rows = await connection.fetch(LISTED, account_id, livemode, platform, wanted, most)
    if wanted is not None and len(rows) < len(wanted):
        raise errors.NotFound("creator")
    return [Listed(**row) for row in rows]


async def syncs(connection: Connection, account_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Running]:
    """Syncs as they stand; those of creators that were disconnected meanwhile are left out."""
    return {row["id"]: Running(**row) for row in await connection.fetch(SYNCS, account_id, list(ids))}
