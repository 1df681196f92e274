"""Where a credential may stand in a request: the first non-empty place wins, there is no falling through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import MultiDict, MultiDictProxy, MultiMapping

QUERY_KEYS = ("api_key", "apiKey")
INIT_KEYS = {"apikey", "x-api-key"}
TOKENS = ("access_token", "jwtKey")
_NO_QUERY: MultiMapping[str] = MultiDictProxy(MultiDict())
WARNING = '299 - "A key in the address ends up in logs and histories: send it as X-API-Key"'


@dataclass(slots=True)
class Credential:
    """A secret and whether it came in the address."""

    secret: str | None = field(repr=False)
    in_query: bool = False


def find(headers: MultiMapping[str], query: MultiMapping[str]) -> Credential:
    """X-API-Key, then Authorization: Bearer (any other scheme is ignored), then ?api_key= (or apiKey).

    Of a place that is there twice, the first non-empty counts.
    """
    for line in headers.getall("X-API-Key", ()):
        if secret := line.strip():
            return Credential(secret)
    for line in headers.getall("Authorization", ()):
        if secret := _bearer(line):
            return Credential(secret)
    for name in QUERY_KEYS:
        for secret in filter(None, map(str.strip, query.getall(name, ()))):
            return Credential(secret, in_query=True)
    return Credential(None)


def _bearer(line: str) -> str:
    scheme, _, token = line.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def of_stream(request: web.Request) -> Credential:
    """As everywhere; then ?access_token= (or jwtKey): a browser's WebSocket and EventSource send no headers."""
    found = of_request(request)
    if found.secret is not None:
        return found
    for name in TOKENS:
        for secret in filter(None, map(str.strip, request.query.getall(name, ()))):
            return Credential(secret, in_query=True)
    return found


def of_init(payload: Mapping[str, Any]) -> Credential:
    """What connection_init brings, a key first as everywhere; read only where the request brought nothing."""
    texts = [(name.lower(), value.strip()) for name, value in payload.items() if isinstance(value, str)]
    keys = (value for name, value in texts if name in INIT_KEYS)
    bearers = (_bearer(value) for name, value in texts if name == "authorization")
    return Credential(next(filter(None, (*keys, *bearers)), None))


def of_request(request: web.Request) -> Credential:
    return find(request.headers, request.query if "?" in request.raw_path else _NO_QUERY)
