"""Idempotency keys: what was asked once under a key is done once, and its answer given again.

The claim commits before the work begins; the answer commits with the work. The lease's end is the fence:
whoever took over a claim that had run out has another one, and the slower of the two cannot commit.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Database, raw
from services import errors
from services.vault import Vault

LEASE = timedelta(seconds=60)
KEPT = timedelta(hours=24)
LONGEST_KEY = 255

# One of all who come with a key gets a row: the first, or the first after a lease or the answer's time ran out.
CLAIM = """
insert into idempotent_answers as a (account_id, livemode, key, body_hash, lease_until)
values ($1, $2, $3, $4, clock_timestamp() + $5::interval)
on conflict (account_id, livemode, key) do update
   set body_hash = excluded.body_hash, lease_until = excluded.lease_until, answer = null, creator_id = null,
       created_at = now()
 where a.created_at < now() - $6::interval
    or (a.answer is null and a.lease_until < clock_timestamp() and a.body_hash = excluded.body_hash)
returning lease_until
"""

FIND = """
select body_hash, answer from idempotent_answers where account_id = $1 and livemode = $2 and key = $3
"""

# Only under the claim that is still ours; the row is held until the work commits.
KEEP = """
update idempotent_answers set answer = $5, creator_id = coalesce($6, creator_id)
 where account_id = $1 and livemode = $2 and key = $3 and lease_until = $4
"""

FREE = """
delete from idempotent_answers
 where account_id = $1 and livemode = $2 and key = $3 and lease_until = $4 and answer is null
"""

FORGET = "delete from idempotent_answers where created_at < $1"


@dataclass(frozen=True)
class Claim:
    """A key that is ours until `lease_until`."""

    account_id: UUID
    livemode: bool
    key: str
    lease_until: datetime

    @property
    def row(self) -> tuple[UUID, bool, str]:
        return self.account_id, self.livemode, self.key


def check_key(key: str) -> None:
    """Raises BadUserInput."""
    if not (1 <= len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        raise errors.BadUserInput(
            f"`Idempotency-Key` must be 1 to {LONGEST_KEY} printable ASCII characters.",
            remedy="Send a fresh UUID for each thing you want done once.",
            argument="Idempotency-Key",
        )


async def claim(
    database: Database, vault: Vault, account_id: UUID, livemode: bool, key: str, body_hash: bytes
) -> Claim | str:
    """The claim, committed; or the answer of what was done under this key.

    Raises BadUserInput, IdempotencyKeyReused, Conflict (it still runs).
    """
    check_key(key)
    row = (account_id, livemode, key)
    async with database.write() as session:
        connection = await raw(session)
        lease_until = await connection.fetchval(CLAIM, *row, body_hash, LEASE, KEPT)
        if lease_until is not None:
            return Claim(*row, lease_until)
        found = await connection.fetchrow(FIND, *row)
    if found is not None and found["body_hash"] != body_hash:
        raise errors.IdempotencyKeyReused(
            "This Idempotency-Key was used for another request.",
            remedy="Use a new key for each request; the same key only to repeat the same one.",
        )
    if found is None or found["answer"] is None:
        raise errors.Conflict(
            "The request with this Idempotency-Key still runs.", remedy="Send it again shortly.", retryAfter=1
        )
    return vault.open(found["answer"], place(*row))


async def keep(
    session: AsyncSession, vault: Vault, claim: Claim, answer: str, creator_id: UUID | None = None
) -> None:
    """Keep the answer, in the transaction of the work. Raises Conflict where the claim is no longer ours."""
    sealed = vault.seal(answer, place(*claim.row))
    done = await (await raw(session)).execute(KEEP, *claim.row, claim.lease_until, sealed, creator_id)
    if done != "UPDATE 1":
        raise errors.Conflict(
            "Another request took over this Idempotency-Key.", remedy="Send it again shortly.", retryAfter=1
        )


async def free(database: Database, claim: Claim) -> None:
    """Give the key back where nothing was done under it: an answer that committed after all stays."""
    async with database.write() as session:
        await (await raw(session)).execute(FREE, *claim.row, claim.lease_until)


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop what is past its time; it is not answered with from then on, dropped or not."""
    await (await raw(session)).execute(FORGET, now - KEPT)


def place(account_id: UUID, livemode: bool, key: str) -> str:
    return f"answer:{account_id}:{'live' if livemode else 'test'}:{key}"
