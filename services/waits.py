"""How long a sync waits before it asks its platform again."""

import random
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.platforms import base

FIRST, MOST, THROTTLED = 1.0, 300.0, 60.0
GIVE_UP_AFTER = timedelta(hours=24)
GIVE_UP_WAITING = timedelta(days=7)  # for a platform that names a time, again and again
SPREAD_FIRST, SPREAD_SHARE, SPREAD_MOST = 0.5, 0.1, 3_600.0


class Waiting(Protocol):
    """Since when a sync is waited for, and how often it stumbled without a page between."""

    @property
    def queued_at(self) -> datetime: ...

    @property
    def failures(self) -> int: ...


def until_again(failure: base.Failure, run: Waiting) -> timedelta | None:
    """How long to wait; None: it is over. For room in our own budget a sync waits as long as it takes."""
    now = datetime.now(UTC)
    patience = GIVE_UP_WAITING if failure.retry_at else GIVE_UP_AFTER
    if now - run.queued_at > patience and not isinstance(failure, base.BudgetSpent):
        return None
    if isinstance(failure, base.RateLimited):
        return until(failure.retry_at or now + timedelta(seconds=THROTTLED), least=0.0)
    if not isinstance(failure, base.Transient):
        return None
    jitter = 0.5 + random.random()  # noqa: S311 -- spreads, hides nothing
    wait = timedelta(seconds=min(FIRST * 2**run.failures, MOST) * jitter)
    return max(wait, until(failure.retry_at) or wait)


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
