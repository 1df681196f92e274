"""GraphQL over WebSocket: the protocol graphql-transport-ws, each operation judged by itself.

Close codes: 4400 no message of the protocol, 4401 an operation before connection_ack, or the credential has
ended, 4403 refused at connection_init, 4406 another protocol, 4408 no connection_init in time, 4409 an id in use,
4429 a second connection_init, or too many sockets; 1000 idle, 1001 the process is going, 1009 too long a message,
1011 a failure of ours, 1013 the database is away.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
from aiohttp import WSMsgType, web

from db.away import is_away
from graph import context as contexts
from graph import errors as reporting
from graph.execution import Answer
from server import connections, credentials, operations, received
from server.parts import REQUEST_ID, Parts
from services import callers, errors, sockets

PROTOCOL = "graphql-transport-ws"
VERSION = "13"
INIT_SECONDS = 10.0
PING_SECONDS = 20.0
IDLE_SECONDS = 600.0
CLOSE_SECONDS = 1.0
MESSAGE_BYTES = 64 * 1024
MOST_OPERATIONS = 50
LONGEST_ID = 255
LONGEST_REASON = 120  # a close frame takes 125 bytes with its code

Message = Mapping[str, Any]


class Close(Exception):
    """The socket must be closed, with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class WrongVersion(errors.BadRequest):
    """Another version of the WebSocket protocol than ours."""

    status = 426


def wanted(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


async def serve(request: web.Request, parts: Parts, visit: contexts.Visit) -> web.StreamResponse:
    """One socket, from the upgrade to its end.

    A credential in the request is judged before the upgrade. Raises Unauthenticated, Forbidden, Unavailable,
    BadRequest (the handshake is not one).
    """
    if parts.connections.leaving:
        raise errors.Unavailable
    credential = credentials.of_stream(request)
    client = operations.Client(parts, visit, credential.secret)
    if credential.secret is not None:
        caller = await client.again(datetime.now(UTC))
        await contexts.check_exposure(parts.services, caller, visit)
    return await Socket(request, client).run(credential)


class Socket:
    """One client's connection."""

    __slots__ = (
        "__weakref__",
        "_caller",
        "_client",
        "_init_by",
        "_inited",
        "_operations",
        "_place",
        "_quiet_since",
        "_request",
        "_served",
        "_ws",
    )  # fmt: skip

    def __init__(self, request: web.Request, client: operations.Client) -> None:
        self._request, self._client = request, client
        self._ws = web.WebSocketResponse(
            protocols=(PROTOCOL,),
            heartbeat=PING_SECONDS,
            max_msg_size=MESSAGE_BYTES,
            compress=False,  # a window of its own for each socket would be most of what it takes
            timeout=CLOSE_SECONDS,
        )
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._caller: callers.Caller | None = None
        self._place: sockets.Place | None = None
        self._inited = False
        self._served = 0
        self._quiet_since = asyncio.get_running_loop().time()
        self._init_by = self._quiet_since + INIT_SECONDS  # whatever else it says until then

    # -- as connections know it

    @property
    def account_id(self) -> UUID | None:
        return self._caller.account_id if self._caller else None

    @property
    def ends_at(self) -> datetime | None:
        return connections.ends_at(self._caller) if self._caller else None

    async def recheck(self, now: datetime) -> None:
        self._caller = await self._client.again(now)

    def look(self, now: float) -> None:
        if self._caller is None and now >= self._init_by:
            self._end(4408, "Connection initialisation timeout")
        elif not self._operations and now - self._quiet_since >= IDLE_SECONDS:
            self._end(1000, "Idle")

    def refuse(self, error: errors.ServiceError) -> None:
        self._end(4401, error.message)

    def leave(self) -> None:
        self._end(1001, "Going away")

    def _end(self, code: int, reason: str) -> None:
        self._client.parts.connections.spawn(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        text = reason.encode()[:LONGEST_REASON].decode(errors="ignore").encode()
        await self._ws.close(code=code, message=text)

    # -- what it does

    async def run(self, credential: credentials.Credential) -> web.StreamResponse:
        """From the upgrade on: whatever breaks closes the socket. Raises BadRequest before."""
        staying, places = self._client.parts.connections, self._client.parts.sockets
        await self._upgrade(credential)
        staying.add(self)
        try:
            await self._listen()
        except Close as end:
            await self._close(end.code, end.reason)
        except ConnectionError:
            pass  # the client is gone
        except Exception as error:  # noqa: BLE001 -- the last net: an HTTP answer would go into the open socket
            await self._close(1011, reporting.masked(error, self._request[REQUEST_ID])["message"])
        finally:
            staying.discard(self)
            running = list(self._operations.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            if self._place is not None:
                places.give_back(self._place)
        return self._ws

    async def _upgrade(self, credential: credentials.Credential) -> None:
        self._ws.headers["X-Request-Id"] = self._request[REQUEST_ID]
        self._ws.headers["Server"] = "creator-graph"
        if credential.in_query:
            self._ws.headers["Warning"] = credentials.WARNING
        try:
            await self._ws.prepare(self._request)
        except web.HTTPBadRequest:  # aiohttp says it in a text of its own
            raise _no_handshake(self._request) from None

    async def _listen(self) -> None:
        if self._ws.ws_protocol != PROTOCOL:
            raise Close(4406, "Subprotocol not acceptable")
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.BINARY:
                raise Close(4400, "Messages are text")
            if message.type is not WSMsgType.TEXT:
                return
            self._quiet_since = asyncio.get_running_loop().time()
            await self._on(_read(message.data))

    async def _on(self, message: Message) -> None:
        kind = message.get("type")
        if kind == "connection_init":
            await self._init(_payload(message) or {})
        elif kind == "ping":
            payload = _payload(message)
            await self._send({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})
        elif kind == "pong":
            _payload(message)
        elif kind == "subscribe":
            await self._subscribe(_id(message), _payload(message))
        elif kind == "complete":
            task = self._operations.pop(_id(message), None)
            if task is not None:
                task.cancel()
        else:
            raise Close(4400, "Unknown message type")

    async def _init(self, payload: Message) -> None:
        if self._inited:
            raise Close(4429, "Too many initialisation requests")
        self._inited = True
        if self._client.secret is None:
            secret = credentials.of_init(payload).secret
            self._client = operations.Client(self._client.parts, self._client.visit, secret)
        parts = self._client.parts
        try:
            caller = await self._client.again(datetime.now(UTC))
            await contexts.check_exposure(parts.services, caller, self._client.visit)
            self._place = await parts.sockets.take(caller, self._client.secret or "", "SOCKET")
        except sockets.TooManySockets as refusal:
            raise Close(4429, refusal.message) from None
        except errors.Unavailable as refusal:
            raise Close(1013, refusal.message) from None
        except errors.ServiceError as refusal:
            raise Close(4403, refusal.message) from None
        except Exception as error:
            if is_away(error):
                raise Close(1013, errors.Unavailable().message) from error
            raise
        self._caller = caller
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, id: str, payload: Message | None) -> None:
        if self._caller is None:
            raise Close(4401, "Unauthorized")
        if payload is None:
            raise Close(4400, "`payload` is missing")
        if id in self._operations:
            raise Close(4409, f"Subscriber for {id} already exists")
        visit = self._client.visit
        self._served += 1
        request_id = f"{self._request[REQUEST_ID]}.{self._served}"
        try:
            said = received.said_in_message(payload)
            asked = received.asked(payload, said, str(visit.ip), visit.country, request_id)
        except errors.BadRequest as error:
            raise Close(4400, error.message) from None
        if len(self._operations) >= MOST_OPERATIONS:
            await self._refuse(id, operations.refused(_too_many(), request_id))
            return
        self._operations[id] = asyncio.create_task(self._operate(id, asked))

    async def _operate(self, id: str, asked: contexts.Asked) -> None:
        """One operation to its end. What the client has completed is not sent any more."""
        task = asyncio.current_task()
        try:
            async with aclosing(operations.answers(self._client, asked)) as answers:
                async for answer in answers:
                    if answer.refused:
                        self._operations.pop(id, None)
                        await self._refuse(id, answer)
                        return
                    await self._send({"id": id, "type": "next", "payload": answer.body()})
            self._operations.pop(id, None)
            await self._send({"id": id, "type": "complete"})
        except ConnectionError:
            pass  # the client is gone
        except Exception as error:  # noqa: BLE001 -- the last net: masked and logged whole
            await self._refuse(id, operations.refused(error, asked.request_id))
        finally:
            if self._operations.get(id) is task:
                del self._operations[id]
            self._quiet_since = asyncio.get_running_loop().time()

    async def _refuse(self, id: str, answer: Answer) -> None:
        """An operation's refusal; where the credential has ended, the socket's."""
        await self._send({"id": id, "type": "error", "payload": answer.errors})
        told = answer.errors[0]["extensions"]
        if answer.refused == "UNAUTHENTICATED" or told.get("reason") in {"PLAN", "IP", "BROWSER"}:
            self._end(4401, answer.errors[0]["message"])

    async def _send(self, message: Message) -> None:
        if not self._ws.closed:
            await self._ws.send_frame(orjson.dumps(message), WSMsgType.TEXT)


def _read(text: str) -> Message:
    try:
        message = orjson.loads(text)
    except (orjson.JSONDecodeError, RecursionError):
        raise Close(4400, "The message is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Close(4400, "The message is not an object with a type")
    return message


def _payload(message: Message) -> Message | None:
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Close(4400, "`payload` must be an object")
    return payload


def _id(message: Message) -> str:
    id = message.get("id")
    if not isinstance(id, str) or not 0 < len(id) <= LONGEST_ID:
        raise Close(4400, f"`id` must be text of 1 to {LONGEST_ID} characters")
    return id


def _no_handshake(request: web.Request) -> errors.BadRequest:
    if request.headers.get("Sec-WebSocket-Version", VERSION) != VERSION:
        return WrongVersion(
            "WebSocket's version must be 13.", remedy=f"Send Sec-WebSocket-Version: {VERSION}."
        )
    return errors.BadRequest(
        "This is no WebSocket handshake.",
        remedy="Send Connection: Upgrade, Upgrade: websocket, and a Sec-WebSocket-Key of 16 bytes in base64.",
    )


def _too_many() -> errors.ServiceError:
    return sockets.TooManySockets(MOST_OPERATIONS, "operations on this socket")
