"""Instants leave PostgreSQL in its own writing, and us in the contract's."""

import random
from datetime import UTC, datetime, timedelta

from graph.planner import instants
from graph.scalars import instant

# asyncpg writes the very first as -infinity, and the last as infinity.
FIRST, LAST = datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_998, tzinfo=UTC)
SPAN = (LAST - FIRST) // timedelta(microseconds=1)


async def test_every_instant_is_written_in_utc_to_the_millisecond(database):
    units = (1, 1_000, 10_000, 1_000_000, 86_400_000_000)  # microseconds: with fewer and fewer digits behind
    some = [
        FIRST + timedelta(microseconds=random.randrange(SPAN) // unit * unit)
        for unit in units
        for _ in range(200)
    ]
    asked = [FIRST, LAST, *some]
    async with database.read() as connection:
        written, sent = await connection.fetchrow(
            "select array_agg(t::text), array_agg(timestamptz_send(t) || '\\xff') from unnest($1::timestamptz[]) t",
            asked,
        )
    assert [instants.SCOPE["instant"](text) for text in written] == [instant(at) for at in asked]
    made = eval(f"[{instants.from_text('s')} for s in written]", {"written": written, **instants.SCOPE})
    assert made == [instant(at) for at in asked]
    assert eval(instants.from_text("s"), {"s": None}) is None
    made = eval(f"[{instants.from_cursor('s')} for s in sent]", {"sent": sent, **instants.SCOPE})
    assert made == [instant(at) for at in asked]
