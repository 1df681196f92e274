"""Accounts and their members: made, found, changed. By the operator's hand; nothing here is asked by a caller."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack
from urllib import parse
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services import api_keys, credits, errors, key_terms

ROLES: Final = ("OWNER", "ADMIN", "MEMBER")
MOST_RETURN_URLS = 20
LONGEST_URL = 2_000
LARGEST_NUMBER = 2**31 - 1
_ID = re.compile(r"(?:acc_|mem_)?([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})\Z", re.ASCII)
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,189}\Z")

PLANS = "select name from plans order by rank"

# Nothing is raised inside the database when the name is taken, so that the transaction goes on.
INSERT = """
insert into accounts (name, plan, monthly_credits) values (:name, :plan, :credits)
on conflict (name) do nothing
returning id
"""

INSERT_MEMBER = """
insert into members (account_id, email, role) values (:account_id, :email, :role)
on conflict (account_id, email) do nothing
returning id
"""

FIND = """
select a.id, a.name, a.plan, a.return_urls, a.canceled_at, a.created_at,
       coalesce(a.monthly_credits, p.monthly_credits) as monthly_credits,
       coalesce(a.requests_per_minute, p.requests_per_minute) as requests_per_minute,
       coalesce(a.test_requests_per_minute, p.test_requests_per_minute) as test_requests_per_minute,
       coalesce(a.max_websockets, p.max_websockets) as max_websockets
  from accounts a
  join plans p on p.name = a.plan
 where a.id = cast(:id as uuid) or (cast(:id as uuid) is null and a.name = :name)
"""

# Column by column: a change names only what it changes.
UPDATES = {
    "plan": "update accounts set plan = :value where id = :id",
    "credits": "update accounts set monthly_credits = :value where id = :id",
    "requests_per_minute": "update accounts set requests_per_minute = :value where id = :id",
    "test_requests_per_minute": "update accounts set test_requests_per_minute = :value where id = :id",
    "max_websockets": "update accounts set max_websockets = :value where id = :id",
    "return_urls": "update accounts set return_urls = :value where id = :id",
    "canceled": "update accounts set canceled_at = case when :value then coalesce(canceled_at, now()) end where id = :id",
}

FIND_MEMBER = """
select id, email, role, joined_at from members where account_id = :account_id and (email = :email or id = cast(:id as uuid))
"""

MEMBERS = (
    "select id, email, role, joined_at from members where account_id = :account_id order by joined_at, id"
)

# Keys before their maker, in the order in which a rotation holds them; all owners, so that one stays.
HOLD_KEYS = """
select id from api_keys where account_id = :account_id and created_by = :member_id order by id for no key update
"""
HOLD_MEMBERS = """
select id, role from members
 where account_id = :account_id and (id = :member_id or role = 'OWNER')
 order by id for update
"""

SET_ROLE = "update members set role = :role where account_id = :account_id and id = :member_id"

DELETE_MEMBER = "delete from members where account_id = :account_id and id = :member_id"

# Personal keys end with their maker; the account's own stand, but somebody who left knows their secrets.
LEAVE = """
update api_keys
   set revoked_at = case when owner = 'MEMBER' then now() end,
       rotation_due_at = case when owner = 'SERVICE' then least(rotation_due_at, now()) else rotation_due_at end
 where account_id = :account_id and created_by = :member_id and revoked_at is null
"""


class Changes(TypedDict, total=False):
    """What may be changed about an account. None: the plan's number; 0 requests: unlimited."""

    plan: str
    credits: int | None
    requests_per_minute: int | None
    test_requests_per_minute: int | None
    max_websockets: int | None
    return_urls: Sequence[str]
    canceled: bool


@dataclass(frozen=True)
class Account:
    """An account as it stands; its own numbers before its plan's."""

    id: UUID
    name: str
    plan: str
    return_urls: tuple[str, ...]
    canceled_at: datetime | None
    created_at: datetime
    monthly_credits: int
    requests_per_minute: int
    test_requests_per_minute: int
    max_websockets: int


@dataclass(frozen=True)
class Member:
    """A person of an account."""

    id: UUID
    email: str
    role: str
    joined_at: datetime


@dataclass(frozen=True)
class NewAccount:
    """An account just made, with its first two keys."""

    id: UUID
    name: str
    owner_id: UUID
    live: api_keys.NewKey
    test: api_keys.NewKey


async def create(
    session: AsyncSession,
    name: str,
    plan: str = "sandbox",
    *,
    credits_a_month: int | None = None,
    owner_email: str | None = None,
    scopes: Sequence[str] = key_terms.SCOPES,
    prefix: str = "sk",
) -> NewAccount:
    """An account with an owner, a balance, a live key and a test key. Raises BadUserInput, Conflict."""
    await _check_plan(session, plan)
    _check_number("credits", credits_a_month, credits.LARGEST)
    name = key_terms.name(name)
    values = {"name": name, "plan": plan, "credits": credits_a_month}
    account_id: UUID | None = await session.scalar(text(INSERT), values)
    if account_id is None:
        raise errors.Conflict("An account of this name exists.", remedy="Choose another name.")
    await credits.opened(session, account_id)
    owner_id = await add_member(session, account_id, owner_email or _nobody(account_id), "OWNER")
    live, test = [
        await api_keys.create(
            session,
            account_id,
            name=f"First {mode.lower()} key",
            mode=mode,
            owner="SERVICE",
            scopes=scopes,
            created_by=owner_id,
            prefix=prefix,
        )
        for mode in api_keys.MODES
    ]
    return NewAccount(account_id, name, owner_id, live, test)


async def find(session: AsyncSession, which: str) -> Account:
    """By id (`acc_<32 hex>` or a uuid) or by name. Raises NotFound."""
    match = _ID.match(which)
    values = {"id": UUID(match[1]) if match else None, "name": which}
    rows = await session.execute(text(FIND), values)
    row = rows.one_or_none()
    if row is None:
        raise errors.NotFound("account")
    facts = dict(row._mapping)  # noqa: SLF001 -- SQLAlchemy's public name for it
    return Account(**{**facts, "return_urls": tuple(facts["return_urls"])})


async def update(session: AsyncSession, account_id: UUID, **changes: Unpack[Changes]) -> Account:
    """Change what is named. A new monthly number counts at once.

    Raises BadUserInput, NotFound.
    """
    checked = {name: await _check(session, name, value) for name, value in changes.items()}
    held = await credits.hold(session, account_id)
    before = await find(session, str(account_id))
    for name, value in checked.items():
        await session.execute(text(UPDATES[name]), {"id": account_id, "value": value})
    after = await find(session, str(account_id))
    await credits.renumber(session, account_id, before.monthly_credits, after.monthly_credits, held)
    await api_keys.notify(session, account_id)
    return after


async def add_member(session: AsyncSession, account_id: UUID, email: str, role: str = "MEMBER") -> UUID:
    """A person who may have keys. Raises BadUserInput, Conflict."""
    _check_role(role)
    if not _EMAIL.match(email) or not email.isprintable():
        raise errors.BadUserInput("`email` must be an address, such as ada@example.com.", argument="email")
    values = {"account_id": account_id, "email": email.lower(), "role": role}
    member_id: UUID | None = await session.scalar(text(INSERT_MEMBER), values)
    if member_id is None:
        raise errors.Conflict("This account has a member of this email.")
    return member_id


async def members(session: AsyncSession, account_id: UUID) -> list[Member]:
    """Who belongs to an account, the first to join first."""
    rows = await session.execute(text(MEMBERS), {"account_id": account_id})
    return [Member(*row) for row in rows]


async def remove_member(session: AsyncSession, account_id: UUID, which: str) -> None:
    """By id (a uuid) or email: ends their personal keys; the account's keys they made are due for rotation.

    Raises NotFound, Conflict (the last owner).
    """
    where = {"account_id": account_id, "member_id": (await find_member(session, account_id, which)).id}
    await session.execute(text(HOLD_KEYS), where)
    await _hold_members(session, where)
    await session.execute(text(LEAVE), where)
    await session.execute(text(DELETE_MEMBER), where)
    await api_keys.notify(session, account_id)


async def set_role(session: AsyncSession, account_id: UUID, which: str, role: str) -> Member:
    """What a member may do from now on. Raises BadUserInput, NotFound, Conflict (the last owner)."""
    _check_role(role)
    member = await find_member(session, account_id, which)
    where = {"account_id": account_id, "member_id": member.id}
    if role != "OWNER":
        await _hold_members(session, where)
    await session.execute(text(SET_ROLE), {**where, "role": role})
    return await find_member(session, account_id, str(member.id))


async def find_member(session: AsyncSession, account_id: UUID, which: str) -> Member:
    """By id (`mem_<32 hex>` or a uuid) or email. Raises NotFound."""
    match = _ID.match(which)
    values = {"account_id": account_id, "email": which.lower(), "id": UUID(match[1]) if match else None}
    row = (await session.execute(text(FIND_MEMBER), values)).one_or_none()
    if row is None:
        raise errors.NotFound("member")
    return Member(*row)


# -- inside


async def _check(session: AsyncSession, name: str, value: Any) -> Any:
    if name == "plan":
        await _check_plan(session, value)
    elif name == "return_urls":
        return _return_urls(value)
    elif name in UPDATES and name != "canceled":
        _check_number(name, value, credits.LARGEST if name == "credits" else LARGEST_NUMBER)
    elif name != "canceled":
        raise TypeError(f"An account has no {name!r} to change.")
    return value


async def _hold_members(session: AsyncSession, where: dict[str, UUID]) -> None:
    """Until the transaction ends, nobody else changes who owns the account. Raises Conflict for its last owner."""
    held = {row.id: row.role for row in await session.execute(text(HOLD_MEMBERS), where)}
    if held.pop(where["member_id"], None) == "OWNER" and "OWNER" not in held.values():
        raise errors.Conflict(
            "An account keeps one owner.", remedy="Make somebody else an OWNER first (members set)."
        )


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise errors.BadUserInput(f"`role` must be one of {', '.join(ROLES)}.", argument="role")


async def _check_plan(session: AsyncSession, plan: str) -> None:
    names = list(await session.scalars(text(PLANS)))
    if plan not in names:
        raise errors.BadUserInput(f"`plan` must be one of {', '.join(names)}.", argument="plan")


def _check_number(argument: str, number: int | None, most: int) -> None:
    if number is not None and not 0 <= number <= most:
        raise errors.BadUserInput(f"`{argument}` must be 0 to {most}.", argument=argument)


def _return_urls(urls: Sequence[str]) -> list[str]:
    """Absolute http(s) addresses, compared exactly later; raises BadUserInput with the reason."""
    if len(urls) > MOST_RETURN_URLS:
        raise errors.BadUserInput(
            f"`returnUrls` takes at most {MOST_RETURN_URLS} addresses, not {len(urls)}.",
            argument="returnUrls",
        )
    for url in urls:
        _check_url(url)
    return list(dict.fromkeys(urls))


def _check_url(url: str) -> None:
    """What a browser would read otherwise than we do (a user, a fragment, a backslash, a space) is refused."""
    try:
        parts = parse.urlsplit(url)
        plain = (
            url.isascii() and url.isprintable() and not set(url) & set(" \\<>\"'") and len(url) <= LONGEST_URL
        )
        good = plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        good = good and "@" not in parts.netloc and "#" not in url
    except ValueError:
        good = False
    if not good:
        raise errors.BadUserInput(
            f"`returnUrls`: {url[:100]!a} is not an absolute http or https address without user and fragment.",
            argument="returnUrls",
        )


def _nobody(account_id: UUID) -> str:
    """An owner needs an address; `.invalid` can never be anyone's."""
    return f"owner@{account_id.hex}.invalid"
