"""How many sockets and event streams an account or a token may have at once, over all processes.

Each is a row that counts as long as its process says that it lives. A process that dies takes its rows
with it after LEASE; one that was only cut off writes them again.
"""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

import structlog

from db.away import is_away
from db.session import Connection, Database, raw
from services import callers, errors

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=45)
BEAT_SECONDS = 10.0
RETRY_SECONDS = 0.3
COME_AGAIN_SECONDS = 5  # what a client needs to close another

Kind = Literal["SOCKET", "STREAM"]

# The account's row is held, so that of two who come at once one sees the other.
# What is written here need not outlive a crash: no commit waits for the disk.
MOST = """
select coalesce(a.max_websockets, p.max_websockets), set_config('synchronous_commit', 'off', true)
  from accounts a join plans p on p.name = a.plan where a.id = $1 for no key update of a
"""
CLAIM = """
with living as (
  select s.token from open_sockets s join socket_processes p on p.id = s.process_id
  where s.account_id = $1 and s.livemode = $2 and s.kind = $3 and p.alive_until > now()
)
insert into open_sockets (account_id, id, livemode, kind, token, process_id)
select $1, $4, $2, $3, $5, $6
where ($7::bigint = 0 or (select count(*) from living) < $7)
  and ($5::bytea is null or (select count(*) from living where token = $5) < $8)
returning id
"""
BEAT = """
insert into socket_processes as p (id, alive_until) values ($1, now() + $2::interval)
on conflict (id) do update set alive_until = excluded.alive_until
returning p.xmax = 0 as is_new
"""
# After a crash of the database, or longer than LEASE away from it.
AGAIN = """
insert into open_sockets (account_id, id, livemode, kind, token, process_id)
select a, i, l, k, t, $6 from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[], $5::bytea[]) as x(a, i, l, k, t)
on conflict do nothing
"""
BURY = """
with dead as (delete from socket_processes where alive_until < now() - interval '5 minutes' returning id)
delete from open_sockets s using dead d where s.process_id = d.id
"""
LEAVE = """
with gone as (delete from socket_processes where id = $1)
delete from open_sockets where process_id = $1
"""
RELEASE = "delete from open_sockets where process_id = $1 and id = any($2::uuid[])"


class TooManySockets(errors.ServiceError):
    code, status = "RATE_LIMITED", 429

    def __init__(self, most: int, what: str) -> None:
        super().__init__(
            f"Too many {what}: {most} may be open at once.",
            remedy="Close others first; run several operations over one socket; or choose a larger plan.",
            reason="SOCKETS",
            limit=most,
            retryAfter=COME_AGAIN_SECONDS,
        )


@dataclass(frozen=True)
class Place:
    """One of the places of an account, taken."""

    id: UUID
    account_id: UUID
    livemode: bool
    kind: Kind
    token: bytes | None


class Sockets:
    """The places that this process holds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._process: UUID | None = None
        self._held: dict[UUID, Place] = {}
        self._left: set[UUID] = set()
        self._beating: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Places can be taken while the block runs; whatever is still held is given back with its end."""
        try:
            yield
        finally:
            for task in filter(None, (self._beating, self._leaving)):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            if self._process is not None:
                await self._gone(self._process)

    async def take(self, caller: callers.Caller, secret: str, kind: Kind) -> Place:
        """Raises TooManySockets, Unavailable."""
        is_token = caller.token_expires_at is not None
        token = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest() if is_token else None
        place = Place(uuid.uuid4(), caller.account_id, caller.livemode, kind, token)
        try:
            most = await self._claim(place, caller.max_websockets)
            if most is not None:  # one that just ended may not be written off yet
                await asyncio.sleep(RETRY_SECONDS)
                most = await self._claim(place, caller.max_websockets)
        except BaseException as error:
            self._write_off([place])  # it may be taken all the same: a commit's answer gets lost
            if is_away(error):
                raise errors.Unavailable from error
            raise
        if most is not None:
            raise TooManySockets(most, "sockets" if kind == "SOCKET" else "event streams")
        self._held[place.id] = place
        return place

    def give_back(self, place: Place) -> None:
        """At leisure, and for all that end at once in one go."""
        if self._held.pop(place.id, None) is not None:
            self._write_off([place])

    def _write_off(self, places: Iterable[Place]) -> None:
        self._left.update(place.id for place in places)
        if self._left and (self._leaving is None or self._leaving.done()):
            self._leaving = asyncio.create_task(self._leave(), name="sockets given back")

    async def _claim(self, place: Place, token_most: int) -> int | None:
        """None: taken. Else how many there may be."""
        self._process = self._process or uuid.uuid4()
        left = list(self._left)
        async with self._database.write() as session:
            connection = await raw(session)
            if self._beating is None:
                await connection.execute(BEAT, self._process, LEASE)
            if left:
                await connection.execute(RELEASE, self._process, left)
            most: int = await connection.fetchval(MOST, place.account_id)
            values = (place.account_id, place.livemode, place.kind, place.id, place.token, self._process)
            taken = await connection.fetchval(CLAIM, *values, most, token_most)
        self._left.difference_update(left)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="sockets held")
        if taken is not None:
            return None
        return most if place.token is None else min(most or token_most, token_most)

    async def _leave(self) -> None:
        while self._left:
            left = set(self._left)
            try:
                async with self._database.write() as session:
                    await (await raw(session)).execute(RELEASE, self._process, list(left))
                self._left -= left
            except Exception as error:
                if not is_away(error):
                    raise
                await asyncio.sleep(1)

    async def _gone(self, process: UUID) -> None:
        try:
            async with self._database.write() as session:
                await (await raw(session)).execute(LEAVE, process)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("sockets.left_to_expire", kind=type(error).__name__)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                held: list[Place] = []
                async with self._database.write() as session:
                    connection = await raw(session)
                    if await connection.fetchval(BEAT, self._process, LEASE):
                        held = list(self._held.values())
                        await self._write_again(connection, held)
                    await connection.execute(BURY)
                self._write_off(place for place in held if place.id not in self._held)
            except Exception as error:  # noqa: BLE001 -- the next beat may be heard
                log.warning("sockets.beat_missed", kind=type(error).__name__)

    async def _write_again(self, connection: Connection, held: Sequence[Place]) -> None:
        columns = [
            [getattr(place, name) for place in held]
            for name in ("account_id", "id", "livemode", "kind", "token")
        ]
        await connection.execute(AGAIN, *columns, self._process)
