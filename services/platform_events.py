"""What platforms push to us: a creator removed our app, or wants their data deleted.

A message names a person, and every account that connected them is meant. It is believed once: the same message
again changes nothing, and one that is older than the creator's last consent says nothing about that.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from db.session import Connection, Database, raw
from services import erase, errors, events, grants, jobs
from services.platforms import instagram_signed, registry, tiktok_signed
from services.vault import Vault

KEPT = timedelta(days=90)
REQUEUE_AFTER = timedelta(minutes=2)
CODE_BYTES = 16
SECOND = timedelta(seconds=1)

# A second is as exactly as the platforms tell. Consents are remembered for a day: a message that comes later
# than that for the first time is believed.
_CONSENT_SINCE = """
exists (select from oauth_states s where s.account_id = c.account_id and s.livemode = c.livemode
        and s.creator_id = c.id and s.status = 'CONNECTED' and s.claimed_at >= $4)
"""

# The two statements without an account: the platform names a person. Locked in one order, as everywhere
# the creator's row first.
BY_EXTERNAL_ID = f"""
select c.account_id, c.id from creators c
where c.platform = $1 and c.livemode = $2 and c.external_id = $3 and not {_CONSENT_SINCE}
order by c.account_id, c.id for no key update of c
"""  # noqa: S608 -- our constant

BY_APP_SCOPED_ID = f"""
select c.account_id, c.id from creators c
where c.platform = $1 and c.livemode = $2 and c.app_scoped_id = $3 and not {_CONSENT_SINCE}
order by c.account_id, c.id for no key update of c
"""  # noqa: S608 -- our constant

SEEN = "select digest from platform_events where digest = any($1::bytea[])"

# Of two copies at once one waits here for the other, and then gets nothing back.
RECORD = """
insert into platform_events (digest, platform, livemode, kind, reason, about, creators, pending, done_at)
values ($1, $2, $3, $4, $5, $6, $7, cast($8::text as jsonb), case when $8::text = '{}' then now() end)
on conflict (digest) do nothing returning digest
"""

# Definitive, so nothing that undoes a wave of refusals may find it: `refused_at` stays empty, also where a refusal
# was faster.
REFUSED = """
update grants set status = 'NEEDS_REAUTH', reason = 'REMOVED', lease_until = null, unsure_since = null,
  refused_at = null, renew_at = null
where account_id = $1 and livemode = $2 and creator_id = $3 and (status = 'ACTIVE' or refused_at is not null)
"""
NOT_DUE = "update creators set next_sync_at = null where account_id = $1 and livemode = $2 and id = $3"

# The fence is raised: whoever reads a page just now writes nothing any more.
CANCEL = """
update syncs set status = 'CANCELED', fence = fence + 1, cursor = null, failures = 0, finished_at = now(),
  touched_at = now(), error_code = 'RECONNECT_REQUIRED', error_retry_at = null,
  error_message = 'The creator ended the grant at the platform.'
where account_id = $1 and livemode = $2 and creator_id = $3 and status in ('QUEUED', 'RUNNING')
returning id
"""

STATUS = "select creators, at, done_at from platform_events where digest = $1 and kind = 'DELETION'"

# Whether the person consented anew: here, or in any account at all. At the platform there is one consent.
ANEW = f"""
select coalesce(bool_or(c.account_id = a.account_id), false) as here, count(*) > 0 as somewhere
from creators a join creators c on (c.platform, c.livemode, c.external_id) = (a.platform, a.livemode, a.external_id)
where a.account_id = $1 and a.livemode = $2 and a.id = $3 and {_CONSENT_SINCE}
"""  # noqa: S608 -- our constant

DONE = """
update platform_events set pending = pending - $2::text,
  done_at = case when pending - $2::text = '{}'::jsonb then now() end
where digest = $1
"""

OPEN = f"""
select e.digest, e.livemode, e.about, p.key as creator_id, p.value as account_id
from platform_events e, jsonb_each_text(e.pending) p
where e.done_at is null and e.at < now() - $1::interval
  and not exists (select from {jobs.TABLE} q where q.dedupe_key = p.key || ':erase' and q.status in ('queued', 'picked'))
order by e.at limit 100
"""  # noqa: S608 -- our constant

FORGET = "delete from platform_events where at < now() - $1::interval and done_at is not null"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Registration:
    """One of our apps at a platform that pushes: its secret is what makes a message believable."""

    platform: str
    livemode: bool
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class Deletion:
    """How a request to delete stands: how many creators it was about, and since when nothing is left."""

    creators: int
    at: datetime
    done_at: datetime | None


def forged() -> errors.Forbidden:
    """The refusal of a message that is not the platform's. It says nothing that helps to guess."""
    return errors.Forbidden(
        "This is not signed by the platform.",
        reason="SIGNATURE",
        remedy="Check the app's secret in the settings.",
    )


async def tiktok(
    database: Database, vault: Vault, apps: tuple[Registration, ...], header: str, body: bytes, now: datetime
) -> None:
    """A webhook of TikTok's. Events we do not know are fine; raises Forbidden for what is not TikTok's."""
    for app in apps:
        try:
            event = tiktok_signed.read(
                header, body, client_key=app.client_id, secret=app.client_secret, now=now
            )
        except tiktok_signed.Forged:
            continue
        if event.kind != tiktok_signed.REMOVED or not event.open_id:
            log.info("webhook.ignored", platform=app.platform, livemode=app.livemode, kind=event.kind[:64])
            return
        # What we revoked ourselves comes back at once; in that second a new consent may have been given.
        own = event.reason == tiktok_signed.DEVELOPER_REVOKED
        message = _Message(
            app,
            BY_EXTERNAL_ID,
            event.open_id,
            event.at if own else event.at + SECOND,
            tiktok_signed.REASONS.get(event.reason, "UNKNOWN"),
            vault.digests(body.decode("utf-8", "replace"), "webhook"),
        )
        await _removed(database, message)
        return
    raise forged()


async def deauthorized(
    database: Database, vault: Vault, apps: tuple[Registration, ...], signed_request: str, now: datetime
) -> None:
    """Instagram tells that a person removed our app. Raises Forbidden for what is not Instagram's."""
    app, signed = _signed(apps, signed_request, now)
    message = _Message(
        app,
        BY_APP_SCOPED_ID,
        signed.app_scoped_id,
        (signed.issued_at or now) + SECOND,
        "USER_DISCONNECTED",
        vault.digests(_name(app, signed, signed_request), "webhook"),
    )
    await _removed(database, message)


async def deletion(
    database: Database, vault: Vault, apps: tuple[Registration, ...], signed_request: str, now: datetime
) -> str:
    """Instagram passes on that a person wants their data deleted: begun at once. Answers the code to follow it by.

    The same request again has the same code. Raises Forbidden for what is not Instagram's.
    """
    app, signed = _signed(apps, signed_request, now)
    codes = [digest[:CODE_BYTES] for digest in vault.digests(_name(app, signed, signed_request), "deletion")]
    about = (signed.issued_at or now) + SECOND
    async with database.write() as session:
        connection = await raw(session)
        known: bytes | None = await connection.fetchval(SEEN, codes)
        if known is not None:
            return known.hex()
        found = await connection.fetch(
            BY_APP_SCOPED_ID, app.platform, app.livemode, signed.app_scoped_id, about
        )
        pending = {str(row["id"]): str(row["account_id"]) for row in found}
        values = (app.platform, app.livemode, "DELETION", None, about, len(found), json.dumps(pending))
        if await connection.fetchval(RECORD, codes[0], *values) is not None:
            for creator, account in pending.items():
                await _enqueue(session, codes[0], app.livemode, about, creator, account)
            log.info("deletion.begun", platform=app.platform, livemode=app.livemode, creators=len(found))
    return codes[0].hex()


async def deletion_status(database: Database, code: str) -> Deletion | None:
    """How the request with this code stands; None for a code that was never given."""
    if len(code) != 2 * CODE_BYTES or not set(code) <= set("0123456789abcdef"):
        return None
    async with database.read() as connection:
        row = await connection.fetchrow(STATUS, bytes.fromhex(code))
    return None if row is None else Deletion(row["creators"], row["at"], row["done_at"])


async def erase_job(
    database: Database, vault: Vault, platforms: registry.Platforms, payload: Mapping[str, Any]
) -> None:
    """Erase one creator of a deletion request, unless they consented anew meanwhile. Runs twice without harm.

    Whoever asks for deletion may not have removed our app: it is revoked as by a disconnect, unless that took a new
    consent with it.
    """
    whose = grants.Whose(UUID(payload["account_id"]), payload["livemode"], UUID(payload["creator_id"]))
    done = (bytes.fromhex(payload["request"]), str(whose.creator_id))
    async with database.read() as connection:
        (anew,) = await connection.fetch(ANEW, *whose.key, datetime.fromisoformat(payload["about"]))
    if not anew["here"]:

        async def also(session: AsyncSession, _erased: erase.Erased) -> None:
            await (await raw(session)).execute(DONE, *done)

        try:
            if anew["somewhere"]:
                await erase.forget(database, vault, whose, also=also)
            else:
                await erase.disconnect(
                    database,
                    vault,
                    platforms,
                    account_id=whose.account_id,
                    livemode=whose.livemode,
                    creator_id=whose.creator_id,
                    also=also,
                )
        except errors.NotFound:
            pass  # somebody was faster
        else:
            return
    async with database.write() as session:
        await (await raw(session)).execute(DONE, *done)


async def sweep(session: AsyncSession) -> None:
    """A new job for every creator of a deletion request that no job speaks of."""
    connection = await raw(session)
    for row in await connection.fetch(OPEN, REQUEUE_AFTER):
        await _enqueue(
            session, row["digest"], row["livemode"], row["about"], row["creator_id"], row["account_id"]
        )


async def forget_old(session: AsyncSession) -> None:
    """Drop what ended long ago: from then on its code is unknown."""
    await (await raw(session)).execute(FORGET, KEPT)


@dataclass(frozen=True)
class _Message:
    """That a person ended the grant: who, how they are found, before when consents are meant, and why."""

    app: Registration
    find: str
    person: str = field(repr=False)
    before: datetime
    reason: str
    digests: tuple[bytes, ...]


async def _removed(database: Database, message: _Message) -> None:
    """Grants NEEDS_REAUTH and open syncs canceled, in every account, in one transaction; once a message."""
    app = message.app
    async with database.write() as session:
        connection = await raw(session)
        if await connection.fetchval(SEEN, list(message.digests)) is not None:
            return
        found = await connection.fetch(
            message.find, app.platform, app.livemode, message.person, message.before
        )
        recorded = await connection.fetchval(
            RECORD, message.digests[0], app.platform, app.livemode, "REMOVED", message.reason, message.before,
            len(found), "{}",
        )  # fmt: skip
        if recorded is None:
            return
        for row in found:
            await _end(connection, grants.Whose(row["account_id"], app.livemode, row["id"]))
    log.info(
        "grant.removed",
        platform=app.platform,
        livemode=app.livemode,
        reason=message.reason,
        creators=[str(row["id"]) for row in found],
    )


async def _end(connection: Connection, whose: grants.Whose) -> None:
    await connection.execute(REFUSED, *whose.key)
    await connection.execute(NOT_DUE, *whose.key)
    for row in await connection.fetch(CANCEL, *whose.key):
        await events.notify(connection, events.SYNC, str(row["id"]))
    world = "live" if whose.livemode else "test"
    await events.notify(connection, events.CREATOR, f"{whose.account_id}:{world}:{whose.creator_id}")


def _signed(
    apps: tuple[Registration, ...], signed_request: str, now: datetime
) -> tuple[Registration, instagram_signed.Signed]:
    for app in apps:
        try:
            return app, instagram_signed.read(signed_request, app.client_secret, now)
        except instagram_signed.Forged:
            continue
    raise forged()


def _name(app: Registration, signed: instagram_signed.Signed, signed_request: str) -> str:
    """The same for a request that is sent again, signed anew or not."""
    if signed.issued_at is None:
        return signed_request
    return f"{app.client_id}:{signed.app_scoped_id}:{signed.issued_at.astimezone(UTC).isoformat()}"


async def _enqueue(
    session: AsyncSession, request: bytes, livemode: bool, about: datetime, creator: str, account: str
) -> None:
    payload = {
        "request": request.hex(),
        "livemode": livemode,
        "about": about.isoformat(),
        "creator_id": creator,
        "account_id": account,
    }
    await jobs.enqueue(session, jobs.ERASE, payload, f"{creator}:erase", priority=jobs.SOON)
