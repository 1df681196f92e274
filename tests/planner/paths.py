"""The two ways in which an operation is answered, as the service answers it: all is real but who settles."""

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

import resolvers
from db.session import Database
from graph import execution
from graph.context import Asked, Services
from graph.schema import Engine
from services import callers, credits, key_terms

NOW = datetime(2025, 5, 15, 12, 30, 15, 250_000, tzinfo=UTC)
COMPILED = resolvers.engine()
ORDINARY = dataclasses.replace(COMPILED, compiles=False)


@dataclass
class Cashier:
    """Settles nothing, and keeps what it is told."""

    usages: list[credits.Usage] = field(default_factory=list)

    @property
    def purses(self) -> "Cashier":
        return self

    def check(self, *_: Any) -> None: ...
    def expect(self) -> None: ...
    def forgo(self) -> None: ...

    async def settle(self, usage: credits.Usage) -> credits.Settled:
        self.usages.append(usage)
        return credits.Settled(usage.credits, 0, 0, NOW)

    def record(self, usage: credits.Usage) -> None:
        self.usages.append(usage)

    async def standing(self, _account_id: UUID) -> None: ...


@dataclass
class Told:
    """`data` as JSON; `delivered`: by coordinate, how many and their thousandths; `shares`: what usage rows tell."""

    path: str | None
    data: bytes
    errors: list[Any]
    delivered: dict[str, tuple[int, int]]
    price: int
    shares: dict[str, list[int]]


def caller(account_id: UUID, *, livemode: bool, allowed: tuple[UUID, ...] | None) -> callers.Caller:
    """A key of an account that may everything, or a token of such a key."""
    return callers.Caller(
        account_id, "", UUID(int=1), "", "", livemode, frozenset(key_terms.SCOPES), (), "SERVICE", None, None, None,
        retiring=False, retires_at=None, own_requests_per_minute=None, requests_per_minute=0,
        account_requests_per_minute=0, monthly_credits=None, api_access=True, max_websockets=0,
        allowed_creators=None if allowed is None else frozenset(allowed),
    )  # fmt: skip


async def ask(
    engine: Engine, database: Database, who: callers.Caller, text: str, variables: dict[str, Any]
) -> Told:
    cashier, nobody = Cashier(), Any
    rest = [nobody] * 6
    services = Services(database, nobody, nobody, cashier, *rest, key_prefix="sk")
    asked = Asked(text, variables=variables, receipt=True, request_id="oracle")
    answer = await execution.answer(engine, services, who, asked, NOW)
    usage = cashier.usages[-1]
    delivered = {
        line["coordinate"]: (line["count"], round(line["credits"] * 1000)) for line in answer.receipt or ()
    }
    price = usage.credits if who.livemode else answer.would_cost or 0
    shares = orjson.loads(usage.coordinates)
    return Told(answer.path, orjson.dumps(answer.data), answer.errors, delivered, price, shares)
