"""Whether an operation may run: its variables, its price, its scopes and what its account has left."""

from collections.abc import Mapping
from typing import Any

from graphql.execution.values import VariableValues
from strawberry import Info

from graph import quote as quoting
from graph.context import Asked, Services
from graph.documents import Operation
from graph.schema import Engine
from services import callers, errors, key_terms


def admitted(
    engine: Engine, caller: callers.Caller, asked: Asked, operation: Operation
) -> tuple[VariableValues, quoting.Quote]:
    """The variables and the price of an operation that the caller may ask.

    Raises BadUserInput, QueryTooComplex, Forbidden (scope, creators), PriceExceedsMaximum.
    """
    variables = operation.read(asked.variables)
    quote = quoting.of(engine.policy, operation, variables)
    check_scopes(caller, quote)
    check_creators(caller, quote)
    if asked.most_credits is not None and quote.max > asked.most_credits:
        raise errors.PriceExceedsMaximum(
            f"The operation may cost {quote.max} credits; X-Credits-Max allows {asked.most_credits}.",
            remedy="Ask for less, or allow more.",
            max=quote.max,
        )
    return variables, quote


def check_scopes(caller: callers.Caller, quote: quoting.Quote) -> None:
    """Refuse the whole operation where a scope is missing anywhere in it."""
    if quote.scopes <= caller.scopes:
        return
    missing = sorted(scope for scope in quote.scopes if not key_terms.covers(caller.scopes, scope))
    if missing:
        raise errors.Forbidden(
            f"This key lacks the scope {missing[0]}.",
            remedy="Use a key that has it.",
            reason="SCOPE",
            scope=missing[0],
            missing=missing,
        )


def check_purse(services: Services, caller: callers.Caller, quote: quoting.Quote) -> None:
    """Before anything is read: refuse an account, or a key, that is known to be short of credits."""
    if quote.base and caller.livemode:
        services.cashier.purses.check(caller.account_id, caller.key_id, quote.base, quote.max)


async def quote(info: Info, text: str, name: str | None, given: Mapping[str, Any]) -> quoting.Quote:
    """What an operation would cost, for `price`. Raises what running it would, up to the scopes."""
    schema = info._raw_info.schema  # noqa: SLF001 -- Strawberry offers no other way to the schema
    engine: Engine = schema.extensions["engine"]
    operation = await engine.documents.opened(text, name)
    return quoting.of(engine.policy, operation, operation.read(given))


def check_creators(caller: callers.Caller, quote: quoting.Quote) -> None:
    """Refuse what a token held to certain creators may not ask."""
    if caller.allowed_creators is not None and quote.tells_of_others:
        named = min(quote.tells_of_others)
        raise errors.Forbidden(
            f"A token held to certain creators cannot ask for {named}.",
            remedy="Ask from your backend, with a key.",
            reason="CREATOR",
            coordinate=named,
        )
