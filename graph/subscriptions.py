"""A subscription, whatever carries it: each event is read by its plan, judged, priced and settled like a query."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from inspect import isawaitable
from typing import Any

import orjson
from graphql import ExecutionResult, Executor, create_source_event_stream, execute
from graphql.execution.values import VariableValues

from graph import admission, execution, fields, in_time
from graph.context import Asked, Context, Services
from graph.documents import Operation
from graph.execution import Answer
from graph.planner.reading import on
from graph.quote import Quote
from graph.schema import Engine
from services import callers

MOST_STATES = 1_000

Again = Callable[[datetime], Awaitable[callers.Caller]]
"""Who asks, as it stands now. Raises Unauthenticated, Forbidden."""


def begin(engine: Engine, services: Services, again: Again, asked: Asked, caller: callers.Caller) -> "Stream":
    """A subscription that may be asked. Raises whatever refuses a query before it runs."""
    operation = engine.documents.operation(asked.query, asked.operation_name)
    variables, quote = admission.admitted(engine, caller, asked, operation)
    if not asked.quote_only:
        admission.check_purse(services, caller, quote)
    return Stream(engine, services, again, asked, caller, operation, variables, quote)


@dataclass
class Stream:
    """One subscription of one caller."""

    engine: Engine
    services: Services
    again: Again
    asked: Asked
    caller: callers.Caller
    operation: Operation
    variables: VariableValues
    quote: Quote
    _told: OrderedDict[Any, bytes] = field(default_factory=OrderedDict)

    async def answers(self) -> AsyncGenerator[Answer, None]:
        """One answer an event that differs from the last; the last one may be a refusal, which ends it."""
        started = datetime.now(UTC)
        if self.asked.quote_only:
            yield Answer(upper_bound=self.quote.max)
            return
        try:
            source = await self._source()
            if isinstance(source, ExecutionResult):
                yield await execution.settled(
                    self._context(started), self.quote, source, started, path="subscription"
                )
                return
            async with aclosing(source) as events:
                async for event in events:
                    answer = await self._answer(event)
                    if answer is not None:
                        yield answer
                        if answer.refused:
                            return
        except Exception as error:  # noqa: BLE001 -- the last net: masked and logged whole
            yield await execution.failed(self.services, self.caller, self.asked, error, started)

    async def _source(self) -> AsyncGenerator[Any, None] | ExecutionResult:
        """The field's events: what to read again, and when."""
        executor = Executor.build(
            self.engine.core,
            self.operation.document,
            context_value=self._context(datetime.now(UTC)),
            raw_variable_values=dict(self.asked.variables),
            operation_name=self.operation.name,
        )
        if isinstance(executor, list):
            return ExecutionResult(None, executor)
        made: Any = create_source_event_stream(executor)
        source: AsyncGenerator[Any, None] | ExecutionResult = await made if isawaitable(made) else made
        return source

    async def _answer(self, event: Any) -> Answer | None:
        """An event's answer; None where it is what was told before, or of what is no longer there."""
        started = datetime.now(UTC)
        self.caller = await self.again(started)
        admission.check_scopes(self.caller, self.quote)
        admission.check_creators(self.caller, self.quote)
        admission.check_purse(self.services, self.caller, self.quote)
        context = self._context(started)
        async with asyncio.timeout(in_time.SECONDS):
            value = await self._read(context, event)
            if value is None or not self._is_new(event, value):
                return None
            result = execute(
                self.engine.core,
                self.operation.document,
                root_value=value,
                context_value=context,
                variable_values=dict(self.asked.variables),
                operation_name=self.operation.name,
            )
            done = result if isinstance(result, ExecutionResult) else await result
        assert isinstance(done, ExecutionResult)
        return await execution.settled(context, self.quote, done, started, path="subscription")

    async def _read(self, context: Context, event: Any) -> Any:
        root = self.operation.roots(self.variables)[0]
        context.delivered.add(f"Subscription.{root.name}", 1)
        async with self.services.database.read() as connection:
            filler = fields.Filler(context, on(connection), context.delivered)
            return await filler.filled(root, "Subscription", event)

    def _is_new(self, event: Any, value: Any) -> bool:
        """Whether a state differs from the last one told of the same object."""
        whose = event if isinstance(event, fields.Ref) else None
        state = blake2b(orjson.dumps(value, default=str), digest_size=16).digest()
        if self._told.get(whose) == state:
            return False
        self._told[whose] = state
        self._told.move_to_end(whose)
        if len(self._told) > MOST_STATES:
            self._told.popitem(last=False)
        return True

    def _context(self, now: datetime) -> Context:
        return Context(self.services, self.caller, self.asked, self.operation, self.variables, now)
