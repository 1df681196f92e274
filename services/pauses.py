"""A platform's "stop" to one of ours is heard by all workers and processes: the gates of `services.platforms.gates`.

What is closed stands in the database; each process looks there once a second at most, and fails closed.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from db.away import is_away
from db.session import Database, raw
from services.platforms import base, gates

LOOK_SECONDS = 1.0

CLOSE = """
insert into platform_pauses as p (platform, livemode, endpoint, until) values ($1, $2, $3, $4)
on conflict (platform, livemode, endpoint) do update set until = greatest(p.until, excluded.until)
"""

CLOSED = """
select endpoint, until from platform_pauses
where platform = $1 and livemode = $2 and until > clock_timestamp()
"""


@dataclass
class Gate:
    """Implements `gates.Gate`."""

    database: Database
    platform: str
    livemode: bool
    _closed: dict[str, datetime] = field(init=False, default_factory=dict)
    _looked: float = field(init=False, default=float("-inf"))

    async def enter(self, endpoint: str) -> None:
        if asyncio.get_running_loop().time() - self._looked >= LOOK_SECONDS:
            await self._look()
        ends = [self._closed[one] for one in (endpoint, gates.EVERYTHING) if one in self._closed]
        if ends and max(ends) > datetime.now(UTC):
            raise base.BudgetSpent("paused", "The platform asked all of ours to stop.", retry_at=max(ends))

    async def close(self, endpoint: str, until: datetime) -> None:
        """At once in this process; a database that is away is told by whoever meets the limit next."""
        self._closed[endpoint] = max(until, self._closed.get(endpoint, until))
        try:
            async with self.database.write() as session:
                await (await raw(session)).execute(CLOSE, self.platform, self.livemode, endpoint, until)
        except Exception as error:
            if not is_away(error):
                raise

    async def _look(self) -> None:
        try:
            async with self.database.write() as session:
                rows = await (await raw(session)).fetch(CLOSED, self.platform, self.livemode)
        except Exception as error:
            if not is_away(error):
                raise
            raise base.Transient("budget_away", f"{self.platform}: {type(error).__name__}") from None
        self._closed = {row["endpoint"]: row["until"] for row in rows}
        self._looked = asyncio.get_running_loop().time()
