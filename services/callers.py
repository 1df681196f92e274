"""From a secret to who is asking: found in one round trip, kept for seconds.

What is kept here decides only who may begin. Whether a key still stands when its answer leaves is
judged by settlement, on the database's own word.
"""

import collections
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from db.session import Connection, Database
from services import addresses, errors, key_format

KEPT = timedelta(seconds=10)
# More than clocks differ, and than a caller is kept.
NEAR = timedelta(hours=1)
MOST_KEPT = 10_000
ACCOUNT_SHARE = 5

# Everything a request is judged by, in one row.
FACTS = """
select k.account_id, a.name as account_name, k.id as key_id, k.name as key_name, k.hint as key_hint,
       k.livemode, k.scopes, k.allowed_ips, k.owner, k.created_by, k.expires_at, k.revoked_at, k.retiring_since,
       k.retires_at, k.requests_per_minute as own_requests_per_minute, k.monthly_credits, k.trusted_only,
       p.api_access and a.canceled_at is null as api_access,
       coalesce(a.max_websockets, p.max_websockets) as max_websockets,
       case when k.livemode then coalesce(a.requests_per_minute, p.requests_per_minute)
            else coalesce(a.test_requests_per_minute, p.test_requests_per_minute)
       end as account_number,
       b.terms
  from api_keys k
  join accounts a on a.id = k.account_id
  join plans p on p.name = a.plan
  left join credit_balances b on b.account_id = k.account_id
"""

# By hash: a secret comes before its account is known.
FIND = (
    FACTS + "join key_lookups l on l.account_id = k.account_id and l.key_id = k.id where l.secret_hash = $1"
)

# By id: what an access token names.
FIND_KEY = FACTS + "where k.account_id = $1 and k.id = $2"


Sought = bytes | tuple[UUID, UUID]
"""The hash of a secret; or an account and its key."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking, and what they may. Requests a minute: 0 is unlimited."""

    account_id: UUID
    account_name: str
    key_id: UUID
    key_name: str
    key_hint: str
    livemode: bool
    scopes: frozenset[str]
    allowed_ips: tuple[addresses.Network, ...]
    owner: str
    created_by: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None
    retiring: bool
    retires_at: datetime | None
    own_requests_per_minute: int | None
    requests_per_minute: int
    account_requests_per_minute: int
    monthly_credits: int | None
    api_access: bool
    max_websockets: int
    trusted_only: bool = False
    allowed_creators: frozenset[UUID] | None = None
    token_expires_at: datetime | None = None
    """Set where an access token asks in the key's name."""
    terms: int | None = None
    """The count of its account's changes as this was read: while that stands, nothing stands against a charge.

    None where something may, or may by itself before long: settlement then looks at key, account and plan again.
    """

    @property
    def mode(self) -> str:
        return "LIVE" if self.livemode else "TEST"

    @property
    def ends_at(self) -> datetime | None:
        """When the key stops by itself: its own end, or that of its overlap."""
        ends = [end for end in (self.expires_at, self.retires_at) if end]
        return min(ends) if ends else None

    def check(self, ip: addresses.Address, now: datetime) -> None:
        """Raises Unauthenticated (revoked, expired), then Forbidden (plan, then address)."""
        self.check_standing(now)
        if self.allowed_ips and not addresses.within(ip, self.allowed_ips):
            raise errors.Forbidden(
                "This API key may not be used from this address.",
                remedy="Add the address to the key's allowedIps, or call from an allowed one.",
                reason="IP",
            )

    def check_standing(self, now: datetime) -> None:
        """Raises Unauthenticated (revoked, expired), then Forbidden (plan)."""
        if self.revoked_at is not None:
            raise errors.Unauthenticated("REVOKED")
        if self.ends_at is not None and self.ends_at <= now:
            raise errors.Unauthenticated("EXPIRED")
        if self.livemode and not self.api_access:
            raise no_api_access()


def no_api_access() -> errors.Forbidden:
    return errors.Forbidden(
        "API access is not enabled for this account.",
        remedy="Choose a plan with API access, or use a test key.",
        reason="PLAN",
    )


async def find(connection: Connection, sought: Sought) -> Caller | None:
    """The caller behind a hashed secret or a key's id, whether it still stands or not. None: no such key."""
    row = await (
        connection.fetchrow(FIND, sought)
        if isinstance(sought, bytes)
        else connection.fetchrow(FIND_KEY, *sought)
    )
    return None if row is None else _caller(row)


def _caller(row: Any) -> Caller:
    facts = dict(row)
    number = facts.pop("account_number")
    own = facts["own_requests_per_minute"]
    caller = Caller(
        **{
            name: value
            for name, value in facts.items()
            if name not in {"scopes", "allowed_ips", "retiring_since"}
        },
        scopes=frozenset(facts["scopes"]),
        allowed_ips=tuple(addresses.network(text) for text in facts["allowed_ips"]),
        retiring=facts["retiring_since"] is not None,
        requests_per_minute=min(own or number, number or own or 0),
        account_requests_per_minute=ACCOUNT_SHARE * number,
    )
    return caller if _is_plain(caller) else replace(caller, terms=None)


def _is_plain(caller: Caller) -> bool:
    """Whether only a change can bring settlement to refuse it. By our clock, so ends that are near do not count on it."""
    return (
        caller.livemode
        and caller.monthly_credits is None
        and caller.api_access
        and caller.revoked_at is None
        and (caller.ends_at is None or caller.ends_at > datetime.now(UTC) + NEAR)
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    caller: Caller
    since: datetime


class Callers:
    """Callers by the hash of their secret; the least recently used are dropped first."""

    def __init__(
        self, database: Database, *, prefix: str = "sk", kept: timedelta = KEPT, most: int = MOST_KEPT
    ) -> None:
        self._database = database
        self._prefix = prefix
        self._for = kept
        self._most = most
        self._kept: collections.OrderedDict[Sought, _Kept] = collections.OrderedDict()
        self._hints = 0

    async def authenticate(self, secret: str | None, ip: addresses.Address, now: datetime) -> Caller:
        """Who is asking. Raises, in this order, Unauthenticated MISSING, MALFORMED, UNKNOWN, REVOKED or
        EXPIRED, Forbidden PLAN or IP; Unavailable when the database is away.
        """
        caller = await self.identify(secret, now)
        caller.check(ip, now)
        return caller

    async def identify(self, secret: str | None, now: datetime) -> Caller:
        """Whose secret it is, whether it still stands or not. Raises MISSING, MALFORMED, UNKNOWN; Unavailable."""
        if not secret:
            raise errors.Unauthenticated("MISSING")
        digest = key_format.digest(secret)
        caller = self._remembered(digest, now)
        if caller is None:
            if not key_format.looks_valid(secret, self._prefix):
                raise errors.Unauthenticated("MALFORMED")
            caller = await self._find(digest, now)
        if caller is None:
            raise errors.Unauthenticated("UNKNOWN")
        return caller

    async def of_key(self, account_id: UUID, key_id: UUID, now: datetime) -> Caller | None:
        """The caller of a key, whether it still stands or not. Raises Unavailable."""
        sought = (account_id, key_id)
        return self._remembered(sought, now) or await self._find(sought, now)

    def forget(self, account_id: UUID) -> None:
        """Ask anew about an account's keys: something about them changed."""
        self._hints += 1
        for key in [key for key, kept in self._kept.items() if kept.caller.account_id == account_id]:
            del self._kept[key]

    def forget_all(self) -> None:
        """Ask anew about every key: hints may have been missed."""
        self._hints += 1
        self._kept.clear()

    def _remembered(self, sought: Sought, now: datetime) -> Caller | None:
        kept = self._kept.get(sought)
        # A clock set back must not keep an answer for longer.
        if kept is None or not kept.since <= now < kept.since + self._for:
            return None
        self._kept.move_to_end(sought)
        return kept.caller

    async def _find(self, sought: Sought, now: datetime) -> Caller | None:
        hints = self._hints
        caller = await self._ask(sought)
        # Unknown secrets are not kept: a key may be made in the next moment, and guesses would fill the room.
        # Nor is what was read while a hint came in, which may be what the hint was about.
        if caller is not None and hints == self._hints:
            self._keep(sought, _Kept(caller, now))
        return caller

    def _keep(self, sought: Sought, kept: _Kept) -> None:
        self._kept[sought] = kept
        self._kept.move_to_end(sought)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def _ask(self, sought: Sought) -> Caller | None:
        """Once more when the connection died: nothing was written. Raises Unavailable."""
        for attempt in range(2):
            try:
                async with self._database.read() as connection:
                    return await find(connection, sought)
            except TimeoutError:
                break
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if attempt:
                    break
        raise errors.Unavailable
