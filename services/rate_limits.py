"""How many requests a minute: GCRA, a burst of N and then one every 60/N seconds; a key, and its account.

A bucket is one number, the instant at which it will be full again. Time is counted in whole nanoseconds,
so that N at once is exactly N.
"""

import contextlib
import math
import operator
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

from services import callers, errors

WINDOW_SECONDS = 60
SECOND = 1_000_000_000
MOST_BUCKETS = 20_000
UNLIMITED = 2**31 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Bucket(NamedTuple):
    """Who is counted together: a key, or all keys of an account in one mode."""

    account_id: UUID
    livemode: bool
    key_id: UUID | None


@dataclass(slots=True)
class Share:
    """How one limit stands. `full_in`: seconds, rounded up, until all of it is there again."""

    name: str
    limit: int
    remaining: int
    full_in: int


@dataclass(slots=True)
class Allowance:
    """How a caller's limits stand. `limit` 0: unlimited."""

    limit: int
    remaining: int
    reset_at: datetime
    shares: tuple[Share, ...]

    def headers(self) -> dict[str, str]:
        """`X-RateLimit-*` as everyone knows them, and the IETF draft's two; none for who is unlimited."""
        if not self.shares:
            return {}
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.reset_at.timestamp())),
            "RateLimit-Policy": ", ".join(
                f'"{share.name}";q={share.limit};w={WINDOW_SECONDS}' for share in self.shares
            ),
            "RateLimit": ", ".join(
                f'"{share.name}";r={share.remaining};t={share.full_in}' for share in self.shares
            ),
        }


class Limits(Protocol):
    """Who counts: this process alone, at once; or a store that several share, awaited."""

    def take(self, caller: callers.Caller, now: datetime) -> Allowance | Awaitable[Allowance]:
        """Count one request. Raises RateLimited; a refused one counts nothing, in neither bucket."""
        ...

    def peek(self, caller: callers.Caller, now: datetime) -> Allowance:
        """How it stands, counting nothing."""
        ...

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """While the block runs this process is counted among those that share."""
        ...

    async def close(self) -> None: ...


class RateLimits:
    """Counts in this process's memory."""

    def __init__(self, *, most: int = MOST_BUCKETS) -> None:
        self._full_at: dict[Bucket, int] = {}
        self._most = most

    def take(self, caller: callers.Caller, now: datetime, *, nodes: int = 1) -> Allowance:
        """Count one request. Raises RateLimited; a refused one counts nothing, in neither bucket.

        `nodes`: how many processes count for themselves, so that each lets a share of it through.
        """
        if not caller.requests_per_minute and not caller.account_requests_per_minute:
            return Allowance(0, UNLIMITED, now, ())
        at = nanoseconds(now)
        taken: dict[Bucket, int] = {}
        wait = 0
        for _name, bucket, limit in _limits(caller):
            step, level = _step(limit) * nodes, self._level(bucket, limit, at)
            if level < self._full_at.get(bucket, level):
                self._full_at[bucket] = level  # a clock was set back, or the limit raised
            taken[bucket] = level + step
            wait = max(wait, taken[bucket] - max(_step(limit) * limit, step) - at)
        if wait > 0:
            raise errors.RateLimited(_ceil_seconds(wait))
        self._full_at.update(taken)
        if len(self._full_at) > self._most:
            self._drop(at)
        return self.allowance(caller, at)

    def peek(self, caller: callers.Caller, now: datetime) -> Allowance:
        """How it stands, counting nothing."""
        return self.allowance(caller, nanoseconds(now))

    def running(self) -> contextlib.AbstractAsyncContextManager[None]:
        """It shares with nobody."""
        return contextlib.nullcontext()

    async def close(self) -> None:
        """Nothing to close."""

    # -- for a store's mirror; instants in nanoseconds

    def full_at(self, bucket: Bucket) -> int:
        """When a bucket is full again; 0: it is."""
        return self._full_at.get(bucket, 0)

    def set_full_at(self, bucket: Bucket, at: int) -> None:
        self._full_at[bucket] = at

    def advance(self, caller: callers.Caller, at: int, times: int) -> None:
        """Count requests that were let through elsewhere: at most until the buckets are empty."""
        for _name, bucket, limit in _limits(caller):
            step = _step(limit)
            self._full_at[bucket] = min(self._level(bucket, limit, at) + step * times, at + step * limit)

    def tidy(self, at: int) -> None:
        if len(self._full_at) > self._most:
            self._drop(at)

    def refusal(self, caller: callers.Caller, at: int) -> errors.RateLimited:
        """How long to wait for the next request."""
        waits = [
            self._level(bucket, limit, at) + _step(limit) * (1 - limit) - at
            for _name, bucket, limit in _limits(caller)
        ]
        return errors.RateLimited(max(1, _ceil_seconds(max(waits, default=0))))

    def allowance(self, caller: callers.Caller, at: int) -> Allowance:
        """How a caller's limits stand."""
        shares, full_at = [], at
        for name, bucket, limit in _limits(caller):
            level = self._level(bucket, limit, at)
            full_at = max(full_at, level)
            left = (at + _step(limit) * limit - level) // _step(limit)
            shares.append(Share(name, limit, left, _ceil_seconds(level - at)))
        return Allowance(
            limit=shares[0].limit if shares else 0,
            remaining=min((share.remaining for share in shares), default=UNLIMITED),
            reset_at=_EPOCH + timedelta(microseconds=-(-full_at // 1000)),
            shares=tuple(shares),
        )

    def _level(self, bucket: Bucket, limit: int, at: int) -> int:
        """When the bucket is full again: never before now, nor later than an empty one (a clock set back)."""
        return min(max(self._full_at.get(bucket, at), at), at + _step(limit) * limit)

    def _drop(self, at: int) -> None:
        """A full bucket is as good as none. Were all in use, those nearest to full go first."""
        used = [(level, bucket) for bucket, level in self._full_at.items() if level > at]
        used.sort(key=operator.itemgetter(0))
        # Some room is made, so that the next sweep is not at the next request.
        self._full_at = {bucket: level for level, bucket in used[-(self._most * 9 // 10) :]}


def _limits(caller: callers.Caller) -> list[tuple[str, Bucket, int]]:
    found = []
    if caller.requests_per_minute:
        bucket = Bucket(caller.account_id, caller.livemode, caller.key_id)
        found.append(("key", bucket, caller.requests_per_minute))
    if caller.account_requests_per_minute:
        bucket = Bucket(caller.account_id, caller.livemode, None)
        found.append(("account", bucket, caller.account_requests_per_minute))
    return found


def _step(limit: int) -> int:
    """Nanoseconds a request; rounded up, so that the limit is never passed."""
    return -(-WINDOW_SECONDS * SECOND // limit)


def nanoseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1000


def _ceil_seconds(nanoseconds: int) -> int:
    return -(-nanoseconds // SECOND)
