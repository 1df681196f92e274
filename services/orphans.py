"""A consent that came to nothing: taken back at its platform, unless the person has a grant that lives of it."""

import structlog

from db.session import Database
from services.platforms import base

# Over all accounts: at the platform there is one consent a person and app, and revoking ends it for everyone.
STANDS = """
select exists (
  select from creators c join grants g on (g.account_id, g.creator_id) = (c.account_id, c.id)
  where c.platform = $1 and c.livemode = $2 and (c.external_id = $3 or c.app_scoped_id = $4))
"""

log = structlog.get_logger(__name__)


async def revoke(
    database: Database, connector: base.Connector, livemode: bool, tokens: base.Tokens, failure: base.Failure
) -> None:
    """Revoke tokens that will not be stored. One attempt: nobody waits for it, and nobody else has them.

    Where the platform does not say whose they are, only when it says that there is nobody.
    """
    known = tokens.external_id is not None or tokens.app_scoped_id is not None
    if not known and not isinstance(failure, base.NoAccount):
        return
    async with database.read() as connection:
        stands = await connection.fetchval(
            STANDS, connector.platform, livemode, tokens.external_id, tokens.app_scoped_id
        )
    if stands:
        return
    try:
        await connector.revoke(tokens)
    except base.Failure as trouble:
        log.info("connect.not_revoked", platform=connector.platform, kind=type(trouble).__name__)
