"""What the headers of a request say: who asks, from where, and how it wants to be answered."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from graph import context as contexts
from server import browsers, credentials
from server.parts import Parts
from services import addresses, countries

# Read with each operation; most clients send none or few of them.
NAMES = (
    "Accept",
    "Accept-Encoding",
    "Content-Type",
    "Idempotency-Key",
    "X-Credits-Max",
    "X-Credits-Quote",
    "X-Credits-Receipt",
    "X-Debug",
    "X-Request-Id",
)
MOST_KEPT = 4_000  # sets of headers of the process: a client's differ by Content-Length alone
LONGEST_KEPT = 2_048  # bytes of one set: whoever sends it need have no key


@dataclass(slots=True)
class Heard:
    """`said`: those of NAMES that are there. `ip`: the visit's, as text. `again`: the same came before."""

    said: Mapping[str, str]
    credential: credentials.Credential
    visit: contexts.Visit
    ip: str
    again: bool = False


def hear(request: web.Request, parts: Parts) -> Heard:
    """Read them."""
    visit = _visit(request, parts)
    said = {name: request.headers[name] for name in NAMES if name in request.headers}
    return Heard(said, credentials.of_request(request), visit, str(visit.ip))


def hear_again(request: web.Request, parts: Parts) -> Heard:
    """As before, where the same peer brought the same headers before: clients mostly do. Not for addresses with a query."""
    raw, kept = request.raw_headers, parts.heard
    heard: Heard | None = kept.get((request.remote, raw))
    if heard is None:
        heard = hear(request, parts)
        if sum([len(name) + len(value) for name, value in raw]) <= LONGEST_KEPT:
            if len(kept) >= MOST_KEPT:
                kept.clear()
            kept[request.remote, raw] = heard
    else:
        heard.again = True
    return heard


def _visit(request: web.Request, parts: Parts) -> contexts.Visit:
    ip = addresses.client_ip(request.remote, request.headers, parts.settings.networks)
    hosts = (request.host.lower(), parts.settings.public_host)
    country = _told_country(request, parts) or parts.countries.of(ip)
    return contexts.Visit(ip, country, browsers.sent_by_page(request.headers, hosts))


def _told_country(request: web.Request, parts: Parts) -> str | None:
    """The country as a trusted proxy tells it."""
    name = parts.settings.country_header
    if not name or not addresses.is_trusted(request.remote, parts.settings.networks):
        return None
    return countries.code(request.headers.get(name))
