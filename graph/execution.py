"""One operation, from text to answer: resolved, priced, run, settled. Knows no transport."""

import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from graphql import ExecutionResult, GraphQLError

from graph import admission, beside, cost, idempotent, in_time, limits, running
from graph import errors as reporting
from graph import quote as quoting
from graph.context import AS_LAST_SEEN, Asked, Context, Services, remembered, standing
from graph.planner.reading import Delivered
from graph.policy import FREE
from graph.scalars import instant
from graph.schema import Engine
from services import callers, credits, errors

OWN_STATUS = {"UNAUTHENTICATED", "FORBIDDEN", "CREDITS_EXHAUSTED", "RATE_LIMITED", "UNAVAILABLE", "TIMEOUT"}
UNTOLD = {"UNAUTHENTICATED"}

_month_end = functools.lru_cache(maxsize=8)(instant)


@dataclass(slots=True)
class Answer:
    """`refused`: nothing was run, so there is no `data`. `balance`: what the account has after it, where known."""

    status: int = 200
    data: Any = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    balance: credits.Settled | None = None
    upper_bound: int | None = None
    would_cost: int | None = None
    receipt: list[dict[str, Any]] | None = None
    path: str | None = None  # how it was run: compiled or ordinary
    replayed: bool = False  # the answer of an earlier request with this Idempotency-Key

    def body(self) -> dict[str, Any]:
        """As it goes out; request errors omit `data`."""
        body: dict[str, Any] = {} if self.refused else {"data": self.data}
        if self.errors:
            body["errors"] = self.errors
        extensions = self._credits()
        if extensions:
            body["extensions"] = {"credits": extensions}
        return body

    def _credits(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.balance:
            told = {
                "charged": self.balance.charged,
                "remaining": self.balance.remaining,
                "limit": self.balance.limit,
                "resetAt": _month_end(self.balance.reset_at),
            }
        if self.upper_bound is not None:
            told["max"] = self.upper_bound
        if self.would_cost is not None:
            told["wouldCost"] = self.would_cost
        if self.receipt is not None:
            told["fields"] = self.receipt
        return told


async def answer(
    engine: Engine, services: Services, caller: callers.Caller, asked: Asked, now: datetime
) -> Answer:
    """The whole answer to one operation of a caller who was let in. Never raises but for cancellation."""
    started = datetime.now(UTC)
    try:
        return await _answered(engine, services, caller, asked, now, started)
    except Exception as error:  # noqa: BLE001 -- the last net
        return await failed(services, caller, asked, error, started)


async def failed(
    services: Services,
    caller: callers.Caller,
    asked: Asked,
    failure: Exception,
    started: datetime,
    charge: beside.Charge | None = None,
) -> Answer:
    """The answer to an operation that was not run: written down, free; what is not expected is masked and logged.

    `charge`: what is charged for it already.
    """
    error = in_time.over() if isinstance(failure, TimeoutError) else reporting.expected(failure)
    code = errors.ServiceError.code if error is None else getattr(error, "document_code", error.code)
    refusal = _refusal(caller, asked, code, started)
    balance = None
    if charge is None:
        services.cashier.record(refusal)
    else:
        try:
            balance = await charge.end(refusal)
        except errors.ServiceError as other:  # nothing was charged, or what became of it is unknown
            return await _refused(services, caller, other, other.code)
    if error is None:
        masked = [reporting.masked(failure, asked.request_id)]
        balance = balance or await standing(services, caller)
        return Answer(500, errors=masked, refused="INTERNAL", balance=balance)
    return await _refused(services, caller, error, code, balance)


async def _refused(
    services: Services,
    caller: callers.Caller,
    error: errors.ServiceError,
    code: str,
    balance: credits.Settled | None = None,
) -> Answer:
    if code in UNTOLD:
        balance = None
    elif balance is None and code in AS_LAST_SEEN:
        balance = remembered(services, caller)
    elif balance is None:
        balance = await standing(services, caller)
    return Answer(error.status, errors=reporting.refused(error), refused=code, balance=balance)


def _refusal(caller: callers.Caller, asked: Asked, code: str, started: datetime) -> credits.Usage:
    elapsed = datetime.now(UTC) - started
    return credits.Usage(
        caller=caller,
        credits=0,
        operation=None,
        operation_hash=None,
        code=code,
        duration_us=int(elapsed.total_seconds() * 1_000_000),
        ip=asked.ip,
        country=asked.country,
    )


async def _answered(
    engine: Engine, services: Services, caller: callers.Caller, asked: Asked, now: datetime, started: datetime
) -> Answer:
    operation = await engine.documents.opened(asked.query, asked.operation_name)
    variables, quote = admission.admitted(engine, caller, asked, operation)
    if asked.quote_only:
        return Answer(upper_bound=quote.max, balance=await standing(services, caller))
    if operation.kind == "subscription":
        raise errors.NotAcceptable(
            "A subscription is answered as events.",
            remedy="Send Accept: text/event-stream, or use WebSocket (graphql-transport-ws).",
        )
    if operation.kind == "query":
        admission.check_purse(services, caller, quote)
    large = quote.values > limits.AT_ONCE
    context = Context(services, caller, asked, operation, variables, now, large=large)
    if operation.kind == "mutation":
        return await _changed(engine, context, quote, started)
    services.cashier.expect()
    charge = beside.begun(context, quote.usual)
    try:
        with services.deadlines.within(in_time.SECONDS):
            result, path = await running.read(engine, context)
        return await settled(context, quote, result, started, path=path, charge=charge)
    except Exception as failure:
        if charge is None:
            raise
        return await failed(services, caller, asked, failure, started, charge)
    finally:
        services.cashier.forgo()


async def _changed(engine: Engine, context: Context, quote: quoting.Quote, started: datetime) -> Answer:
    """A mutation. It settles in its own transactions, and may wait for platforms: no read waits for it to settle."""
    in_time.begin(context)
    if context.asked.idempotency_key is not None:
        return await _once(engine, context, quote, started)
    result = await running.by_core(engine, context)  # each field within the time that is left
    return await settled(context, quote, result, started, path="ordinary")


async def _once(engine: Engine, context: Context, quote: quoting.Quote, started: datetime) -> Answer:
    """A mutation under its Idempotency-Key: done now, or answered as it was. A failed one frees its key."""
    data = await idempotent.begin(context)
    if data is not None:
        return await _replayed(context, quote, data, started)
    done = False
    try:
        result = await running.by_core(engine, context)
        done = not result.errors
        return await settled(context, quote, result, started, path="ordinary")
    finally:
        if not done:
            await idempotent.free(context)


async def _replayed(context: Context, quote: quoting.Quote, data: Any, started: datetime) -> Answer:
    """An answer given again: free, and like every answer withheld where the key no longer stands."""
    usage = context.usage(charge=0, delivered=context.delivered, code="OK", started=started)
    balance = await context.services.cashier.settle(usage)
    return Answer(data=data, balance=balance, upper_bound=quote.max, replayed=True, path="replayed")


async def settled(
    context: Context,
    quote: quoting.Quote,
    result: ExecutionResult,
    started: datetime,
    *,
    path: str,
    charge: beside.Charge | None = None,
) -> Answer:
    """The answer, once what it cost is written down; withheld when settlement refuses. `charge`: begun beside its read."""
    found = [reporting.formatted(error, context.asked.request_id) for error in result.errors or ()]
    code = found[0]["extensions"]["code"] if found else "OK"
    price = _price(context, quote, result)
    status = _status(result, found) if found else 200
    answer = Answer(status, result.data, found, upper_bound=quote.max, path=path)
    if context.operation.kind == "mutation":
        price = context.would_cost
        _remember(context, failed=bool(found))
        answer.balance = _sum_of_charges(context) or await standing(context.services, context.caller)
        if found:  # what failed was rolled back, its usage too
            failure = context.usage(charge=0, delivered=Delivered(), code=code, started=started)
            context.services.cashier.record(failure)
    else:
        due = price if context.caller.livemode else 0
        usage = context.usage(charge=due, delivered=context.delivered, code=code, started=started)
        try:
            answer.balance = await beside.settled(context, quote.usual, usage, charge)
        except errors.ServiceError as refusal:  # withheld; settlement wrote it down
            return await _refused(context.services, context.caller, refusal, refusal.code)
    if not context.caller.livemode:
        answer.would_cost = price
    if context.asked.receipt:
        answer.receipt = _receipt(context)
    return answer


def _remember(context: Context, *, failed: bool) -> None:
    """The balance after what was charged; after a failure it is looked at again."""
    purses, account_id = context.services.cashier.purses, context.caller.account_id
    if failed:
        purses.doubt(account_id)
    elif context.charges:
        after = list(context.charges.values())[-1]
        purses.see(account_id, after.remaining, after.limit, after.reset_at)


def _sum_of_charges(context: Context) -> credits.Settled | None:
    """Mutation fields settled their own; those that were rolled back left nothing here."""
    stood = list(context.charges.values())
    if not stood:
        return None
    return replace(stood[-1], charged=sum(settled.charged for settled in stood))


def _price(context: Context, quote: quoting.Quote, result: ExecutionResult) -> int:
    """What was delivered costs; a root that failed, or all of them nulled, costs nothing."""
    if not result.errors:
        return cost.credits(context.delivered.total) if quote.base else 0
    if result.data is None:
        context.delivered.clear()
        return 0
    failed = {error.path[0] for error in result.errors or () if error.path}
    root_type = context.operation.root_type
    paid = [
        root
        for root in context.operation.roots(context.variables)
        if root.key not in failed
        and not root.name.startswith("__")
        and f"{root_type}.{root.name}" not in FREE
    ]
    return cost.credits(context.delivered.total) if paid else 0


def _status(result: ExecutionResult, found: list[dict[str, Any]]) -> int:
    """200 for all that ran; credentials, plan, limits and credits keep their own status."""
    if result.data is None and found and found[0]["extensions"]["code"] in OWN_STATUS:
        original = (result.errors or [GraphQLError("")])[0].original_error
        known = reporting.expected(original) if original else None
        return known.status if known else 200
    return 200


def _receipt(context: Context) -> list[dict[str, Any]]:
    delivered = context.delivered
    return [
        {"coordinate": name, "count": count, "credits": delivered.thousandths[name] / cost.THOUSANDTHS}
        for name, count in delivered.counts.items()
    ]
