"""GraphQL over server-sent events: one operation a request (graphql-sse's "distinct connections" mode).

Lines end in LF. What is wrong with the document is an event, as graphql-sse's protocol wants it: its clients see of any
other answer only that the stream broke. Whatever else is refused before the first event is JSON with its status.
"""

import asyncio
import functools
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from graph import context as contexts
from graph import execution, subscriptions
from graph.execution import Answer
from server import connections, operations
from server.parts import MAY_CANCEL
from services import callers, errors

PING_SECONDS = 15.0
MEDIA = "text/event-stream; charset=utf-8"
OF_THE_DOCUMENT = {
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
    "OPERATION_RESOLUTION_FAILURE",
    "BAD_USER_INPUT",
}
COMPLETE = b"event: complete\ndata: \n\n"
PING = b":\n\n"


def framed(answer: Answer) -> bytes:
    return b"event: next\ndata: " + orjson.dumps(answer.body()) + b"\n\n"


async def respond(
    request: web.Request,
    client: operations.Client,
    caller: callers.Caller,
    asked: contexts.Asked,
    headers: dict[str, str],
) -> web.StreamResponse | Answer:
    """The events; or the answer of what was refused before any. Raises TooManySockets, Unavailable."""
    parts = client.parts
    if await operations.kind_of(parts, asked) != "subscription":
        async with aclosing(operations.answers_to(client, caller, asked)) as answers:
            return _whole(await anext(answers), headers)
    now = datetime.now(UTC)
    try:
        stream = subscriptions.begin(parts.engine, parts.services, client.again, asked, caller)
    except errors.ServiceError as error:
        return _whole(await execution.failed(parts.services, caller, asked, error, now), headers)
    try:
        if parts.connections.leaving:
            raise errors.Unavailable
        place = await parts.sockets.take(caller, client.secret or "", "STREAM")
    except Exception as failure:
        await contexts.refused(parts.services, caller, failure, client.visit)
        raise
    try:
        return await EventStream(client, caller, stream).run(request, headers)
    finally:
        parts.sockets.give_back(place)


def _whole(answer: Answer, headers: dict[str, str]) -> web.StreamResponse | Answer:
    """One answer, as an event; as it is where it was refused for another reason than its document."""
    if answer.refused and answer.refused not in OF_THE_DOCUMENT:
        return answer
    body = framed(answer) + COMPLETE
    return web.Response(body=body, headers={**headers, "Content-Type": MEDIA, "Cache-Control": "no-store"})


class EventStream:
    """One subscription as events."""

    def __init__(
        self, client: operations.Client, caller: callers.Caller, stream: subscriptions.Stream
    ) -> None:
        self._client, self._caller, self._stream = client, caller, stream
        self._ended: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

    # -- as connections know it

    @property
    def account_id(self) -> UUID | None:
        return self._caller.account_id

    @property
    def ends_at(self) -> datetime | None:
        return connections.ends_at(self._caller)

    async def recheck(self, now: datetime) -> None:
        self._caller = await self._client.again(now)

    def look(self, now: float) -> None:
        """A stream is never idle: its client hears from it."""

    def refuse(self, error: errors.ServiceError) -> None:
        self._end(operations.refused(error, ""))

    def leave(self) -> None:
        self._end(None)

    def _end(self, last: Answer | None) -> None:
        if not self._ended.done():
            self._ended.set_result(last)

    # -- what it does

    async def run(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        """Events until the subscription ends (`complete`), or the process goes (nothing: the client comes back)."""
        response = web.StreamResponse(
            headers={**headers, "Content-Type": MEDIA, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        staying = self._client.parts.connections
        request[MAY_CANCEL] = functools.partial(bool, 1)
        await response.prepare(request)
        staying.add(self)
        try:
            with suppress(ConnectionError):  # the client is gone
                await self._write(response)
                await response.write_eof()
        finally:
            staying.discard(self)
        return response

    async def _write(self, response: web.StreamResponse) -> None:
        await response.write(PING)  # so that the client sees that it stands
        async with aclosing(self._stream.answers()) as answers:
            while True:
                following = asyncio.ensure_future(anext(answers, None))
                try:
                    answer = await self._wait(following, response)
                finally:
                    await _stopped(following)
                if answer is not None:
                    await response.write(framed(answer))
                if answer is None or answer.refused:
                    break
        if self._ended.done() and self._ended.result() is None:
            return
        await response.write(COMPLETE)

    async def _wait(self, following: "asyncio.Future[Any]", response: web.StreamResponse) -> Answer | None:
        """The next answer, or the last word of who ends the stream; a comment in between, while there is none."""
        while True:
            done, _ = await asyncio.wait(
                {following, self._ended}, timeout=PING_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if self._ended in done:
                return self._ended.result()
            if following in done:
                found: Answer | None = following.result()
                return found
            await response.write(PING)


async def _stopped(following: "asyncio.Future[Any]") -> None:
    """A generator can be closed only while it does not run."""
    if not following.done():
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
