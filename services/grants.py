"""A creator's grant: its tokens sealed, opened, refreshed by one refresher at a time, and buried.

A refresh token works once. So whoever refreshes holds the grant's lease, writes only over the version it
read, and nobody else asks the platform meanwhile; no transaction is open while the platform is asked.
A refresher that dies between the platform's answer and the write takes the new token with it (docs/grants.md).
"""

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from db.away import is_away
from db.session import Connection, Database, raw
from services import refusals, revocations
from services.platforms import base, registry
from services.vault import Vault

MARGIN = timedelta(minutes=5)
MARGIN_SHARE = 0.1
ENDLESS_LIFE = timedelta(
    days=60
)  # of a grant whose end is not told: some die when nobody uses them for months
LEASE = timedelta(seconds=30)  # longer than a refresh and its one repetition can take
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 20.0
KEEP_SECONDS = 60.0
"""How long new tokens, whose old ones are spent, wait in memory for a database that is away."""

REFUSED, INTERRUPTED = "REFUSED", "REFRESH_INTERRUPTED"
"""Why a grant needs to be connected again: `Grant.reason` in the schema."""

# The creator's row beside the grant's: whose tokens they are comes from there.
READ = """
select c.platform, c.external_id, c.app_scoped_id, g.status, g.scopes, g.access_token, g.refresh_token, g.expires_at,
       g.refresh_expires_at, g.refreshed_at, g.version
from grants g join creators c on (c.account_id, c.id) = (g.account_id, g.creator_id)
where g.account_id = $1 and g.livemode = $2 and g.creator_id = $3 and c.livemode = $2
"""

# A reconnect replaces the tokens; a platform that sent no refresh token leaves the stored one standing.
STORE = """
insert into grants as g (account_id, livemode, creator_id, scopes, access_token, refresh_token, expires_at,
                         refresh_expires_at, refreshed_at, renew_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (account_id, creator_id) do update set
  status = 'ACTIVE', scopes = excluded.scopes, access_token = excluded.access_token,
  refresh_token = coalesce(excluded.refresh_token, g.refresh_token),
  refresh_expires_at = case when excluded.refresh_token is null then g.refresh_expires_at
                            else excluded.refresh_expires_at end,
  expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at, version = g.version + 1,
  lease_until = null, renew_at = excluded.renew_at, refused_at = null, reason = null, unsure_since = null
where g.livemode = excluded.livemode
"""

# The lease: of all who find the same version stale, one row comes back to one. It says whether an earlier
# refresh of this version never told its end: the platform may have replaced the token, and nobody heard.
CLAIM = """
update grants set lease_until = now() + $5, unsure_since = coalesce(unsure_since, now())
where account_id = $1 and livemode = $2 and creator_id = $3 and version = $4 and status = 'ACTIVE'
  and (lease_until is null or lease_until < now())
returning old.unsure_since is not null as unsure
"""

# Compare and swap: a reconnect that came in between has newer tokens than ours. Whoever was slow may find the grant
# buried by another one, whom the platform refused the token that it had replaced for us: it lives on with ours.
SWAP = """
update grants set scopes = $5, access_token = $6, refresh_token = coalesce($7, refresh_token), expires_at = $8,
  refresh_expires_at = $9, refreshed_at = $10, version = version + 1, lease_until = null, unsure_since = null,
  refused_at = null, status = case when reason = 'REMOVED' then status else 'ACTIVE' end,
  renew_at = case when reason = 'REMOVED' then null else $11::timestamptz end,
  reason = case when reason = 'REMOVED' then reason end
where account_id = $1 and livemode = $2 and creator_id = $3 and version = $4
returning case when new.status <> 'ACTIVE' then 'REMOVED' when old.status <> 'ACTIVE' then 'REVIVED' else 'KEPT' end
"""

STANDS = "select 1 from grants where account_id = $1 and livemode = $2 and creator_id = $3"

# Its sync ended, and nothing else would read the creator again.
DUE = "update creators set next_sync_at = now() where account_id = $1 and livemode = $2 and id = $3 and next_sync_at is null"

RELEASE = """
update grants set lease_until = null, unsure_since = case when $5 then unsure_since end
where account_id = $1 and livemode = $2 and creator_id = $3 and version = $4
"""

# Only over the version that was refused: newer tokens may live. And only while it lives: what the platform said is
# over is not refused on top of it, or the end of a wave would bring it back.
BURY = """
update grants set status = 'NEEDS_REAUTH', lease_until = null, refused_at = now(), reason = $5,
  unsure_since = null
where account_id = $1 and livemode = $2 and creator_id = $3 and version = $4 and status = 'ACTIVE'
returning version
"""

log = structlog.get_logger(__name__)
_REFRESHING: "set[asyncio.Task[Held]]" = set()


class Dead(base.ReconnectRequired):
    """There is no living grant: it was judged already."""


class Unheard(base.ReconnectRequired):
    """Refused right after an attempt whose answer did not come: that one may have spent the token."""


@dataclass(frozen=True)
class Whose:
    """A creator, with what every tenant statement carries."""

    account_id: UUID
    livemode: bool
    creator_id: UUID

    @property
    def key(self) -> tuple[UUID, bool, UUID]:
        return self.account_id, self.livemode, self.creator_id

    def place(self, which: str) -> str:
        """What a sealed token of this grant is bound to."""
        return f"grant:{self.account_id}:{self.creator_id}:{which}"


@dataclass(frozen=True)
class Held:
    """A grant as it was read: opened tokens and the version they are of."""

    whose: Whose
    platform: str
    status: str
    tokens: base.Tokens
    refreshed_at: datetime | None
    version: int

    def is_stale(self, now: datetime, refresh_before: timedelta | None = None) -> bool:
        """Whether the access token is past its time or within the margin of it.

        `refresh_before`: the platform's margin for a token that refreshes itself.
        """
        if self.tokens.expires_at is None:
            return False
        if not self.tokens.refresh_token:
            return refresh_before is not None and now >= self.tokens.expires_at - refresh_before
        life = self.tokens.expires_at - (self.refreshed_at or now)
        return now >= self.tokens.expires_at - min(MARGIN, max(life, timedelta()) * MARGIN_SHARE)

    def is_expired(self, now: datetime) -> bool:
        return self.tokens.expires_at is not None and self.tokens.expires_at <= now


async def read(database: Database, vault: Vault, whose: Whose) -> Held | None:
    """The grant as it stands; None when there is none."""
    async with database.read() as connection:
        row = await connection.fetchrow(READ, *whose.key)
    if row is None:
        return None
    refresh = row["refresh_token"]
    tokens = base.Tokens(
        access_token=vault.open(row["access_token"], whose.place("access")),
        refresh_token=None if refresh is None else vault.open(refresh, whose.place("refresh")),
        expires_at=row["expires_at"],
        refresh_expires_at=row["refresh_expires_at"],
        scopes=tuple(row["scopes"]),
        external_id=row["external_id"],
        app_scoped_id=row["app_scoped_id"],
        issued_at=row["refreshed_at"],
    )
    return Held(whose, row["platform"], row["status"], tokens, row["refreshed_at"], row["version"])


async def store(
    connection: Connection, vault: Vault, whose: Whose, tokens: base.Tokens, now: datetime
) -> None:
    """Keep what a consent brought, in the caller's transaction; the grant is ACTIVE from then on."""
    access, refresh = _seal(vault, whose, tokens)
    await connection.execute(
        STORE,
        *whose.key,
        list(tokens.scopes),
        access,
        refresh,
        tokens.expires_at,
        tokens.refresh_expires_at,
        now,
        _renew_at(tokens, now),
    )


async def tokens_for(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    whose: Whose,
    *,
    now: datetime | None = None,
) -> Held:
    """Tokens that may be used now, refreshed when their time is near.

    Raises ReconnectRequired when the grant is dead or gone, and what a refresh raises when none can be used: whatever
    else keeps it from being refreshed, a token serves till its end.
    """
    held = _living(await read(database, vault, whose))
    moment = now or datetime.now(UTC)
    if not held.is_stale(moment, platforms.connector(held.platform, whose.livemode).refresh_before):
        return held
    try:
        return await renewed(database, vault, platforms, whose, held.version)
    except base.ReconnectRequired:
        raise
    except base.Failure as failure:
        if held.is_expired(moment):
            raise
        log.info("grant.not_refreshed", creator=str(whose.creator_id), kind=type(failure).__name__)
        return held


async def renewed(
    database: Database, vault: Vault, platforms: registry.Platforms, whose: Whose, version: int
) -> Held:
    """Tokens newer than `version`: ours, or those of whoever refreshes at the same time.

    A caller that is cancelled does not cancel the refresh: the rotated token would be lost.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_SECONDS
    while loop.time() < end:
        held = _living(await read(database, vault, whose))
        if held.version != version:
            return held
        unsure = await _claimed(database, whose, version)
        if unsure is not None:
            refreshing = asyncio.create_task(_refresh(database, vault, platforms, held, unsure=unsure))
            _REFRESHING.add(refreshing)
            refreshing.add_done_callback(_REFRESHING.discard)
            return await asyncio.shield(refreshing)
        await asyncio.sleep(PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311 -- spreads, hides nothing
    raise base.Transient("refresh_busy", "Another refresh of this grant does not end.")


async def finish_refreshes() -> None:
    """Wait for the refreshes whose callers are gone: a process that ends in order loses no token."""
    while _REFRESHING:
        await asyncio.gather(*_REFRESHING, return_exceptions=True)


async def judge(database: Database, held: Held, reason: str = REFUSED) -> bool:
    """A definitive refusal: NEEDS_REAUTH, unless the tokens are newer than those that were refused.

    Raises Transient when many are refused alike: then it is the platform's trouble, and no grant changes.
    """
    async with database.write() as session:
        connection = await raw(session)
        wave = await refusals.is_wave(connection, held.platform, held.whose.livemode)
        values = (*held.whose.key, held.version, reason)
        buried = not wave and await connection.fetchval(BURY, *values) is not None
    if wave:
        await _release(database, held, unsure=reason == INTERRUPTED)
        raise base.Transient("refused_alike", "The platform refuses many grants at once.")
    if buried:
        log.info("grant.needs_reauth", creator=str(held.whose.creator_id), reason=reason)
    return buried


async def has_moved_on(database: Database, vault: Vault, held: Held) -> bool:
    """Whether the grant lives with newer tokens than these."""
    found = await read(database, vault, held.whose)
    return found is not None and found.status == "ACTIVE" and found.version != held.version


def _living(held: Held | None) -> Held:
    if held is None or held.status != "ACTIVE":
        raise Dead("no_grant", "There is no living grant.")
    return held


async def _refresh(
    database: Database, vault: Vault, platforms: registry.Platforms, held: Held, *, unsure: bool
) -> Held:
    """Ask the platform, as the holder of the lease, and write over the version that was read."""
    connector = platforms.connector(held.platform, held.whose.livemode)
    try:
        fresh = await _ask(connector, held.tokens)
    except base.ReconnectRequired as refusal:
        cut = connector.rotates and (unsure or isinstance(refusal, Unheard))
        return await _refused(database, vault, held, INTERRUPTED if cut else REFUSED)
    except BaseException as failure:
        unheard = not isinstance(failure, base.Failure) or isinstance(failure, base.Transient)
        await _release(database, held, unsure=unsure or unheard)
        raise
    kept = await _kept(database, vault, held, fresh, now := datetime.now(UTC))
    if kept in {"KEPT", "REVIVED"}:
        await _accepted(database, held, revived=kept == "REVIVED")
        return replace(held, tokens=fresh, refreshed_at=now, version=held.version + 1)
    return _living(await read(database, vault, held.whose))


async def _kept(
    database: Database, vault: Vault, held: Held, fresh: base.Tokens, now: datetime
) -> str | None:
    """Write the new tokens; the old ones are spent, so a database that is away is waited for.

    KEPT; REVIVED, where the grant was buried meanwhile; REMOVED, where the platform said that it is over; None
    where there is no such version any more. Nothing else is in the transaction: until it ends, only this process has the tokens.
    """
    end = asyncio.get_running_loop().time() + KEEP_SECONDS
    while True:
        try:
            return await _swapped(database, vault, held, fresh, now)
        except Exception as error:
            if not is_away(error) or asyncio.get_running_loop().time() > end:
                raise
            log.warning("grant.not_kept_yet", creator=str(held.whose.creator_id), kind=type(error).__name__)
        await asyncio.sleep(PAUSE_SECONDS * 4)


async def _swapped(
    database: Database, vault: Vault, held: Held, fresh: base.Tokens, now: datetime
) -> str | None:
    """One try of that. Where the creator was disconnected meanwhile, the new tokens are to be revoked."""
    whose, (access, refresh) = held.whose, _seal(vault, held.whose, fresh)
    values = (list(fresh.scopes), access, refresh, fresh.expires_at, fresh.refresh_expires_at, now)
    async with database.write() as session:
        connection = await raw(session)
        told: str | None = await connection.fetchval(
            SWAP, *whose.key, held.version, *values, _renew_at(fresh, now)
        )
        if told is None and await connection.fetchval(STANDS, *whose.key) is None:
            await revocations.remember(
                session, vault, account_id=whose.account_id, livemode=whose.livemode, platform=held.platform,
                tokens=fresh,
            )  # fmt: skip
    return told


async def _accepted(database: Database, held: Held, *, revived: bool) -> None:
    async with database.write() as session:
        connection = await raw(session)
        if revived:
            log.info("grant.revived", creator=str(held.whose.creator_id))
            await connection.execute(DUE, *held.whose.key)
        await refusals.accepted(connection, held.platform, held.whose.livemode)


async def _ask(connector: base.Connector, tokens: base.Tokens) -> base.Tokens:
    """Once more with the same token after a stumble: nobody knows whether the platform rotated."""
    try:
        return await connector.refresh(tokens)
    except base.Transient:
        await asyncio.sleep(PAUSE_SECONDS + random.random() / 2)  # noqa: S311 -- spreads, hides nothing
    try:
        return await connector.refresh(tokens)
    except base.ReconnectRequired as refusal:
        raise Unheard(refusal.code, refusal.message, log_id=refusal.log_id) from refusal


async def _refused(database: Database, vault: Vault, held: Held, reason: str) -> Held:
    """A definitive no: judged only after looking whether somebody else has newer tokens."""
    if await judge(database, held, reason):
        raise Dead("invalid_grant", "The platform refuses the refresh token.")
    return _living(await read(database, vault, held.whose))


def _renew_at(tokens: base.Tokens, now: datetime) -> datetime:
    """When the grant is renewed at the latest, used or not: from half to three quarters through its life."""
    end = tokens.refresh_expires_at if tokens.refresh_token else tokens.expires_at
    life = max(end - now, timedelta()) if end else ENDLESS_LIFE
    return now + life * random.uniform(0.5, 0.75)  # noqa: S311 -- spreads, hides nothing


def _seal(vault: Vault, whose: Whose, tokens: base.Tokens) -> tuple[bytes, bytes | None]:
    refresh = tokens.refresh_token or None
    return (
        vault.seal(tokens.access_token, whose.place("access")),
        None if refresh is None else vault.seal(refresh, whose.place("refresh")),
    )


async def _claimed(database: Database, whose: Whose, version: int) -> bool | None:
    """None: somebody else refreshes; else whether an earlier refresh of this version never told its end."""
    async with database.write() as session:
        connection = await raw(session)
        unsure: bool | None = await connection.fetchval(CLAIM, *whose.key, version, LEASE)
    return unsure


async def _release(database: Database, held: Held, *, unsure: bool) -> None:
    async with database.write() as session:
        await (await raw(session)).execute(RELEASE, *held.whose.key, held.version, unsure)
