"""Videos that a whole walk did not meet: none is marked as gone before its platform was asked for it by its id.

A list moves under who walks it: a deletion between two pages moves a living video up, past the walk; a platform
may end its list too early. What a platform knows by its id is written as seen; only the rest is gone.
"""

from collections.abc import Sequence
from uuid import UUID

from db.session import Connection

BEGINNING = ""
"""Before every external id."""

# Where the platform shows only so many ($5): what is older than the oldest that was seen is out of sight, not gone.
# Media that it leaves out count against its limit, so a tenth less is near it, too.
_MISSED = """
with seen as (
  select count(*) as shown, min(published_at) as oldest from videos
  where account_id = $1 and livemode = $2 and creator_id = $3 and seen_in = $4 and $5::int is not null)
"""
_THOSE = """
v.account_id = $1 and v.livemode = $2 and v.creator_id = $3 and v.seen_in <> $4 and v.gone_at is null
  and ($5::int is null or shown < $5::int * 0.9 or v.published_at > oldest)
"""

AHEAD = f"""
{_MISSED} select v.external_id from videos v, seen where {_THOSE} and v.external_id > $6
order by v.external_id limit $7
"""  # noqa: S608 -- from constants

# Only after a whole, clean walk at whose end nothing was ahead.
GONE = f"""
{_MISSED} update videos v set gone_at = now() from seen where {_THOSE}
"""  # noqa: S608 -- from constants


async def ahead(
    connection: Connection,
    walk: tuple[UUID, bool, UUID, UUID],
    *,
    behind: str,
    most: int,
    shows_newest: int | None,
) -> Sequence[str]:
    """The next ids to ask for, after `behind`. `walk`: account, world, creator and sync."""
    rows = await connection.fetch(AHEAD, *walk, shows_newest, behind, most)
    return [row["external_id"] for row in rows]


async def mark_gone(
    connection: Connection, walk: tuple[UUID, bool, UUID, UUID], shows_newest: int | None
) -> None:
    """Mark what the walk did not meet and its platform does not know."""
    await connection.execute(GONE, *walk, shows_newest)
