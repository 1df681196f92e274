"""Connecting a creator: begun with a state, completed once with what the platform sent back.

The state is what protects: 256 random bits, kept as a hash, bound to account and world, claimed by the first
who brings it back. A browser comes through `callback` with the state alone; an app that received the redirect
itself comes through `complete`, with its own credential. Neither may finish what the other began.
"""

import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, Database, raw
from services import connect_store, errors, grants, orphans, sync, sync_store, sync_values, tombstones
from services.platforms import base, registry
from services.vault import Vault

LIFE = timedelta(minutes=10)
KEPT = timedelta(days=1)
STATE_BYTES = 32
REFERENCE_LIMIT = 200

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Begun:
    auth_url: str
    state: str
    expires_at: datetime


@dataclass(frozen=True)
class Attempt:
    """How a connect stands. status: PENDING, CONNECTED, DENIED, FAILED, EXPIRED."""

    status: str
    platform: str
    creator_id: UUID | None
    sync_id: UUID | None
    error_code: str | None
    error_message: str | None
    expires_at: datetime


REMEDIES = {
    "MISCONFIGURED": "There is nothing to do on your side: no connect there succeeds before the operator has mended it.",
    "NO_ACCOUNT": "Let the creator make one, or choose another, then connect again.",
    "SCOPE_MISSING": "Connect again, and let the creator allow every permission.",
}

Also = Callable[[AsyncSession, connect_store.Completed], Awaitable[None]]
"""What must commit or fail together with the connect: its charge, its idempotent answer."""


async def begin(
    session: AsyncSession,
    vault: Vault,
    connector: base.Connector,
    *,
    account_id: UUID,
    livemode: bool,
    platform: str,
    reference: str | None,
    return_url: str | None,
    redirect_uri: str | None,
    callback_url: str,
    now: datetime,
) -> Begun:
    """Where to send the creator. Raises BadUserInput for an address that is not on the account's list."""
    connection = await raw(session)
    allowed = await connection.fetchval(connect_store.RETURN_URLS, account_id) or []
    _check_listed("returnUrl", return_url, allowed)
    _check_listed("redirectUri", redirect_uri, allowed)
    _check_reference(reference)
    state = secrets.token_urlsafe(STATE_BYTES)
    redirect = redirect_uri or callback_url
    authorization = connector.begin(state, redirect)
    verifier = authorization.code_verifier
    await connection.execute(
        connect_store.BEGIN,
        connect_store.digest(state),
        account_id,
        livemode,
        platform,
        reference,
        return_url,
        redirect,
        redirect_uri is not None,
        None if verifier is None else vault.seal(verifier, connect_store.place(state)),
        now,
        now + LIFE,
    )
    return Begun(authorization.url, state, now + LIFE)


async def attempt(
    connection: Connection, account_id: UUID, livemode: bool, state: str, now: datetime
) -> Attempt | None:
    """How a connect stands; None for a state that is unknown, another account's or the other world's."""
    row = await connection.fetchrow(connect_store.FIND, connect_store.digest(state))
    if row is None or (row["account_id"], row["livemode"]) != (account_id, livemode):
        return None
    return Attempt(
        connect_store.status(row, now),
        row["platform"],
        row["creator_id"],
        row["sync_id"],
        row["error_code"],
        row["error_message"],
        row["expires_at"],
    )


def hint(state: str) -> str:
    """Under what name this connect's moves are told on the channel of hints."""
    return connect_store.digest(state).hex()


async def callback(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    *,
    platform: str,
    query: Iterable[tuple[str, str]],
    now: datetime | None = None,
) -> connect_store.Completed:
    """Finish with what a creator's browser brought to our own address.

    CONNECTED, DENIED, FAILED or EXPIRED is an answer. Raises NotFound for a state we do not know here,
    Conflict for one that was brought before, BadUserInput for a parameter that came twice.
    """
    pairs = tuple(query)
    try:
        state = base.singly(pairs).get("state", "")
    except base.Failure as failure:
        raise errors.BadUserInput(failure.message) from None
    moment = now or datetime.now(UTC)
    row = await connect_store.find(database, state)
    if row["own_redirect"] or row["platform"] != platform:
        raise errors.NotFound("connect")
    if connect_store.status(row, moment) == "EXPIRED":
        return connect_store.claimed_of(vault, state, row).ended("EXPIRED")
    claimed = await connect_store.claim(database, vault, state, row, moment)
    return await _finish(
        database,
        vault,
        platforms,
        claimed,
        code_of=lambda connector: connector.parse_callback(pairs),
        now=moment,
        also=None,
    )


async def complete(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    *,
    account_id: UUID,
    livemode: bool,
    state: str,
    code: str,
    now: datetime | None = None,
    also: Also | None = None,
) -> connect_store.Completed:
    """Finish with the code an app received at its own address; always CONNECTED.

    Raises NotFound (unknown, another account's, expired), BadUserInput (begun without `redirectUri`),
    Conflict (used), PlatformError. `also` runs in the transaction that stores the creator.
    """
    moment = now or datetime.now(UTC)
    row = await connect_store.find(database, state)
    if (row["account_id"], row["livemode"]) != (account_id, livemode):
        raise errors.NotFound("connect")
    if not row["own_redirect"]:
        raise errors.BadUserInput(
            "This connect was begun without `redirectUri`: the platform's redirect finishes it.",
            argument="state",
        )
    if connect_store.status(row, moment) == "EXPIRED":
        raise errors.NotFound("connect")
    claimed = await connect_store.claim(database, vault, state, row, moment)
    query = (("code", code), ("state", state))
    completed = await _finish(
        database,
        vault,
        platforms,
        claimed,
        code_of=lambda connector: connector.parse_callback(query),
        now=moment,
        also=also,
    )
    if completed.error is not None:
        raise completed.error
    return completed


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Drop states that ended long ago: connectAttempt answers null for them from then on."""
    await (await raw(session)).execute(connect_store.FORGET, now - KEPT)


async def is_listed(connection: Connection, url: str) -> bool:
    """Whether any account may be returned to there."""
    return url.isascii() and url.isprintable() and await connection.fetchval(connect_store.IS_SOMEBODYS, url)


def _check_listed(argument: str, url: str | None, allowed: Iterable[str]) -> None:
    if url is not None and url not in allowed:
        raise errors.BadUserInput(
            f"`{argument}` must be one of the account's returnUrls, exactly.", argument=argument
        )


def _check_reference(reference: str | None) -> None:
    """Text that can be stored, shown and searched for: no control characters, nothing unpaired."""
    if reference is None:
        return
    unclean = any(unicodedata.category(character) in {"Cc", "Cs"} for character in reference)
    if unclean or not reference.strip() or len(reference) > REFERENCE_LIMIT:
        raise errors.BadUserInput(
            f"`reference` must be 1 to {REFERENCE_LIMIT} characters without control characters.",
            argument="reference",
        )


async def _finish(
    database: Database,
    vault: Vault,
    platforms: registry.Platforms,
    claimed: connect_store.Claimed,
    *,
    code_of: Callable[[base.Connector], str],
    now: datetime,
    also: Also | None,
) -> connect_store.Completed:
    """The platform first, no transaction open; then everything in one."""
    try:
        connector = platforms.connector(claimed.platform, claimed.livemode)
        code = code_of(connector)
        tokens = await connector.complete(code, claimed.redirect_uri, claimed.verifier)
        profile = await _profile(database, connector, claimed.livemode, tokens)
        tokens = replace(tokens, scopes=profile.scopes or tokens.scopes)
    except base.Denied:
        return await _settle(database, claimed.ended("DENIED"))
    except (base.Failure, errors.PlatformError) as failure:
        return await _settle(database, claimed.ended("FAILED", error=_told(claimed, failure)))
    try:
        async with database.write() as session:
            completed = await _store(session, vault, claimed, tokens=tokens, profile=profile, now=now)
            if also is not None:
                await also(session, completed)
    except errors.ServiceError as refusal:
        error = errors.PlatformError(refusal.message, remedy="Begin a new connect.")
        await _settle(database, claimed.ended("FAILED", error=error))
        raise
    return completed


async def _profile(
    database: Database, connector: base.Connector, livemode: bool, tokens: base.Tokens
) -> base.Profile:
    """Who consented. Where that cannot be read nothing is stored, and the consent is taken back."""
    try:
        return await connector.profile(tokens)
    except base.Failure as failure:
        await orphans.revoke(database, connector, livemode, tokens, failure)
        raise


async def _store(
    session: AsyncSession,
    vault: Vault,
    claimed: connect_store.Claimed,
    *,
    tokens: base.Tokens,
    profile: base.Profile,
    now: datetime,
) -> connect_store.Completed:
    """Creator, grant and first sync. The creator's row is locked first: a disconnect waits, or has ended."""
    connection = await raw(session)
    creator_id = await connection.fetchval(
        sync_store.CONNECT,
        claimed.account_id,
        claimed.livemode,
        claimed.platform,
        profile.external_id,
        claimed.reference,
        *sync_values.profile_values(profile),
        profile.app_scoped_id or tokens.app_scoped_id,
    )
    whose = grants.Whose(claimed.account_id, claimed.livemode, creator_id)
    await grants.store(connection, vault, whose, tokens, now)
    digests = tombstones.digests(vault, claimed.platform, profile.external_id)
    await connection.execute(tombstones.UNBURY, claimed.account_id, claimed.livemode, list(digests))
    first = await sync.request(session, *whose.key, "CONNECT")
    completed = claimed.ended("CONNECTED", creator_id=creator_id, sync_id=first.sync_id)
    await connect_store.record(connection, completed)
    return completed


async def _settle(database: Database, completed: connect_store.Completed) -> connect_store.Completed:
    if completed.error is not None:
        log.info("connect.failed", **{"platform": completed.platform, **completed.error.extra})
    async with database.write() as session:
        await connect_store.record(await raw(session), completed)
    return completed


def _told(
    claimed: connect_store.Claimed, failure: base.Failure | errors.PlatformError
) -> errors.PlatformError:
    """A code is spent whatever happened to it, so whoever can mend it begins again; not where only the operator can."""
    if isinstance(failure, errors.PlatformError):
        return failure
    told = registry.explain(claimed.platform, failure)
    told.remedy = REMEDIES.get(str(told.extra.get("reason")), "Connect again.")
    return told
