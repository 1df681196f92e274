"""Relay connections: the arguments of a page, and cursors that are opaque and checked.

A cursor is base64 of value + id + 3 bytes of check. The check covers the account, the world, the list
and its order, so a cursor that was changed, or comes from another list, is refused instead of being
read as some other place. PostgreSQL makes the same bytes in the read itself (`planner.compile`).
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

import strawberry

from services import errors

MOST = 100
DEFAULT = 20

First = Annotated[
    int | None,
    strawberry.argument(description="How many from the front, 1 to 100; without first and last: 20."),
]
After = Annotated[str | None, strawberry.argument(description="Only what comes after this cursor.")]
Last = Annotated[int | None, strawberry.argument(description="How many from the back, 1 to 100.")]
Before = Annotated[str | None, strawberry.argument(description="Only what comes before this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more comes after this page.")
    has_previous_page: bool = strawberry.field(description="Whether something comes before this page.")
    start_cursor: str | None = strawberry.field(
        description="Cursor of the first entry; null on an empty page."
    )
    end_cursor: str | None = strawberry.field(description="Cursor of the last entry; null on an empty page.")


def sized(arguments: Mapping[str, Any]) -> tuple[str, int]:
    """The argument that says how many, and how many. Raises BadUserInput outside 1 to 100."""
    first, last = arguments.get("first"), arguments.get("last")
    if first is not None and last is not None:
        raise errors.BadUserInput("Give `first` or `last`, not both.", argument="first")
    name, size = ("last", last) if last is not None else ("first", DEFAULT if first is None else first)
    if not 1 <= size <= MOST:
        raise errors.BadUserInput(f"`{name}` must be between 1 and {MOST}, not {size}.", argument=name)
    return name, size


ValueKind = Literal["instant", "int", "float", "text"]
_PACKED = {"instant": ">q", "int": ">q", "float": ">d"}
MINUS_INFINITY = -(2**63)  # PostgreSQL's
_EARLIEST, _LATEST = -63_082_281_600_000_000, 252_455_615_999_999_999  # microseconds: years 1 to 9999
ID_BYTES = 16
CHECK_BYTES = 3
_LONGEST = 4_000  # an order's value is in an index, whose rows have at most 2,704 bytes


@dataclass(frozen=True)
class Position:
    """A place in an ordered list: the order's value there (instants as PostgreSQL's microseconds), and the id."""

    value: Any
    id: UUID


def seed(account_id: UUID, livemode: bool, place: str) -> int:
    """What a cursor's check covers besides its own bytes, in 32 bits; `place` names the list and its order."""
    return zlib.crc32(account_id.bytes + (b"L" if livemode else b"T") + place.encode())


def decode(cursor: str, kind: ValueKind, seed: int, argument: str) -> Position:
    """The place a cursor names. Raises BadUserInput for one that is not ours, was changed, or is of another list."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError(cursor)
        data = base64.b64decode(cursor.encode("ascii"), validate=True)
        if (
            base64.b64encode(data).decode() != cursor
        ):  # bits after the last byte: changed, and not noticed above
            raise ValueError(cursor)
        body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
        if (zlib.crc32(body) ^ seed).to_bytes(4, "big")[-CHECK_BYTES:] != check:
            raise ValueError(cursor)
        value, id = body[:-ID_BYTES], UUID(bytes=body[-ID_BYTES:])
        return Position(_value(value, kind), id)
    except (ValueError, binascii.Error, struct.error) as error:
        raise errors.BadUserInput(
            f"`{argument}` is not a cursor of this list.",
            remedy="Pass an endCursor or startCursor of the same field with the same orderBy.",
            argument=argument,
        ) from error


def _value(data: bytes, kind: ValueKind) -> Any:
    """The order's value. The check is no secret, so this too refuses what no row can hold."""
    if kind == "text":
        if b"\x00" in data:
            raise ValueError(data)
        return data.decode()
    value = struct.unpack(_PACKED[kind], data)[0]
    if kind == "instant" and value != MINUS_INFINITY and not _EARLIEST <= value <= _LATEST:
        raise ValueError(value)
    return value
