"""The statements of a connect, and what its row means: begun, claimed once, settled."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from db.session import Connection, Database, raw
from services import errors, events
from services.vault import Vault

CLAIM_LIFE = timedelta(minutes=2)

RETURN_URLS = "select return_urls from accounts where id = $1"
IS_SOMEBODYS = "select exists (select 1 from accounts where $1 = any(return_urls))"

BEGIN = """
insert into oauth_states (state_hash, account_id, livemode, platform, reference, return_url, redirect_uri,
                          own_redirect, code_verifier, created_at, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""

# The one statement without an account: the platform's redirect brings a state before its account is known.
FIND = """
select account_id, livemode, platform, reference, return_url, redirect_uri, own_redirect, code_verifier, status,
       claimed_at, creator_id, sync_id, error_code, error_message, expires_at
from oauth_states where state_hash = $1
"""

# Single use: of all who bring the state, one gets a row back.
CLAIM = """
update oauth_states set claimed_at = $4
where state_hash = $1 and account_id = $2 and livemode = $3 and status = 'PENDING' and claimed_at is null
  and expires_at > $4
returning state_hash
"""

# The verifier has done its work.
SETTLE = """
update oauth_states set status = $4, creator_id = $5, sync_id = $6, error_code = $7, error_message = $8,
  code_verifier = null
where state_hash = $1 and account_id = $2 and livemode = $3 and status = 'PENDING'
"""

FORGET = "delete from oauth_states where expires_at < $1"


@dataclass(frozen=True)
class Completed:
    """How a connect ended, and where the browser goes. `error` says why, when status is FAILED."""

    account_id: UUID
    livemode: bool
    platform: str
    state: str
    status: str
    return_url: str | None
    creator_id: UUID | None = None
    sync_id: UUID | None = None
    error: errors.PlatformError | None = None

    @property
    def code(self) -> str | None:
        """The error's stable code."""
        return self.error.code if self.error else None


@dataclass(frozen=True)
class Claimed:
    """A begun connect that is ours to finish."""

    state: str
    account_id: UUID
    livemode: bool
    platform: str
    reference: str | None
    return_url: str | None
    redirect_uri: str
    verifier: str | None

    @property
    def key(self) -> tuple[bytes, UUID, bool]:
        return digest(self.state), self.account_id, self.livemode

    def ended(self, status: str, **more: Any) -> Completed:
        return Completed(
            self.account_id, self.livemode, self.platform, self.state, status, self.return_url, **more
        )


def digest(state: str) -> bytes:
    """What is kept of a state; also its name on the channel of hints, in hex."""
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()


def place(state: str) -> str:
    return f"oauth_state:{digest(state).hex()}"


def status(row: Any, now: datetime) -> str:
    """PENDING ends by time; a claimed one a little later, for it may be at the platform just now."""
    over = row["expires_at"] + (CLAIM_LIFE if row["claimed_at"] else timedelta()) <= now
    return "EXPIRED" if row["status"] == "PENDING" and over else str(row["status"])


async def find(database: Database, state: str) -> Any:
    async with database.read() as connection:
        row = await connection.fetchrow(FIND, digest(state))
    if row is None:
        raise errors.NotFound("connect")
    return row


async def claim(database: Database, vault: Vault, state: str, row: Any, now: datetime) -> Claimed:
    claimed = claimed_of(vault, state, row)
    async with database.write() as session:
        taken = await (await raw(session)).fetchval(CLAIM, *claimed.key, now)
    if taken is None:
        raise errors.Conflict("This connect was completed before.", remedy="Begin a new one.")
    return claimed


def claimed_of(vault: Vault, state: str, row: Any) -> Claimed:
    sealed = row["code_verifier"]
    return Claimed(
        state,
        row["account_id"],
        row["livemode"],
        row["platform"],
        row["reference"],
        row["return_url"],
        row["redirect_uri"],
        None if sealed is None else vault.open(sealed, place(state)),
    )


async def record(connection: Connection, completed: Completed) -> None:
    state_hash = digest(completed.state)
    await connection.execute(
        SETTLE,
        state_hash,
        completed.account_id,
        completed.livemode,
        completed.status,
        completed.creator_id,
        completed.sync_id,
        completed.code,
        None if completed.error is None else f"{completed.error.message} {completed.error.remedy}",
    )
    await events.notify(connection, events.CONNECT, state_hash.hex())
