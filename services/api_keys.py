"""Keys: made, listed, changed, rotated, revoked. A secret is shown once; what is kept is its hash."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services import callers, errors, key_format, key_terms

MODES: Final[tuple[key_format.Mode, ...]] = ("LIVE", "TEST")
CHANNEL: Final = "creator_graph_keys"
LONGEST_OVERLAP = 30 * 24 * 3600


class Keep(enum.Enum):
    """An argument left out: what stands, stays."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@dataclass(frozen=True)
class NewKey:
    """A key just made; the only thing that ever holds its secret."""

    id: UUID
    secret: str = field(repr=False)
    name: str
    mode: key_format.Mode
    hint: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """A key as it stands."""

    id: UUID
    name: str
    mode: key_format.Mode
    hint: str
    status: Literal["ACTIVE", "RETIRING", "EXPIRED", "REVOKED"]
    scopes: tuple[str, ...]
    allowed_ips: tuple[str, ...]
    owner: str
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None
    rotation_due_at: datetime
    retires_at: datetime | None
    replaces: UUID | None
    replaced_by: UUID | None
    requests_per_minute: int | None
    monthly_credits: int | None
    last_used_at: datetime | None
    last_used_ip: str | None
    last_used_country: str | None


# -- statements

# The numbers that a key's own must not pass; the row is not locked: plans change by the operator's hand.
LIMITS = """
select case when :livemode then coalesce(a.requests_per_minute, p.requests_per_minute)
            else coalesce(a.test_requests_per_minute, p.test_requests_per_minute) end as requests_per_minute,
       coalesce(a.monthly_credits, p.monthly_credits) as monthly_credits
  from accounts a
  join plans p on p.name = a.plan
 where a.id = :account_id
"""

# Held until the new key is committed: who removes its maker meanwhile waits, and then ends this key too.
HOLD_MAKER = "select 1 from members where account_id = :account_id and id = :created_by for key share"

# The key and its look-up in one statement, so that neither is ever there without the other.
INSERT = """
with made as (
  insert into api_keys (account_id, livemode, name, hint, scopes, allowed_ips, owner, created_by, expires_at,
                        requests_per_minute, monthly_credits, replaces, trusted_only)
  values (:account_id, :livemode, :name, :hint, :scopes, :allowed_ips, :owner, :created_by, :expires_at,
          :requests_per_minute, :monthly_credits, :replaces,
          :trusted_only or coalesce((select trusted_only from api_keys where account_id = :account_id and id = :replaces), false))
  returning account_id, id
), found_by as (
  insert into key_lookups (secret_hash, account_id, key_id)
  select :secret_hash, account_id, id from made
)
select id from made
"""

# What a key with a monthly limit has used: there before it is first charged, because settlement locks it. A key
# that replaces another goes on where that one stands.
COUNT = """
insert into key_balances (account_id, key_id, period, used)
select :account_id, :id, date_trunc('month', now(), 'UTC'), coalesce(max(b.used), 0)
  from (select 1) one
  left join key_balances b on b.account_id = :account_id and b.key_id = cast(:replaces as uuid)
   and b.period = date_trunc('month', now(), 'UTC')
    on conflict (account_id, key_id) do nothing
"""

STATUS = """
case when revoked_at is not null then 'REVOKED'
     when expires_at <= now() or retires_at <= now() then 'EXPIRED'
     when retiring_since is not null then 'RETIRING'
     else 'ACTIVE' end
"""

COLUMNS = f"""
id, name, case when livemode then 'LIVE' else 'TEST' end as mode, hint, {STATUS} as status, scopes, allowed_ips,
owner, created_by, created_at, expires_at, rotation_due_at, retires_at, replaces, replaced_by, requests_per_minute,
monthly_credits, last_used_at, host(last_used_ip) as last_used_ip, last_used_country
"""

LIST = f"""
select {COLUMNS} from api_keys
 where account_id = :account_id and (cast(:livemode as boolean) is null or livemode = :livemode)
 order by created_at desc, id desc
"""  # noqa: S608 -- our own columns

# Locked, so that of two rotations at once one sees the other's.
LOCK = f"""
select {COLUMNS} from api_keys
 where account_id = :account_id and id = :id and (cast(:livemode as boolean) is null or livemode = :livemode)
   for no key update
"""  # noqa: S608 -- our own columns

UPDATE = """
update api_keys
   set name = :name, scopes = :scopes, allowed_ips = :allowed_ips, expires_at = :expires_at,
       requests_per_minute = :requests_per_minute, monthly_credits = :monthly_credits
 where account_id = :account_id and id = :id
"""

REVOKE = "update api_keys set revoked_at = now() where account_id = :account_id and id = :id and revoked_at is null"

REPLACE = (
    "update api_keys set replaced_by = :new, revoked_at = now() where account_id = :account_id and id = :id"
)

# An overlap never outlives the key's own end; `least` passes over nulls.
RETIRE = """
update api_keys
   set replaced_by = :new, retiring_since = now(),
       retires_at = case when cast(:seconds as bigint) is not null
                         then least(now() + make_interval(secs => cast(:seconds as bigint)), expires_at) end
 where account_id = :account_id and id = :id
"""

# A hint for caches of every process; sent when the transaction commits, lost without harm.
NOTIFY = f"select pg_notify('{CHANNEL}', :account_id)"


# -- what the outside may do


async def create(
    session: AsyncSession,
    account_id: UUID,
    *,
    name: str,
    mode: key_format.Mode = "LIVE",
    owner: str = "MEMBER",
    scopes: Sequence[str] | None = None,
    allowed_ips: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    monthly_credits: int | None = None,
    trusted_only: bool = False,
    created_by: UUID | None = None,
    granted_by: callers.Caller | None = None,
    prefix: str = "sk",
) -> NewKey:
    """Make a key, and show its secret this once. One made by a key has the same maker and no more rights.
    `trusted_only`: trusted documents alone, for what replaces it too. Raises BadUserInput, Forbidden (SCOPE, MODE).
    """
    if granted_by is not None:
        key_terms.check_mode(granted_by, mode)
        created_by = granted_by.created_by
        trusted_only = trusted_only or granted_by.trusted_only
    asked = key_terms.Terms(
        name=key_terms.name(name),
        scopes=key_terms.scopes(key_terms.LEAST_SCOPES if scopes is None else scopes),
        allowed_ips=key_terms.allowed_ips(allowed_ips or ()),
        expires_at=key_terms.expires_at(expires_at),
        requests_per_minute=requests_per_minute,
        monthly_credits=monthly_credits,
    )
    await _check_limits(session, account_id, asked, mode)
    terms = key_terms.inherit(granted_by, asked)
    key_terms.check_rights(granted_by, terms)
    return await _insert(
        session,
        account_id,
        terms,
        mode=mode,
        owner=key_terms.owner(owner),
        created_by=created_by,
        prefix=prefix,
        trusted_only=trusted_only,
    )


async def listed(session: AsyncSession, account_id: UUID, mode: key_format.Mode | None = None) -> list[Key]:
    """An account's keys, the newest first; of both modes unless said."""
    livemode = None if mode is None else mode == "LIVE"
    rows = await session.execute(text(LIST), {"account_id": account_id, "livemode": livemode})
    return [_key(row) for row in rows]


async def update(
    session: AsyncSession,
    account_id: UUID,
    key_id: UUID,
    *,
    name: str | Keep = KEEP,
    scopes: Sequence[str] | Keep = KEEP,
    allowed_ips: Sequence[str] | Keep = KEEP,
    expires_at: datetime | Keep | None = KEEP,
    requests_per_minute: int | Keep | None = KEEP,
    monthly_credits: int | Keep | None = KEEP,
    granted_by: callers.Caller | None = None,
) -> None:
    """Change a key that works; None takes a limit or an end away.

    Raises NotFound, Conflict (it no longer works), BadUserInput, Forbidden (SCOPE).
    """
    key = await _lock(session, account_id, key_id, granted_by)
    _check_works(key)
    terms = key_terms.Terms(
        name=key.name if name is KEEP else key_terms.name(name),
        scopes=key.scopes if scopes is KEEP else key_terms.scopes(scopes),
        allowed_ips=key.allowed_ips if allowed_ips is KEEP else key_terms.allowed_ips(allowed_ips),
        expires_at=key.expires_at if expires_at is KEEP else key_terms.expires_at(expires_at),
        requests_per_minute=key.requests_per_minute if requests_per_minute is KEEP else requests_per_minute,
        monthly_credits=key.monthly_credits if monthly_credits is KEEP else monthly_credits,
    )
    if (requests_per_minute, monthly_credits) != (KEEP, KEEP):
        await _check_limits(session, account_id, terms, key.mode)
    key_terms.check_rights(granted_by, terms)
    await session.execute(text(UPDATE), {"account_id": account_id, "id": key_id, **_columns(terms)})
    if terms.monthly_credits is not None:
        await session.execute(text(COUNT), {"account_id": account_id, "id": key_id, "replaces": None})
    await notify(session, account_id)


async def rotate(
    session: AsyncSession,
    account_id: UUID,
    key_id: UUID,
    *,
    overlap_seconds: int = 0,
    until_revoked: bool = False,
    granted_by: callers.Caller | None = None,
    prefix: str = "sk",
) -> NewKey:
    """A new secret on a new key with the old one's terms. The old one stops at once, or retires.

    Raises NotFound, BadUserInput, Conflict (it was rotated, revoked or has expired), Forbidden (SCOPE).
    """
    if overlap_seconds and until_revoked:
        raise errors.BadUserInput(
            "Give `overlapSeconds` or `untilRevoked`, not both.", argument="untilRevoked"
        )
    if not 0 <= overlap_seconds <= LONGEST_OVERLAP:
        raise errors.BadUserInput(
            f"`overlapSeconds` must be 0 to {LONGEST_OVERLAP} (30 days).", argument="overlapSeconds"
        )
    old = await _lock(session, account_id, key_id, granted_by)
    if old.replaced_by is not None:
        raise errors.Conflict("This API key was rotated already.", remedy="Rotate the key that replaced it.")
    _check_works(old)
    terms = key_terms.Terms(
        old.name, old.scopes, old.allowed_ips, old.expires_at, old.requests_per_minute, old.monthly_credits
    )
    key_terms.check_rights(granted_by, terms)
    new = await _insert(
        session,
        account_id,
        terms,
        mode=old.mode,
        owner=old.owner,
        created_by=old.created_by,
        prefix=prefix,
        replaces=old.id,
    )
    where: dict[str, Any] = {"account_id": account_id, "id": old.id, "new": new.id}
    if overlap_seconds or until_revoked:
        await session.execute(text(RETIRE), {**where, "seconds": None if until_revoked else overlap_seconds})
    else:
        await session.execute(text(REPLACE), where)
    return new


async def revoke(
    session: AsyncSession, account_id: UUID, key_id: UUID, *, granted_by: callers.Caller | None = None
) -> None:
    """End a key, now and for good; one that ended already stays as it is. Raises NotFound."""
    await _lock(session, account_id, key_id, granted_by)
    await session.execute(text(REVOKE), {"account_id": account_id, "id": key_id})
    await notify(session, account_id)


async def notify(session: AsyncSession, account_id: UUID) -> None:
    """Tell every process to forget what it keeps of this account, once this transaction commits."""
    await session.execute(text(NOTIFY), {"account_id": str(account_id)})


# -- inside


async def _check_limits(
    session: AsyncSession, account_id: UUID, terms: key_terms.Terms, mode: key_format.Mode
) -> None:
    rows = await session.execute(text(LIMITS), {"account_id": account_id, "livemode": mode == "LIVE"})
    row = rows.one_or_none()
    if row is None:
        raise errors.NotFound("account")
    key_terms.check_limits(terms, row.requests_per_minute, row.monthly_credits)


def _check_works(key: Key) -> None:
    if key.status in {"REVOKED", "EXPIRED"}:
        raise errors.Conflict(
            f"This API key is {key.status.lower()}.", remedy="Make a new key, or use another one."
        )


async def _insert(
    session: AsyncSession,
    account_id: UUID,
    terms: key_terms.Terms,
    *,
    mode: key_format.Mode,
    owner: str,
    created_by: UUID | None,
    prefix: str,
    replaces: UUID | None = None,
    trusted_only: bool = False,
) -> NewKey:
    if created_by is not None and owner == "MEMBER":
        await _hold_maker(session, account_id, created_by)
    secret = key_format.mint(mode, prefix)
    values = {
        **_columns(terms),
        "account_id": account_id,
        "livemode": mode == "LIVE",
        "hint": key_format.hint(secret),
        "owner": owner,
        "created_by": created_by,
        "replaces": replaces,
        "trusted_only": trusted_only,
        "secret_hash": key_format.digest(secret),
    }
    key_id = await session.scalar(text(INSERT), values)
    if terms.monthly_credits is not None:
        await session.execute(text(COUNT), {"account_id": account_id, "id": key_id, "replaces": replaces})
    await notify(session, account_id)
    return NewKey(key_id, secret, terms.name, mode, key_format.hint(secret), terms.scopes)


async def _hold_maker(session: AsyncSession, account_id: UUID, created_by: UUID) -> None:
    there = await session.scalar(text(HOLD_MAKER), {"account_id": account_id, "created_by": created_by})
    if there is None:
        raise errors.Conflict(
            "The member whose key this would be has left.", remedy="Make it a key of the account: SERVICE."
        )


async def _lock(
    session: AsyncSession, account_id: UUID, key_id: UUID, granted_by: callers.Caller | None
) -> Key:
    """The key's row, held. Another account's or mode's is as unknown as one that never was."""
    livemode = None
    if granted_by is not None:
        livemode = granted_by.livemode
        if granted_by.account_id != account_id:
            raise errors.NotFound("API key")
    rows = await session.execute(text(LOCK), {"account_id": account_id, "id": key_id, "livemode": livemode})
    row = rows.one_or_none()
    if row is None:
        raise errors.NotFound("API key")
    return _key(row)


def _key(row: Any) -> Key:
    values = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
    return Key(**{**values, "scopes": tuple(values["scopes"]), "allowed_ips": tuple(values["allowed_ips"])})


def _columns(terms: key_terms.Terms) -> dict[str, Any]:
    return {**vars(terms), "scopes": list(terms.scopes), "allowed_ips": list(terms.allowed_ips)}
