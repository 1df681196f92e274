"""POST and GET /graphql: bytes in, bytes out. Every answer is JSON, in one shape, with its request id."""

import functools
import random
import re
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import structlog
from aiohttp import web

from graph import context as contexts
from graph import errors as reporting
from graph import execution
from graph.execution import Answer
from server import again, browsers, cors, credentials, encoding, operations, received, sockets, streams
from server import heard as hearing
from server.parts import MAY_CANCEL, PARTS, REQUEST_ID, Parts
from server.whole import Whole
from services import callers, errors

log = structlog.get_logger()
SLOW_SECONDS = 1.0
_REQUEST_ID = re.compile(r"[\w.:-]{1,64}\Z", re.ASCII)
# Refusals of a document that application/json tells with 200, as GraphQL over HTTP has it.
_WELL_FORMED = streams.OF_THE_DOCUMENT | {"PERSISTED_QUERY_NOT_FOUND"}
VARY = "Accept, Accept-Encoding, Authorization, Origin, X-API-Key"
CHALLENGE = 'Bearer realm="creator-graph"'
# On every answer.
SAFE = {"Server": "creator-graph", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
# And on every one that is not a stream, where it says nothing else.
UNKEPT = {"Cache-Control": "no-store", **SAFE}
# The same as lines, of answers to operations.
_STANDING = {
    media: "".join(
        f"{name}: {value}\r\n"
        for name, value in {"Content-Type": f"{media}; charset=utf-8", **UNKEPT}.items()
    )
    for media in (received.JSON, received.RESPONSE_JSON)
}


async def posted(parts: Parts, heads: again.Heads, request: web.Request) -> web.StreamResponse:
    """POST /graphql, ahead of aiohttp's router and middlewares."""
    heard = hearing.hear_again(request, parts)
    response = await _posted(request, parts, heard)
    if response.status == 200:  # noqa: PLR2004 -- HTTP
        heads.learn(request, heard)
    return response


def repeated(parts: Parts, request: again.Repeated, heard: hearing.Heard) -> Awaitable[Whole]:
    """POST /graphql whose head came before: the way nearly every request comes."""
    return cast("Awaitable[Whole]", _posted(cast("web.Request", request), parts, heard))


async def _posted(request: web.Request, parts: Parts, heard: hearing.Heard) -> web.StreamResponse:
    started = _begin(request, heard.said.get("X-Request-Id"))
    return _finish(request, parts, await _graphql(request, parts, heard), started)


async def graphql(request: web.Request) -> web.StreamResponse:
    """One operation over HTTP, its events, or a socket for many."""
    parts = request.app[PARTS]
    return await _graphql(request, parts, hearing.hear(request, parts))


async def _graphql(request: web.Request, parts: Parts, heard: hearing.Heard) -> web.StreamResponse:
    request_id = request[REQUEST_ID]
    headers: dict[str, str] = {}
    media = received.JSON
    try:
        if request.method != "POST":
            done = await _without_body(request, parts, heard.visit)
            if done is not None:
                return done
        if heard.credential.in_query:
            headers["Warning"] = credentials.WARNING
        wanted = received.answer_type(heard.said.get("Accept", ""))
        if wanted == received.EVENTS:
            streamed = await _streamed(request, parts, heard, headers)
            if isinstance(streamed, web.StreamResponse):
                return streamed
            answer = streamed
        else:
            media = wanted
            answer = await _answer(request, parts, heard, headers)
        headers |= _credit_headers(answer)
    except errors.ServiceError as refusal:
        answer = operations.refused(refusal, request_id)
        headers |= _credit_headers(answer) | _refusal_headers(refusal)
    except Exception as error:  # noqa: BLE001 -- the last net: masked and logged whole
        answer = _unexpected(error, request_id)
        headers |= _retry_headers(answer)
    response = _response(answer, media, headers)
    if encoding.is_long(response) and (how := encoding.coding(heard.said.get("Accept-Encoding", ""))):
        await encoding.shorten(response, how)
    return response


async def _without_body(
    request: web.Request, parts: Parts, visit: contexts.Visit
) -> web.StreamResponse | None:
    """A socket, or a browser that asks first; None for a GET like any other."""
    if request.method == "GET" and sockets.wanted(request):
        return await sockets.serve(request, parts, visit)
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return cors.preflight(request, parts.settings.cors)
    return None


async def _streamed(
    request: web.Request, parts: Parts, heard: hearing.Heard, headers: dict[str, str]
) -> web.StreamResponse | Answer:
    """Events; an answer where the operation was refused before the first."""
    credential = credentials.of_stream(request)
    if credential.in_query:
        headers["Warning"] = credentials.WARNING
    caller, asked = await _let_in(request, parts, credential.secret, heard, headers)
    client = operations.Client(parts, heard.visit, credential.secret)
    headers = headers | {"X-Request-Id": request[REQUEST_ID], **SAFE}
    if parts.settings.cors:
        cors.tell(headers, request, parts.settings.cors)
    return await streams.respond(request, client, caller, asked, headers)


async def _let_in(
    request: web.Request, parts: Parts, secret: str | None, heard: hearing.Heard, headers: dict[str, str]
) -> tuple[callers.Caller, contexts.Asked]:
    """Who asks, and what: counted, and with its text. Raises whatever refuses before an operation runs."""
    visit = heard.visit
    caller, allowance = await contexts.build_context(parts.services, secret, visit, datetime.now(UTC))
    headers |= allowance.headers()
    if contexts.is_exposed(caller, visit):
        headers["Warning"] = ", ".join(filter(None, (headers.get("Warning"), browsers.EXPOSED)))
    await contexts.check_exposure(parts.services, caller, visit)
    try:
        asked = await received.read(request, heard, request[REQUEST_ID])
        if asked.document_id is not None or asked.document_hash is not None or caller.trusted_only:
            asked = await parts.persisted.resolve(caller, asked)
        if request.method == "GET" and await operations.kind_of(parts, asked) == "mutation":
            raise errors.MethodNotAllowed("Mutations need POST.", remedy="Send POST.")
    except Exception as failure:
        await contexts.refused(parts.services, caller, failure, visit)
        raise
    return caller, asked


async def _answer(
    request: web.Request, parts: Parts, heard: hearing.Heard, headers: dict[str, str]
) -> Answer:
    caller, asked = await _let_in(request, parts, heard.credential.secret, heard, headers)
    request[MAY_CANCEL] = functools.partial(_is_read, parts, asked)
    answer = await execution.answer(parts.engine, parts.services, caller, asked, datetime.now(UTC))
    if answer.replayed:
        headers["Idempotent-Replayed"] = "true"
    if answer.path and heard.said.get("X-Debug") == "path":
        headers["X-Execution-Path"] = answer.path
    return answer


def _is_read(parts: Parts, asked: contexts.Asked) -> bool:
    """What may end when nobody waits for it any more."""
    return operations.kind_at_once(parts, asked) != "mutation"


def _unexpected(error: Exception, request_id: str) -> Answer:
    known = reporting.expected(error)
    if known:
        return Answer(known.status, errors=reporting.refused(known), refused=known.code)
    return Answer(500, errors=[reporting.masked(error, request_id)], refused="INTERNAL")


def _refusal_headers(refusal: errors.ServiceError) -> dict[str, str]:
    headers: dict[str, str] = {}
    if isinstance(refusal, errors.MethodNotAllowed):
        headers["Allow"] = "GET, POST"
    if isinstance(refusal, sockets.WrongVersion):
        headers["Sec-WebSocket-Version"] = sockets.VERSION
    if "retryAfter" in refusal.extra:
        headers["Retry-After"] = str(refusal.extra["retryAfter"])
    if isinstance(refusal, errors.RateLimited):
        headers |= refusal.headers
    return headers


def _credit_headers(answer: Answer) -> dict[str, str]:
    """The same as extensions.credits: some clients hide extensions."""
    headers: dict[str, str] = {}
    if answer.balance:
        headers = {
            "X-Credits-Charged": str(answer.balance.charged),
            "X-Credits-Remaining": str(answer.balance.remaining),
            "X-Credits-Limit": str(answer.balance.limit),
            "X-Credits-Reset": str(int(answer.balance.reset_at.timestamp())),
        }
    elif answer.refused:
        headers = {"X-Credits-Charged": "0"}
    return headers | _retry_headers(answer) if answer.errors else headers


def _retry_headers(answer: Answer) -> dict[str, str]:
    retry = next(
        (e["extensions"]["retryAfter"] for e in answer.errors if "retryAfter" in e.get("extensions", {})),
        None,
    )
    return {"Retry-After": str(retry)} if retry is not None else {}


def _response(answer: Answer, media: str, headers: dict[str, str]) -> Whole:
    status = answer.status
    if media == received.JSON and answer.refused in _WELL_FORMED and status == 400:  # noqa: PLR2004 -- HTTP
        status = 200
    if status == 401:  # noqa: PLR2004 -- HTTP; whoever found out that the credential is not good, settlement too
        headers = {"WWW-Authenticate": CHALLENGE, **headers}
    return Whole(status, {"Vary": VARY, **headers}, orjson.dumps(answer.body()), _STANDING[media])


@web.middleware
async def identified(request: web.Request, handler: Any) -> web.StreamResponse:
    """Give each request an id (one sent in is kept), log it without its query, and hide what we run on."""
    started = _begin(request, request.headers.get("X-Request-Id"))
    try:
        response: web.StreamResponse = await handler(request)
    except web.HTTPException as error:
        response = _plain_refusal(error, request[REQUEST_ID])
    except Exception as error:  # noqa: BLE001 -- the last net of every address: masked and logged whole
        answer = _unexpected(error, request[REQUEST_ID])
        response = _response(answer, received.JSON, _retry_headers(answer))
    return _finish(request, request.app[PARTS], response, started)


def _begin(request: web.Request, given: str | None) -> float:
    if given is None or not _REQUEST_ID.match(given):
        given = f"req_{random.getrandbits(128):032x}"
    request[REQUEST_ID] = given
    return time.monotonic()


def _finish(
    request: web.Request, parts: Parts, response: web.StreamResponse, started: float
) -> web.StreamResponse:
    """What every answer carries, and its line in the log."""
    if not response.prepared:
        if parts.connections.leaving:
            response.force_close()
        if parts.settings.cors:
            cors.tell(response.headers, request, parts.settings.cors)
        response.headers["X-Request-Id"] = request[REQUEST_ID]
        if not isinstance(response, Whole):
            for name, value in UNKEPT.items():
                response.headers.setdefault(name, value)
    _write_down(request, parts, response.status, time.monotonic() - started)
    return response


def _write_down(request: web.Request, parts: Parts, status: int, took: float) -> None:
    """A line for what was refused, failed or slow; for the rest at level debug alone: usage rows tell of them."""
    worth_a_line = status >= 400 or took > SLOW_SECONDS  # noqa: PLR2004 -- HTTP
    if worth_a_line or parts.settings.log_level == "debug":
        (log.info if worth_a_line else log.debug)(
            "request",
            request_id=request[REQUEST_ID],
            method=request.method,
            path=request.path,
            status=status,
            ms=round(took * 1000, 1),
        )


def _plain_refusal(error: web.HTTPException, request_id: str) -> web.StreamResponse:
    """What aiohttp refuses by itself, in our shape; redirects pass."""
    if isinstance(error, web.HTTPRedirection):
        return web.Response(status=error.status, headers={"Location": error.headers["Location"]})
    codes = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}
    code = codes.get(error.status, "BAD_REQUEST" if error.status < 500 else "INTERNAL")  # noqa: PLR2004 -- HTTP
    body = {"errors": [{"message": error.reason, "extensions": {"code": code, "requestId": request_id}}]}
    allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return web.json_response(body, status=error.status, headers=allowed)
