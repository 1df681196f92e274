"""What to look at again, and when: a tick at once, and one for every hint that something may have moved.

Subscribed first, then read, then waited: nothing is missed in between. A tick says "look again", not what
is true; whoever is woken for nothing finds the same as before.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from db.away import is_away
from db.session import Connection, Database
from services import connecting, errors, events, sync

T = TypeVar("T")

REREAD_SECONDS = 30.0
OUTAGE_SECONDS = 60.0
RETRY_SECONDS = 1.0
# Clocks of machines differ; who is named twice is found unchanged.
MARGIN = timedelta(seconds=30)

STATUS = """
select status from syncs
where account_id = $1 and livemode = $2 and id = $3 and ($4::uuid[] is null or creator_id = any($4))
"""
KNOWN = """
select count(*) from creators
where account_id = $1 and livemode = $2 and id = any($3) and ($4::uuid[] is null or id = any($4))
"""
# Only after hints may have been lost.
MOVED = """
select distinct creator_id from syncs
where account_id = $1 and livemode = $2 and finished_at >= $3
  and ($4::uuid[] is null or creator_id = any($4)) and ($5::uuid[] is null or creator_id = any($5))
"""


class Follower:
    """Who follows: one account in one world, held to certain creators or to none."""

    def __init__(
        self,
        database: Database,
        listener: events.Events,
        account_id: UUID,
        livemode: bool,
        allowed: frozenset[UUID] | None,
    ) -> None:
        self._database, self._events = database, listener
        self._whose = (account_id, livemode)
        self._allowed = None if allowed is None else list(allowed)

    async def sync(self, sync_id: UUID) -> AsyncGenerator[UUID, None]:
        """Ticks of a sync; ends behind the one that saw its end. Raises NotFound, also when it was erased."""
        with self._events.subscribe(events.SYNC, str(sync_id)) as hints:
            while True:
                status = await self._read(
                    lambda connection: connection.fetchval(STATUS, *self._whose, sync_id, self._allowed)
                )
                if status is None:
                    raise errors.NotFound("sync")
                yield sync_id
                if status in sync.ENDED:
                    return
                await hints.wait(REREAD_SECONDS)

    async def attempt(self, state: str) -> AsyncGenerator[connecting.Attempt, None]:
        """How a connect stands; ends with its end. Raises NotFound."""
        with self._events.subscribe(events.CONNECT, connecting.hint(state)) as hints:
            while True:
                found = await self._read(
                    lambda connection: connecting.attempt(connection, *self._whose, state, datetime.now(UTC))
                )
                if found is None:
                    raise errors.NotFound("connect")
                yield found
                if found.status != "PENDING":
                    return
                left = (found.expires_at - datetime.now(UTC)).total_seconds()
                await hints.wait(min(max(left, 1.0), REREAD_SECONDS))

    async def creators(self, wanted: Sequence[UUID] | None) -> AsyncGenerator[UUID, None]:
        """Creators that a sync changed; those wanted by id once at once. Raises NotFound for one not there."""
        world = "live" if self._whose[1] else "test"
        with self._events.subscribe(events.CREATOR, f"{self._whose[0]}:{world}") as hints:
            since = datetime.now(UTC)
            for creator_id in await self._known(wanted or ()):
                yield creator_id
            while True:
                heard = await hints.wait(REREAD_SECONDS)
                looked = datetime.now(UTC)
                if heard is None:
                    continue
                moved = self._named(heard, wanted) if heard else await self._moved(wanted, since - MARGIN)
                since = looked
                for creator_id in moved:
                    yield creator_id

    async def _known(self, wanted: Sequence[UUID]) -> Sequence[UUID]:
        unique = list(dict.fromkeys(wanted))
        if unique:
            known = await self._read(
                lambda connection: connection.fetchval(KNOWN, *self._whose, unique, self._allowed)
            )
            if known != len(unique):
                raise errors.NotFound("creator")
        return unique

    def _named(self, heard: frozenset[str], wanted: Sequence[UUID] | None) -> list[UUID]:
        named = {UUID(payload.rpartition(":")[2]) for payload in heard}
        for held in (wanted, self._allowed):
            named = named if held is None else named.intersection(held)
        return sorted(named)

    async def _moved(self, wanted: Sequence[UUID] | None, since: datetime) -> list[UUID]:
        held = None if wanted is None else list(wanted)
        rows = await self._read(
            lambda connection: connection.fetch(MOVED, *self._whose, since, self._allowed, held)
        )
        return [row["creator_id"] for row in rows]

    async def _read(self, read: Callable[[Connection], Awaitable[T]]) -> T:
        """What is read; an outage is sat out, since it wakes everybody: hints come over a connection of their own."""
        clock = asyncio.get_running_loop().time
        until = clock() + OUTAGE_SECONDS
        while True:
            try:
                async with self._database.read() as connection:
                    return await read(connection)
            except Exception as error:
                if not is_away(error) or clock() >= until:
                    raise
            await asyncio.sleep(RETRY_SECONDS)
