"""The form of a secret: `sk_live_` or `sk_test_`, 48 hex digits, and a checksum. Nothing here asks a database."""

import functools
import hashlib
import hmac
import re
import secrets
import zlib
from typing import Literal

Mode = Literal["LIVE", "TEST"]

RANDOM_BYTES = 24
CHECK_DIGITS = 6
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def mint(mode: Mode, prefix: str = "sk") -> str:
    """A new secret: 192 random bits and a checksum, so that a typo is told without asking the database."""
    body = f"{prefix}_{mode.lower()}_{secrets.token_hex(RANDOM_BYTES)}"
    return f"{body}_{checksum(body)}"


def checksum(body: str) -> str:
    """CRC32 in base 62, six digits."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECK_DIGITS):
        rest, digit = divmod(rest, len(BASE62))
        digits = BASE62[digit] + digits
    return digits


def looks_valid(secret: str, prefix: str = "sk") -> bool:
    """Whether a text can be a key at all. Says nothing about whether there is such a key."""
    if not _form(prefix).fullmatch(secret):
        return False
    body, _, check = secret.rpartition("_")
    return hmac.compare_digest(check, checksum(body))


@functools.lru_cache(maxsize=4_096)
def digest(secret: str) -> bytes:
    """What is kept of a secret. Plain SHA-256 will do: 192 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def hint(secret: str) -> str:
    """Enough to know a key by, and no more: what it begins with, and its last four characters."""
    prefix, mode, _ = secret.rsplit("_", 3)[:3]
    return f"{prefix}_{mode}_…{secret[-4:]}"


@functools.cache
def _form(prefix: str) -> re.Pattern[str]:
    return re.compile(
        rf"{re.escape(prefix)}_(live|test)_[0-9a-f]{{{2 * RANDOM_BYTES}}}_[0-9A-Za-z]{{{CHECK_DIGITS}}}",
        re.ASCII,
    )
