"""How long a sync waits before it asks its platform again."""

import random
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.platforms import base

FIRST, MOST = 1.0, 300.0
THROTTLED_FIRST, THROTTLED_MOST = 60.0, 1_800.0
GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_WAITING = timedelta(days=7)  # for a platform that names a time, again and again
SPREAD_FIRST, SPREAD_SHARE, SPREAD_MOST = 0.5, 0.1, 3_600.0


class Waiting(Protocol):
    """Since when a sync is waited for, how often it stumbled without a page between, and how long it waited last."""

    @property
    def queued_at(self) -> datetime: ...

    @property
    def failures(self) -> int: ...

    @property
    def waited(self) -> timedelta | None: ...


def until_again(failure: base.Failure, run: Waiting) -> timedelta | None:
    """How long to wait; None: it is over. For room in our own budget a sync waits as long as it takes."""
    now = datetime.now(UTC)
    patience = GIVE_UP_WAITING if failure.retry_at else GIVE_UP_AFTER
    if now - run.queued_at > patience and not isinstance(failure, base.BudgetSpent):
        return None
    if isinstance(failure, base.RateLimited):
        return until(failure.retry_at, least=0.0) if failure.retry_at else _longer(run.waited)
    if not isinstance(failure, base.Transient):
        return None
    jitter = 0.5 + random.random()  # noqa: S311 -- spreads, hides nothing
    wait = timedelta(seconds=min(FIRST * 2**run.failures, MOST) * jitter)
    return max(wait, until(failure.retry_at) or wait)


def _longer(waited: timedelta | None) -> timedelta:
    """Somewhere between once and three times as long as the last time: all who are throttled alike draw apart."""
    last = waited.total_seconds() if waited else 0.0
    most = min(max(last * 3, THROTTLED_FIRST * 2), THROTTLED_MOST)
    least = min(max(last, THROTTLED_FIRST), most)
    return timedelta(seconds=random.uniform(least, most))  # noqa: S311 -- spreads, hides nothing


def until(moment: datetime | None, least: float | None = None) -> timedelta | None:
    """How long until then, and a little more: the longer the wait, the more who wake are spread.

    None where the time is over, unless `least` seconds are waited at any rate.
    """
    wait = (moment - datetime.now(UTC)).total_seconds() if moment else 0.0
    if wait <= 0 and least is None:
        return None
    wait = max(wait, least or 0.0)
    most = SPREAD_FIRST * 3 + min(wait * SPREAD_SHARE, SPREAD_MOST)
    spread = random.uniform(SPREAD_FIRST, most)  # noqa: S311 -- spreads, hides nothing
    return timedelta(seconds=wait + spread)
