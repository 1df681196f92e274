"""What was charged beside its read, and written down as if delivered, is set right where it was not.

Usage rows that say the same are worth the same: which of them is set right makes no difference to anybody.
"""

from datetime import UTC, datetime

from db.session import Database, raw
from services import credits, ledger
from services.ledger import Settled, Usage

# Of rows written beside a read alone it is not known how long that took. None is older than a read may take.
AMEND = """
update usage_events
   set coordinates = $10::text::jsonb, credits = $11, code = $12, duration_us = $13
 where (account_id, at, id) = (
   select account_id, at, id
     from usage_events
    where account_id = $1 and at > clock_timestamp() - interval '40 seconds' and duration_us is null
      and key_id = $2 and operation is not distinct from $3 and operation_hash is not distinct from $4
      and coordinates = $5::text::jsonb and credits = $6 and code = $7
      and ip is not distinct from $8::text::inet and country is not distinct from $9
    order by at desc, id desc
    limit 1
      for update skip locked)
"""


async def amend(database: Database, written: Usage, meant: Usage) -> Settled:
    """Make the row of `written` say what `meant` does, and give back what was charged too much.

    Answers the balance after it. Raises what the database raises: then nothing was changed, or it is unknown.
    """
    caller = written.caller
    async with database.write() as session:
        if meant.credits < written.credits:
            note = f"not delivered: {meant.code}"
            back = written.credits - meant.credits
            await credits.refund(session, caller.account_id, back, note, key_id=caller.key_id)
        connection = await raw(session)
        done = await connection.execute(
            AMEND,
            caller.account_id,
            caller.key_id,
            ledger.plain(written.operation),
            written.operation_hash,
            written.coordinates,
            written.credits,
            written.code,
            written.ip,
            written.country,
            meant.coordinates,
            meant.credits,
            meant.code,
            meant.duration_us,
        )
        if done != "UPDATE 1":
            raise LookupError("a usage row to be set right is not there")
        stands = await credits.balance(connection, caller.account_id, datetime.now(UTC))
    return Settled(meant.credits, stands.remaining, stands.limit, stands.reset_at)
