"""The scalars of the contract: what comes in is checked at the edge, what goes out is JSON as it is."""

import re
from datetime import UTC, datetime
from typing import Any, NewType
from urllib.parse import urlsplit

import strawberry
from graphql import GraphQLError

DateTime = NewType("DateTime", datetime)
BigInt = NewType("BigInt", int)
URL = NewType("URL", str)

MOST_BIG_INT = 2**53 - 1
LONGEST_URL = 2_000
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)


def instant(at: datetime) -> str:
    """An instant as the contract writes it: UTC, milliseconds, Z."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _write_instant(value: Any) -> str:
    return instant(value) if isinstance(value, datetime) else str(value)


def _read_instant(value: Any) -> datetime:
    if not isinstance(value, str) or not _RFC3339.match(value):
        raise GraphQLError("DateTime must be RFC 3339, such as 2026-05-01T00:00:00.000Z.")
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value.upper())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise GraphQLError("DateTime names no instant between years 1 and 9999.") from error


def _read_big_int(value: Any) -> int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or abs(whole) > MOST_BIG_INT:
        raise GraphQLError("BigInt must be a whole number between -(2^53 - 1) and 2^53 - 1.")
    return whole


def _read_url(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_URL:
        raise GraphQLError(f"URL must be text of at most {LONGEST_URL:,} characters.")
    try:
        parts = urlsplit(value)
    except ValueError as error:
        raise GraphQLError("URL cannot be read.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable():
        raise GraphQLError("URL must be absolute, http or https.")
    return value


SCALARS: dict[object, Any] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="An instant, RFC 3339, UTC, milliseconds: 2026-05-01T00:00:00.000Z",
        serialize=_write_instant,
        parse_value=_read_instant,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number up to 2^53 - 1, sent as a JSON number. View counts outgrow Int.",
        serialize=lambda value: value,
        parse_value=_read_big_int,
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute http or https address.",
        serialize=lambda value: value,
        parse_value=_read_url,
    ),
}
