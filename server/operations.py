"""Any operation as a stream of answers, for transports that carry more than one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from graph import context as contexts
from graph import errors as reporting
from graph import execution, subscriptions
from graph.execution import Answer
from server.parts import Parts
from services import callers, errors


@dataclass(frozen=True)
class Client:
    """Who is at the other end: a secret that is judged again for each operation and each event."""

    parts: Parts
    visit: contexts.Visit
    secret: str | None

    async def again(self, now: datetime) -> callers.Caller:
        """Raises Unauthenticated, Forbidden, Unavailable."""
        return await contexts.authenticate_again(self.parts.services, self.secret, self.visit, now)

    async def let_in(self, now: datetime) -> callers.Caller:
        """Authenticated and counted. Raises what build_context raises, and Forbidden BROWSER."""
        services = self.parts.services
        caller, _ = await contexts.build_context(services, self.secret, self.visit, now)
        await contexts.check_exposure(services, caller, self.visit)
        return caller

    async def resolve(self, caller: callers.Caller, asked: contexts.Asked) -> contexts.Asked:
        """What was asked, with its text. Raises what Persisted.resolve raises, written down."""
        try:
            return await self.parts.persisted.resolve(caller, asked)
        except Exception as failure:
            await contexts.refused(self.parts.services, caller, failure, self.visit)
            raise


async def kind_of(parts: Parts, asked: contexts.Asked) -> str:
    """query, mutation or subscription; query where the document cannot be read: execution then says why."""
    try:
        return (await parts.engine.documents.opened(asked.query, asked.operation_name)).kind
    except errors.ServiceError:
        return "query"


def kind_at_once(parts: Parts, asked: contexts.Asked) -> str | None:
    """None where the document cannot be read."""
    try:
        return parts.engine.documents.operation(asked.query, asked.operation_name).kind
    except errors.ServiceError:
        return None


async def answers(client: Client, asked: contexts.Asked) -> AsyncGenerator[Answer, None]:
    """From the credential to the last answer; refusals are answers too."""
    try:
        now = datetime.now(UTC)
        caller = await client.let_in(now)
        asked = await client.resolve(caller, asked)
    except Exception as error:  # noqa: BLE001 -- the last net: masked and logged whole
        yield refused(error, asked.request_id)
        return
    async with aclosing(answers_to(client, caller, asked)) as found:
        async for answer in found:
            yield answer


async def answers_to(
    client: Client, caller: callers.Caller, asked: contexts.Asked
) -> AsyncGenerator[Answer, None]:
    """The answers to a caller who was let in. A mutation runs to its end, also when nobody waits any more."""
    parts, now = client.parts, datetime.now(UTC)
    kind = await kind_of(parts, asked)
    if kind != "subscription":
        work = execution.answer(parts.engine, parts.services, caller, asked, now)
        yield await (asyncio.shield(parts.connections.spawn(work)) if kind == "mutation" else work)
        return
    try:
        stream = subscriptions.begin(parts.engine, parts.services, client.again, asked, caller)
    except Exception as error:  # noqa: BLE001 -- the last net: masked and logged whole
        yield await execution.failed(parts.services, caller, asked, error, now)
        return
    async with aclosing(stream.answers()) as found:
        async for answer in found:
            yield answer


def refused(error: Exception, request_id: str) -> Answer:
    """A refusal before anybody was known."""
    known = reporting.expected(error)
    if known is None:
        return Answer(500, errors=[reporting.masked(error, request_id)], refused="INTERNAL")
    return Answer(known.status, errors=reporting.refused(known), refused=known.code, balance=known.balance)
