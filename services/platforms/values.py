"""Reading single values a platform sent: the value in our form, or None; never an exception.

What comes back fits PostgreSQL: no NUL, no lone surrogate, no number beyond int8, no year beyond 9999.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib import parse

INT8_MAX = 2**63 - 1
LAST_SECOND = 253_402_300_799  # of the year 9999
LONGEST_LIFE = 10 * 366 * 86_400  # a token's, in seconds; beyond it the number is a mistake
MESSAGE_LIMIT = 200

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
# Tokens, codes, secrets and URLs are unbroken; a platform that quotes one must not get it into our log.
_UNBROKEN = re.compile(r"\S{20,}")


def text(value: Any, limit: int | None = None) -> str | None:
    """A non-empty string without what PostgreSQL refuses, cut to `limit`."""
    if not isinstance(value, str):
        return None
    return _UNSTORABLE.sub("", value)[:limit] or None


def count(value: Any) -> int | None:
    """A whole number from 0 to int8; a bool, float, string or negative is no count."""
    if type(value) is not int:
        return None
    return value if 0 <= value <= INT8_MAX else None


def flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def url(value: Any) -> str | None:
    """An http(s) URL with a host: `javascript:` and `data:` must never reach a page."""
    clean = text(value)
    if clean is None:
        return None
    try:
        parts = parse.urlsplit(clean)
    except ValueError:
        return None
    return clean if parts.scheme in {"http", "https"} and parts.hostname else None


def moment(seconds: Any) -> datetime | None:
    """Unix seconds as an aware UTC time."""
    whole = count(seconds)
    return datetime.fromtimestamp(whole, UTC) if whole and whole <= LAST_SECOND else None


def end(start: datetime, seconds: Any) -> datetime | None:
    """When something ends that lives `seconds` from `start`."""
    life = count(seconds)
    return start + timedelta(seconds=life) if life is not None and life <= LONGEST_LIFE else None


def token(value: Any) -> str | None:
    """A secret that can be sent back in a header: printable ASCII without spaces."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None


def code(value: Any) -> str | None:
    """A platform's error code, or its log id: a short plain word."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def message(value: Any) -> str:
    """A platform's error text for our log: short, on one line, long unbroken runs taken out."""
    words = " ".join((text(value) or "").split())
    return _UNBROKEN.sub("[…]", words)[:MESSAGE_LIMIT]
