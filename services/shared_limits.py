"""Requests a minute, counted for several processes together: in PostgreSQL, or in Redis where that is set.

The same GCRA as in memory, in whole microseconds of the store's own clock. Requests of one caller that come
while the store is asked go together in its next round; a round asks once for each account, so that what it
decides for one key cannot bear on another's. When the store is away, each process goes on with its share in
memory, from where it last saw the store.
"""

import asyncio
import collections
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from services import callers, errors, rate_limits
from services.rate_limits import Allowance, Bucket

log = logging.getLogger(__name__)

MICROSECOND = 1_000
"""In nanoseconds, which is what `rate_limits` counts in."""
PATIENCE = 0.5
AWAY_SECONDS = 1.0
COUNT_NODES_SECONDS = 5.0
# Of so many counts, ten minutes of them, the highest holds: a node that lost the store a moment ago still lets its share through.
COUNTS_KEPT = 120
MOST_AT_ONCE = 200


class Limit(NamedTuple):
    """A bucket's limit in microseconds: a request takes `step`, the bucket holds `window`. 0: unlimited."""

    step: int
    window: int

    @classmethod
    def of(cls, requests_per_minute: int) -> "Limit":
        if not requests_per_minute:
            return cls(0, 0)
        step = -(-rate_limits.WINDOW_SECONDS * 1_000_000 // requests_per_minute)
        return cls(step, step * requests_per_minute)


class Wish(NamedTuple):
    """So many requests of one caller at once."""

    caller: callers.Caller
    many: int
    key: Limit
    account: Limit
    seen: tuple[int, int]
    """When its two buckets are full again, as this node last saw them."""


class Told(NamedTuple):
    """How many of a wish passed, by the store's clock, and how full its buckets were before."""

    passed: int
    at: int
    key_level: int
    account_level: int


class Store(Protocol):
    """Where buckets are that several processes share."""

    async def take(self, wishes: Sequence[Wish]) -> list[Told]: ...

    async def nodes(self) -> int:
        """How many processes share it."""
        ...

    async def close(self) -> None: ...


@dataclass
class _Waiting:
    caller: callers.Caller
    now: datetime
    future: asyncio.Future[Allowance] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class SharedLimits:
    """Counts in a store; in this process's share of the limits while the store is away.

    `at_least`: so many processes there are, whatever is counted. `elsewhere`: counts them while the store is away.
    """

    def __init__(
        self,
        store: Store,
        *,
        away_seconds: float = AWAY_SECONDS,
        patience: float = PATIENCE,
        at_least: int = 1,
        elsewhere: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._store, self._elsewhere = store, elsewhere
        self._turn = asyncio.Lock()
        """A store has one connection, for rounds and for counts."""
        self._seen = rate_limits.RateLimits()
        """Buckets as they were last seen; while the store is away, as they would be if all nodes did as this one."""
        self._share = rate_limits.RateLimits()
        """This process's share of each bucket: what it let through itself counts once for every node."""
        self._queue: collections.deque[_Waiting] = collections.deque()
        self._work: asyncio.Task[None] | None = None
        self._away_seconds, self._patience = away_seconds, patience
        self._away_until = 0.0
        self._counted_at = float("-inf")
        self._counts: collections.deque[int] = collections.deque([at_least], maxlen=COUNTS_KEPT)
        self._at_least = self.nodes = at_least

    def take(self, caller: callers.Caller, now: datetime) -> "Allowance | asyncio.Future[Allowance]":
        """Count one request. Raises RateLimited, at once or when it is awaited."""
        if not caller.requests_per_minute and not caller.account_requests_per_minute:
            return self._share.take(caller, now)
        if time.monotonic() < self._away_until:
            return self._alone(caller, now)
        waiting = _Waiting(caller, now)
        self._queue.append(waiting)
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._run())
        return waiting.future

    def peek(self, caller: callers.Caller, now: datetime) -> Allowance:
        """How it stood when this process last saw it, counting nothing."""
        return self._seen.peek(caller, now)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """While the block runs, one of the nodes is this process, also while nothing is asked of it."""
        await self._beat()  # before the first request: what passes is its share from the beginning
        task = asyncio.create_task(self._beats(), name="limits")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        if self._work is not None:
            await asyncio.wait({self._work})
        await self._store.close()

    async def _run(self) -> None:
        while self._queue:
            await self._round(self._gathered())

    def _gathered(self) -> list[list[_Waiting]]:
        """One caller an account, with all of its requests; whoever else waits has the next round."""
        groups: dict[tuple[object, bool], list[_Waiting]] = {}
        left: list[_Waiting] = []
        while self._queue:
            waiting = self._queue.popleft()
            account = (waiting.caller.account_id, waiting.caller.livemode)
            group = groups.get(account)
            if group is not None and group[0].caller == waiting.caller:
                group.append(waiting)
            elif group is None and len(groups) < MOST_AT_ONCE:
                groups[account] = [waiting]
            else:
                left.append(waiting)
        self._queue.extend(left)
        return list(groups.values())

    async def _round(self, groups: Sequence[list[_Waiting]]) -> None:
        """Every one of them gets an answer, whatever happens."""
        try:
            async with asyncio.timeout(self._patience), self._turn:
                if time.monotonic() - self._counted_at > COUNT_NODES_SECONDS:
                    await self._count_nodes()
                told = await self._store.take([self._wish(group) for group in groups])
        except Exception as error:  # noqa: BLE001 -- a limit that cannot be counted is counted here
            self._lose(groups, error)
            return
        for group, answer in zip(groups, told, strict=True):
            self._tell(group, answer)

    async def _beats(self) -> None:
        while True:
            away = time.monotonic() < self._away_until
            await asyncio.sleep(self._away_seconds if away else COUNT_NODES_SECONDS)
            await self._beat()

    async def _beat(self) -> None:
        """Count the nodes, this one among them. Never raises."""
        try:
            async with asyncio.timeout(self._patience), self._turn:
                await self._count_nodes()
        except Exception as error:  # noqa: BLE001 -- they are counted elsewhere, or stay as they were
            self._lose((), error)
            await self._count_elsewhere()

    async def _count_elsewhere(self) -> None:
        if self._elsewhere is None:
            return
        try:
            async with asyncio.timeout(self._patience):
                self._count(await self._elsewhere())
        except Exception as error:  # noqa: BLE001 -- they stay as they were
            log.warning("nobody tells how many processes count rate limits: %r", error)

    async def _count_nodes(self) -> None:
        self._count(await self._store.nodes())
        self._counted_at = time.monotonic()

    def _count(self, nodes: int) -> None:
        self._counts.append(nodes)
        self.nodes = max(self._at_least, *self._counts)

    def _wish(self, group: Sequence[_Waiting]) -> Wish:
        caller = group[0].caller
        seen = [self._seen.full_at(bucket) // MICROSECOND for bucket in _buckets(caller)]
        limits = caller.requests_per_minute, caller.account_requests_per_minute
        return Wish(caller, len(group), Limit.of(limits[0]), Limit.of(limits[1]), (seen[0], seen[1]))

    def _tell(self, group: Sequence[_Waiting], told: Told) -> None:
        """The first that came are those that passed. Levels are kept, for when the store is away."""
        caller, at = group[0].caller, told.at * MICROSECOND
        levels = [told.key_level, told.account_level]
        steps = Limit.of(caller.requests_per_minute).step, Limit.of(caller.account_requests_per_minute).step
        for number, waiting in enumerate(group):
            if number < told.passed:
                levels = [level + step for level, step in zip(levels, steps, strict=True)]
            for bucket, level in zip(_buckets(caller), levels, strict=True):
                self._seen.set_full_at(bucket, level * MICROSECOND)
            if waiting.future.done():
                continue
            if number < told.passed:
                waiting.future.set_result(self._seen.allowance(caller, at))
            else:
                waiting.future.set_exception(self._seen.refusal(caller, at))
        self._share.advance(caller, at, told.passed * self.nodes)
        for bucket in _buckets(caller):
            self._share.set_full_at(bucket, max(self._share.full_at(bucket), self._seen.full_at(bucket)))
        self._seen.tidy(at)
        self._share.tidy(at)

    def _alone(self, caller: callers.Caller, now: datetime) -> Allowance:
        """Counted in this process's share. Raises RateLimited."""
        allowance = self._share.take(caller, now, nodes=self.nodes)
        self._seen.advance(caller, rate_limits.nanoseconds(now), self.nodes)
        return allowance

    def _lose(self, groups: Sequence[list[_Waiting]], error: Exception) -> None:
        """The store is away: a share of the limits each, until it is asked again."""
        log.warning("rate limits are counted by each process: %r", error)
        self._away_until = time.monotonic() + self._away_seconds
        for waiting in (waiting for group in groups for waiting in group):
            if waiting.future.done():
                continue
            try:
                waiting.future.set_result(self._alone(waiting.caller, waiting.now))
            except errors.RateLimited as refusal:
                waiting.future.set_exception(refusal)


def _buckets(caller: callers.Caller) -> tuple[Bucket, Bucket]:
    account_id, livemode = caller.account_id, caller.livemode
    return Bucket(account_id, livemode, caller.key_id), Bucket(account_id, livemode, None)
