"""Where a request comes from, and the ranges it may come from.

The peer is the client, unless it is a proxy we trust: then what it forwarded counts, read from the right,
since everything left of the first hop we do not trust was written by the client itself.
"""

import functools
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# A peer without an address is a Unix socket: somebody on this machine.
HERE = ipaddress.IPv4Address("127.0.0.1")
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
MOST_HOPS = 50
_FORWARDED_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*("[^"]*"|[^";]*)', re.IGNORECASE)
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?\Z|([\d.]+):\d+\Z", re.ASCII)


def client_ip(peer: str | None, headers: Mapping[str, str], trusted: Sequence[Network]) -> Address:
    """The client's address: the peer's, or the right-most untrusted hop when the peer is a trusted proxy.

    A proxy passes on the header it does not write itself, so `X-Forwarded-For` and `Forwarded` that
    disagree prove nothing: then the peer's own address stands.
    """
    here = parse(peer or "") or HERE
    if not trusted or not within(here, trusted):
        return here
    plain = _last_untrusted(here, _values(headers, "x-forwarded-for"), trusted)
    standard = _last_untrusted(here, _forwarded(headers), trusted)
    if plain and standard and plain != standard:
        return here
    return plain or standard or here


def is_trusted(peer: str | None, trusted: Sequence[Network]) -> bool:
    """Whether the peer is a proxy whose word counts."""
    return within(parse(peer or "") or HERE, trusted)


def within(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)


@functools.lru_cache(maxsize=4_096)
def parse(text: str) -> Address | None:
    """An address as proxies write it: with or without port, brackets, quotes or zone. None for anything else."""
    bare = text.strip().strip('"').strip()
    match = _WITH_PORT.match(bare)
    if match:
        bare = match[1] or match[2] or ""
    try:
        found = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def network(text: str) -> Network:
    """A CIDR range or a single address, normalised. Raises ValueError with the reason."""
    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(
            "is not an IPv4 or IPv6 address or CIDR range, such as 203.0.113.0/24 or 2001:db8::/32"
        ) from None
    if isinstance(found, ipaddress.IPv6Network):
        if found.network_address.scope_id:
            raise ValueError("names a network interface, which means nothing elsewhere")
        if found.subnet_of(MAPPED):
            # Clients are compared by their IPv4 address, so the range must be IPv4 as well.
            inner = int(found.network_address) & 0xFFFF_FFFF
            found = ipaddress.IPv4Network((inner, found.prefixlen - MAPPED.prefixlen))
    if found.prefixlen == 0:
        raise ValueError("covers every address; leave the list empty to allow any")
    return found


def _last_untrusted(here: Address, hops: list[str], trusted: Sequence[Network]) -> Address | None:
    """Walks from the right; stops at what is no address, since what stands left of it cannot be vouched for."""
    if not hops:
        return None
    last = here
    for hop in reversed(hops[-MOST_HOPS:]):
        address = parse(hop)
        if address is None:
            return last
        last = address
        if not within(address, trusted):
            return last
    return last


def _forwarded(headers: Mapping[str, str]) -> list[str]:
    """The `for` of each hop of a `Forwarded` header; a hop without one counts as no address."""
    found = []
    for element in _values(headers, "forwarded"):
        match = _FORWARDED_FOR.search(element)
        found.append(match[1] if match else "")
    return found


def _values(headers: Mapping[str, str], name: str) -> list[str]:
    """All values of a header, over all its lines, in order."""
    return [value for value in _lines(headers, name) if value.strip()]


def _lines(headers: Mapping[str, str], name: str) -> Iterator[str]:
    for key, line in headers.items():
        if key.lower() == name:
            yield from line.split(",")
