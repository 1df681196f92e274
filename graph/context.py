"""Who is asking, what they may do and still spend: made for each operation, passed to every resolver."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from graphql.execution.values import VariableValues

from db.session import Database
from graph import errors as reporting
from graph import ids
from graph.deadlines import Deadlines
from graph.documents import Operation
from graph.planner.mapping import Read
from graph.planner.reading import Delivered
from services import (
    access_tokens,
    addresses,
    anomalies,
    callers,
    credits,
    errors,
    events,
    idempotency,
    rate_limits,
    vault,
)
from services.cashier import Cashier
from services.platforms import registry

log = structlog.get_logger()
JWT_DOTS = 2  # no key has a dot
# Refusals beside which the balance stands as it was last seen: the database is away or slow.
AS_LAST_SEEN = {"UNAVAILABLE", "TIMEOUT"}


@dataclass(frozen=True)
class Services:
    """What the composition root built, once."""

    database: Database
    callers: callers.Callers
    tokens: access_tokens.AccessTokens
    cashier: Cashier
    notes: anomalies.Notes
    limits: rate_limits.Limits
    vault: vault.Vault
    platforms: registry.Platforms
    events: events.Events
    public_url: str
    key_prefix: str
    refuse_keys_in_browsers: bool = False
    deadlines: Deadlines = field(default_factory=Deadlines)

    def callback_url(self, platform: str) -> str:
        """The redirect URI to register at a platform."""
        return f"{self.public_url}/connect/{platform.lower()}/callback"


@dataclass(slots=True)
class Visit:
    """Where a request comes from. `by_page`: a page in a browser, not one of ours, sent it."""

    ip: addresses.Address
    country: str | None = None
    by_page: bool = False


@dataclass(slots=True)
class Asked:
    """What a transport received: one operation, and the headers that bear on it."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    ip: str | None = None
    country: str | None = None
    request_id: str = ""
    most_credits: int | None = None
    quote_only: bool = False
    receipt: bool = False
    idempotency_key: str | None = None
    document_id: str | None = None
    document_hash: str | None = None


@dataclass(slots=True)
class Context:
    """One operation of one caller. `delivered`, `charges` and `would_cost` grow while it runs."""

    services: Services
    caller: callers.Caller
    asked: Asked
    operation: Operation
    variables: VariableValues
    now: datetime
    delivered: Delivered = field(default_factory=Delivered)
    charges: dict[str, credits.Settled] = field(default_factory=dict)  # of mutation fields, by response key
    would_cost: int = 0
    claim: idempotency.Claim | None = None  # the Idempotency-Key it runs under
    until: float = math.inf  # when its time is over, by the loop's clock
    large: bool = False  # what it reads may be too much to be assembled in one turn
    walked: int = 0  # values of prices, told so far
    coerced: dict[int, Mapping[str, Any]] = field(default_factory=dict)  # arguments of fields, by whose

    def read(self, ids: tuple[UUID, ...] = ()) -> Read:
        """What a plan needs of this operation."""
        caller = self.caller
        allowed = None if caller.allowed_creators is None else tuple(caller.allowed_creators)
        return Read(caller.account_id, caller.livemode, self.now, self.variables, allowed, ids, self.coerced)

    def charged(self, key: str, settled: credits.Settled, price: int, delivered: Delivered) -> None:
        """A mutation field has committed, its charge with it."""
        self.charges[key] = settled
        self.would_cost += price
        self.delivered.take(delivered)

    def usage(self, *, charge: int, delivered: Delivered, code: str, started: datetime) -> credits.Usage:
        """What settlement writes down of this operation."""
        return credits.Usage(
            caller=self.caller,
            credits=charge,
            operation=self.operation.name,
            operation_hash=self.operation.hash,
            coordinates=(delivered if delivered.counts or not charge else self._asked_for()).shares(charge),
            code=code,
            duration_us=int((datetime.now(UTC) - started).total_seconds() * 1_000_000),
            ip=self.asked.ip,
            country=self.asked.country,
        )

    def expected(self, *, charge: int, coordinates: str) -> credits.Usage:
        """The same of an operation that still runs, if it will deliver that."""
        return credits.Usage(
            caller=self.caller,
            credits=charge,
            operation=self.operation.name,
            operation_hash=self.operation.hash,
            coordinates=coordinates,
            duration_us=None,
            ip=self.asked.ip,
            country=self.asked.country,
        )

    def _asked_for(self) -> Delivered:
        """What was charged for where nothing was found: the roots."""
        asked = Delivered()
        for root in self.operation.roots(self.variables):
            asked.add(f"{self.operation.root_type}.{root.name}", 0)
        return asked


async def build_context(
    services: Services, secret: str | None, visit: Visit, now: datetime
) -> tuple[callers.Caller, rate_limits.Allowance]:
    """Authenticate and count the request: in the order of docs/errors.md, up to the rate.

    Raises Unauthenticated, Forbidden (plan, address), RateLimited.
    """
    if secret and secret.count(".") == JWT_DOTS:
        caller = await services.tokens.authenticate(secret, now)
    else:
        caller = await services.callers.identify(secret, now)
        if caller.revoked_at is not None or caller.retiring:
            note_anomaly(services, caller, "RETIRED_KEY_USED", visit)
        caller.check(visit.ip, now)
    try:
        taken = services.limits.take(caller, now)
        return caller, taken if isinstance(taken, rate_limits.Allowance) else await taken
    except errors.RateLimited as refusal:
        refusal.headers = services.limits.peek(caller, now).headers()
        await refused(services, caller, refusal, visit)
        raise


async def refused(services: Services, caller: callers.Caller, failure: Exception, visit: Visit) -> None:
    """Write down, free, that a known caller's request ended before an operation ran; the refusal tells the balance."""
    known = reporting.expected(failure)
    code = known.code if known else "INTERNAL"
    services.cashier.record(credits.Usage(caller, code=code, ip=str(visit.ip), country=visit.country))
    if known is failure:
        last_seen = code in AS_LAST_SEEN
        known.balance = remembered(services, caller) if last_seen else await standing(services, caller)


async def standing(services: Services, caller: callers.Caller) -> credits.Settled | None:
    """The balance beside an answer that cost nothing; None where it cannot be told: no reason to refuse more."""
    try:
        return await services.cashier.standing(caller.account_id)
    except Exception as error:
        if reporting.expected(error) is None:
            raise
        return remembered(services, caller)


def remembered(services: Services, caller: callers.Caller) -> credits.Settled | None:
    """The balance as it was last seen here, for answers that nothing more is read for."""
    seen = services.cashier.purses.last(caller.account_id)
    return None if seen is None else credits.Settled(0, seen.remaining, seen.limit, seen.reset_at)


async def authenticate_again(
    services: Services, secret: str | None, visit: Visit, now: datetime
) -> callers.Caller:
    """Who a secret that was let in belongs to by now; counts nothing. Raises Unauthenticated, Forbidden."""
    if secret and secret.count(".") == JWT_DOTS:
        return await services.tokens.authenticate(secret, now)
    return await services.callers.authenticate(secret, visit.ip, now)


def is_exposed(caller: callers.Caller, visit: Visit) -> bool:
    """Whether a server key came from where anybody can read it. Access tokens are made for that place."""
    return visit.by_page and caller.token_expires_at is None


async def check_exposure(services: Services, caller: callers.Caller, visit: Visit) -> None:
    """Tell the owner of a server key in a browser, and refuse it where the settings say so. Raises Forbidden."""
    if not is_exposed(caller, visit):
        return
    note_anomaly(services, caller, "KEY_IN_BROWSER", visit)
    if services.refuse_keys_in_browsers:
        refusal = errors.Forbidden(
            "A server key may not be used by a page in a browser.",
            remedy="Rotate the key; ask your backend for an access token (createAccessToken) and use that.",
            reason="BROWSER",
        )
        await refused(services, caller, refusal, visit)
        raise refusal


def note_anomaly(services: Services, caller: callers.Caller, kind: anomalies.Kind, visit: Visit) -> None:
    """Something that the key's owner should hear of. `kind` is one of the schema's AnomalyKind."""
    services.notes.note(caller, kind)
    log.info("anomaly", kind=kind, key=ids.write("ApiKey", caller.key_id), ip=str(visit.ip))
