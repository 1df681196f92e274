"""Who is asking, what they may do and still spend: made for each operation, passed to every resolver."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from graphql.execution.values import VariableValues

from db.session import Database
from graph.documents import Operation
from graph.planner.mapping import Read
from graph.planner.reading import Delivered
from services import access_tokens, callers, credits, errors, events, rate_limits, vault
from services.platforms import registry

JWT_DOTS = 2  # no key has a dot


@dataclass(frozen=True)
class Services:
    """What the composition root built, once."""

    database: Database
    callers: callers.Callers
    tokens: access_tokens.AccessTokens
    cashier: credits.Cashier
    limits: rate_limits.RateLimits
    vault: vault.Vault
    platforms: registry.Platforms
    events: events.Events
    public_url: str
    key_prefix: str

    def callback_url(self, platform: str) -> str:
        """The redirect URI to register at a platform."""
        return f"{self.public_url}/connect/{platform.lower()}/callback"


@dataclass(frozen=True)
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


@dataclass
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

    def read(self, ids: tuple[UUID, ...] = ()) -> Read:
        """What a plan needs of this operation."""
        caller = self.caller
        allowed = None if caller.allowed_creators is None else tuple(caller.allowed_creators)
        return Read(caller.account_id, caller.livemode, self.now, self.variables, allowed, ids)

    def usage(self, *, charge: int, delivered: Delivered, code: str, started: datetime) -> credits.Usage:
        """What settlement writes down of this operation."""
        return credits.Usage(
            caller=self.caller,
            credits=charge,
            operation=self.operation.name,
            operation_hash=self.operation.hash,
            coordinates=dict(delivered.counts),
            code=code,
            duration_us=int((datetime.now(UTC) - started).total_seconds() * 1_000_000),
            ip=self.asked.ip,
            country=self.asked.country,
        )


async def build_context(
    services: Services, secret: str | None, ip: Any, now: datetime
) -> tuple[callers.Caller, rate_limits.Allowance]:
    """Authenticate and count the request: behaviour.md's order of refusals, up to the rate.

    Raises Unauthenticated, Forbidden (plan, address), RateLimited.
    """
    if secret and secret.count(".") == JWT_DOTS:
        caller = await services.tokens.authenticate(secret, now)
    else:
        caller = await services.callers.authenticate(secret, ip, now)
    try:
        return caller, services.limits.take(caller, now)
    except errors.RateLimited as refusal:
        refusal.headers = services.limits.peek(caller, now).headers()
        services.cashier.record(credits.Usage(caller, code=refusal.code, ip=str(ip) if ip else None))
        raise
