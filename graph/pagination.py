"""Relay connections: the arguments of a page, and cursors that are opaque and checked.

A cursor is base64 of value + id + 3 bytes of check. The check covers the account, the world, the list
and its order, so a cursor that was changed, or comes from another list, is refused instead of being
read as some other place. PostgreSQL makes the same bytes in the read itself (`planner.compile`).
"""

import base64
import binascii
import struct
import zlib
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


ValueKind = Literal["instant", "int", "float", "text"]
_PACKED = {"instant": ">q", "int": ">q", "float": ">d"}
_ID_BYTES = 16
_CHECK_BYTES = 3
_LONGEST = 700


@dataclass(frozen=True)
class Position:
    """A place in an ordered list: the order's value there (instants as PostgreSQL's microseconds), and the id."""

    value: Any
    id: UUID


def salt(account_id: UUID, livemode: bool, order: str) -> bytes:
    """What a cursor's check covers besides its own bytes."""
    return account_id.bytes + (b"L" if livemode else b"T") + order.encode()


def decode(cursor: str, kind: ValueKind, salt: bytes, argument: str) -> Position:
    """The place a cursor names. Raises BadUserInput for one that is not ours, was changed, or is of another list."""
    try:
        if len(cursor) > _LONGEST:
            raise ValueError(cursor)
        data = base64.b64decode(cursor.encode("ascii"), validate=True)
        body, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        if zlib.crc32(salt + body).to_bytes(4, "big")[-_CHECK_BYTES:] != check:
            raise ValueError(cursor)
        value, id = body[:-_ID_BYTES], UUID(bytes=body[-_ID_BYTES:])
        return Position(value.decode() if kind == "text" else struct.unpack(_PACKED[kind], value)[0], id)
    except (ValueError, binascii.Error, struct.error) as error:
        raise errors.BadUserInput(
            f"`{argument}` is not a cursor of this list.",
            remedy="Pass an endCursor or startCursor of the same field with the same orderBy.",
            argument=argument,
        ) from error
