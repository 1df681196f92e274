"""Grants that nobody uses, renewed before they die: a refresh token unused for its whole life is dead for good."""

import asyncio
from datetime import timedelta

import structlog

from db.session import Database, raw
from services import errors, grants
from services.platforms import base, registry
from services.vault import Vault

MOST_A_TURN = 100
AT_ONCE = 4
AGAIN = timedelta(days=1)

# Put off before the platform is asked: of several workers one tries, and a death in between costs a day.
CLAIM = """
update grants g set renew_at = now() + $1::interval
from (select account_id, creator_id from grants where status = 'ACTIVE' and renew_at <= now()
      order by renew_at limit $2 for no key update skip locked) due
where (g.account_id, g.creator_id) = (due.account_id, due.creator_id)
returning g.account_id, g.livemode, g.creator_id
"""

log = structlog.get_logger(__name__)


async def renew_idle(database: Database, vault: Vault, platforms: registry.Platforms) -> int:
    """Refresh the grants whose time has come; answers how many were. What fails is tried again tomorrow."""
    async with database.write() as session:
        rows = await (await raw(session)).fetch(CLAIM, AGAIN, MOST_A_TURN)
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(whose: grants.Whose) -> bool:
        async with turn:
            return await _renew(database, vault, platforms, whose)

    try:
        renewed = await asyncio.gather(*(one(grants.Whose(*row)) for row in rows))
    finally:
        await grants.finish_refreshes()  # who is told to stop in the middle still keeps the new tokens
    return sum(renewed)


async def _renew(
    database: Database, vault: Vault, platforms: registry.Platforms, whose: grants.Whose
) -> bool:
    held = await grants.read(database, vault, whose)
    if held is None or held.status != "ACTIVE":
        return False
    try:
        connector = platforms.connector(held.platform, whose.livemode)
        if not held.tokens.refresh_token and connector.refresh_before is None:
            return False  # nothing can renew it
        await grants.renewed(database, vault, platforms, whose, held.version)
    except (base.Failure, errors.PlatformError) as failure:
        log.info("grant.not_renewed", creator=str(whose.creator_id), kind=type(failure).__name__)
        return False
    return True
