"""Instants in the contract's writing, in milliseconds: Python source, for assemblers, of how each is made.

From PostgreSQL's own writing, in UTC, or from a cursor that begins with it.
"""

import struct
from datetime import datetime, timedelta
from typing import Any

WHOLE = "2026-05-01 00:00:00+00"
HUNDREDTHS = "2026-05-01 00:00:00.01+00"
EPOCH = datetime(2000, 1, 1)  # noqa: DTZ001 -- PostgreSQL's, in UTC


def from_text(name: str) -> str:
    """Of whole seconds, of milliseconds and finer, and of all others."""
    whole = f'f"{{{name}[:10]}}T{{{name}[11:19]}}.000Z" if len({name}) == {len(WHOLE)}'
    is_exact = f'len({name}) > {len(HUNDREDTHS)} and {name}[19] == "." and {name}[-3] == "+"'
    exact = f'f"{{{name}[:10]}}T{{{name}[11:23]}}Z" if {is_exact}'
    return f"(None if {name} is None else {whole} else {exact} else instant({name}))"


def from_cursor(name: str) -> str:
    """Of microseconds since `EPOCH`: four look-ups take as long as cutting a text up, and the database writes none."""
    day = f"{{days[(ms := microseconds({name})[0] // 1000) // 86400000]}}"
    return f'f"{day}{{minutes[ms // 60000 % 1440]}}{{seconds[ms // 1000 % 60]}}{{millis[ms % 1000]}}"'


class _Days(dict[int, str]):
    """By their number since `EPOCH`, written once."""

    def __missing__(self, day: int) -> str:
        written = self[day] = f"{(EPOCH + timedelta(days=day)).date().isoformat()}T"
        return written


def _instant(text: str) -> str:
    """What a text of another length says."""
    day, _, clock = text.partition(" ")
    return f"{day}T{clock[:8]}.{clock[9:-3]:0<3.3}Z"


SCOPE: dict[str, Any] = {
    "instant": _instant,
    "microseconds": struct.Struct(">q").unpack_from,
    "days": _Days(),
    "minutes": [f"{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)],
    "seconds": [f"{second:02}." for second in range(60)],
    "millis": [f"{milli:03}Z" for milli in range(1000)],
}
"""What that source needs."""
