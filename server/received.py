"""An HTTP request read as a GraphQL request, within time and size. Every refusal is one of ours, never a traceback."""

import asyncio
import functools
import re
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from graph.context import Asked
from server.heard import Heard
from services import errors

BODY_BYTES = 256 * 1024
BODY_SECONDS = 10
RESPONSE_JSON = "application/graphql-response+json"
JSON = "application/json"
EVENTS = "text/event-stream"
_OFFERED = {
    "*/*": JSON,
    "application/*": JSON,
    JSON: JSON,
    RESPONSE_JSON: RESPONSE_JSON,
    EVENTS: EVENTS,
    "text/*": EVENTS,
}
# What a message of a socket, which has no headers, says in `extensions`: the header that says the same, and its form.
_SAID = {
    "creditsMax": ("X-Credits-Max", int, "a whole number"),
    "creditsQuote": ("X-Credits-Quote", str, "text"),
    "creditsReceipt": ("X-Credits-Receipt", bool, "true or false"),
    "idempotencyKey": ("Idempotency-Key", str, "text"),
}
_SHA256 = re.compile(r"[0-9a-fA-F]{64}\Z")


async def read(request: web.Request, heard: Heard, request_id: str) -> Asked:
    """The operation asked for. Raises BadRequest, BodyTooLarge, UnsupportedMediaType, MethodNotAllowed."""
    if request.method == "GET":
        parameters = _from_query(request)
    elif request.method == "POST":
        parameters = _object(await _body(request, heard.said.get("Content-Type")), "The body")
    else:
        raise errors.MethodNotAllowed("Send POST, or GET for queries.", remedy="Use POST.")
    return asked(parameters, heard.said, heard.ip, heard.visit.country, request_id)


def asked(
    parameters: Mapping[str, Any],
    headers: Mapping[str, str],
    ip: str | None,
    country: str | None,
    request_id: str,
) -> Asked:
    """A GraphQL request, whatever carried it. Raises BadRequest."""
    document_id = _optional(parameters, "documentId", str, "text") or None
    document_hash = _persisted_hash(_optional(parameters, "extensions", dict, "an object"))
    return Asked(
        query=_query(parameters, needed=document_id is None and document_hash is None),
        operation_name=_optional(parameters, "operationName", str, "text"),
        variables=_optional(parameters, "variables", dict, "an object") or {},
        ip=ip,
        country=country,
        request_id=request_id,
        most_credits=_most_credits(headers),
        quote_only=headers.get("X-Credits-Quote", "").lower() == "only",
        receipt=headers.get("X-Credits-Receipt", "") == "1",
        idempotency_key=headers.get("Idempotency-Key"),
        document_id=document_id,
        document_hash=document_hash,
    )


def said_in_message(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The headers that a socket's message stands for. Raises BadRequest."""
    extensions = _optional(parameters, "extensions", dict, "an object") or {}
    said: dict[str, str] = {}
    for name, (header, kind, form) in _SAID.items():
        value: Any = extensions.get(name)
        if value is not None and type(value) is not kind:  # true is a number too, to Python
            raise errors.BadRequest(f"`extensions.{name}` must be {form}.")
        if value is not None:
            said[header] = value if isinstance(value, str) else format(value, "d")
    return said


def _from_query(request: web.Request) -> dict[str, Any]:
    """GET: query, operationName, and variables and extensions as JSON in text."""
    given: dict[str, Any] = {
        name: request.query[name]
        for name in ("query", "operationName", "documentId")
        if request.query.get(name)
    }
    for name in ("variables", "extensions"):
        if request.query.get(name):
            given[name] = _object(request.query[name].encode("utf-8", "surrogatepass"), f"`{name}`")
    return given


async def _body(request: web.Request, content_type: str | None) -> bytes:
    if content_type != JSON:  # as nearly everybody writes it
        _check_type(request)
    if request.content.is_eof():  # it came with its headers, as small ones do
        whole = request.content.read_nowait()
        _check_size(len(whole))
        return whole
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                _check_size(size)
                parts.append(chunk)
    except TimeoutError as error:
        raise errors.BadRequest(f"The body did not arrive within {BODY_SECONDS} seconds.") from error
    except (web.HTTPException, web.RequestPayloadError) as error:
        raise errors.BadRequest("The body cannot be read.") from error
    return b"".join(parts)


def is_json(request: web.Request) -> bool:
    """Whether the body is said to be JSON in UTF-8."""
    return request.content_type == JSON and _is_utf8(request)


def _check_type(request: web.Request) -> None:
    if request.content_type != JSON:
        raise errors.UnsupportedMediaType(
            "The body must be application/json.", remedy="Send Content-Type: application/json."
        )
    if not _is_utf8(request):
        raise errors.UnsupportedMediaType("The body must be UTF-8.", remedy="Send UTF-8.")


def _is_utf8(request: web.Request) -> bool:
    return (request.charset or "utf-8").lower().replace("_", "-") in {"utf-8", "utf8"}


def _check_size(size: int) -> None:
    if size > BODY_BYTES:
        raise errors.BodyTooLarge(
            f"The body is larger than {BODY_BYTES // 1024} KiB.", remedy="Send variables apart, ask for less."
        )


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise errors.BadRequest(
            f"{what} is not JSON.", remedy="Check quotes, commas and encoding (UTF-8)."
        ) from error
    if not isinstance(value, dict):
        text = "an array: send one operation a request" if isinstance(value, list) else "not an object"
        raise errors.BadRequest(f"{what} is {text}.", remedy='Send {"query": "…"}.')
    return value


def _query(parameters: Mapping[str, Any], *, needed: bool) -> str:
    query = parameters.get("query")
    if not needed and query in (None, ""):  # the package graphql-ws cannot send a message without the member
        return ""
    if not isinstance(query, str) or not query.strip():
        raise errors.BadRequest("`query` is missing.", remedy='Send {"query": "{ viewer { keyName } }"}.')
    return query


def _optional(parameters: Mapping[str, Any], name: str, kind: type, named: str) -> Any:
    value = parameters.get(name)
    if value is not None and not isinstance(value, kind):
        raise errors.BadRequest(f"`{name}` must be {named}.")
    return value


def _persisted_hash(extensions: Mapping[str, Any] | None) -> str | None:
    """What Apollo's clients send in place of, or beside, the text: its SHA-256 in hex."""
    told = (extensions or {}).get("persistedQuery")
    if told is None:
        return None
    if not isinstance(told, dict) or told.get("version") != 1:
        raise errors.BadRequest("`extensions.persistedQuery` must have `version` 1.")
    found = told.get("sha256Hash")
    if not isinstance(found, str) or not _SHA256.match(found):
        raise errors.BadRequest("`sha256Hash` must be 64 hex digits.")
    return found.lower()


def _most_credits(headers: Mapping[str, str]) -> int | None:
    text = headers.get("X-Credits-Max")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:  # noqa: PLR2004 -- more digits than any balance has
        raise errors.BadRequest("X-Credits-Max must be a whole number.")
    return int(text)


@functools.lru_cache(maxsize=256)
def answer_type(accept: str) -> str:
    """The media type to answer in: what Accept likes best of ours; events only where it likes them better than JSON.

    Raises NotAcceptable.
    """
    if not accept.strip():
        return JSON
    best, liked, streamed = None, 0.0, 0.0
    for part in accept.split(","):
        media, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        offered = _OFFERED.get(media.strip().lower())
        if offered == EVENTS:
            streamed = max(streamed, quality)
        elif offered and quality > liked:
            best, liked = offered, quality
    if streamed > liked:
        return EVENTS
    if best is None:
        raise errors.NotAcceptable(
            "Only JSON and event streams can be answered.", remedy=f"Send Accept: {RESPONSE_JSON}, {JSON}."
        )
    return best


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
