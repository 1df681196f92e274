"""Where a credential may stand in a request: the first non-empty place wins, there is no falling through."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

QUERY_KEYS = ("api_key", "apiKey")
WARNING = '299 - "A key in the address ends up in logs and histories: send it as X-API-Key"'


@dataclass(frozen=True)
class Credential:
    """A secret and whether it came in the address."""

    secret: str | None = field(repr=False)
    in_query: bool = False


def find(headers: Mapping[str, str], query: Mapping[str, str]) -> Credential:
    """X-API-Key, then Authorization: Bearer (any other scheme is ignored), then ?api_key= (or apiKey)."""
    key = headers.get("X-API-Key", "").strip()
    if key:
        return Credential(key)
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return Credential(token.strip())
    for name in QUERY_KEYS:
        if query.get(name, "").strip():
            return Credential(query[name].strip(), in_query=True)
    return Credential(None)


def of_request(request: web.Request) -> Credential:
    return find(request.headers, request.query)
