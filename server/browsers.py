"""Whether a page of somebody else's, in a browser, sent a request: told by what browsers add and pages cannot change."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

EXPOSED = (
    '299 - "A server key was sent by a page in a browser, where anybody can read it: '
    'rotate it, and use an access token there"'
)
OURS = frozenset({"same-origin", "none"})  # none: typed, or a bookmark


def sent_by_page(headers: Mapping[str, str], own_hosts: Sequence[str]) -> bool:
    """By Sec-Fetch-Site, which all browsers of today send; by Origin where it is missing.

    Sec-Fetch-Mode alone proves nothing: Node's own fetch sends it from servers.
    """
    site = headers.get("Sec-Fetch-Site", "").strip().lower()
    if site:
        return site not in OURS
    origin = headers.get("Origin", "").strip().lower()
    return bool(origin) and _host(origin) not in own_hosts


def _host(origin: str) -> str | None:
    """Host and port; None for `null` and whatever else is no web origin."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
