"""The counters of a page's media that Instagram tells only by insights: a call an item.

A call that fails costs its item these counters, never the page, and is told (`gaps`). At a limit the rest of the
page waits (`left`); what the whole account may not or cannot do just now is asked no further.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from services.platforms import base, instagram_wire

AT_ONCE = 4
MOST_STUMBLES = 3

PREDATES = "100/2108006"  # posted before the account became a professional one
GONE = "100/33"
INVALID = "100"

Ask: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Mapping[str, int | None]]]


class Insights:
    """One page's reading. `slow_down` and `predates` tell afterwards what was learnt.

    `left`: media that were not asked for, as the limit was reached; `gaps`: those whose counters may come another time.
    """

    def __init__(self, ask: Ask, predates: datetime | None) -> None:
        self.predates = predates
        self.slow_down: datetime | None = None
        self.left = self.gaps = 0
        self._ask = ask
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._unsupported: set[tuple[str, str]] = set()
        self._stumbles = 0
        self._refused = self._closed = False
        self._dead: base.ReconnectRequired | None = None

    async def read(self, media: Sequence[base.VideoRecord]) -> tuple[base.VideoRecord, ...]:
        """The media with what the insights tell, without those that are left.

        Raises ReconnectRequired when the grant is dead.
        """
        told = await asyncio.gather(*(self._one(medium) for medium in media))
        if self._dead is not None:
            raise self._dead
        return tuple(medium for medium in told if medium is not None)

    def limit_reached(self, retry_at: datetime) -> None:
        """The rest of the page is not asked for: calls beyond the limit prolong the wait."""
        self.slow_down, self._closed = retry_at, True

    async def _one(self, medium: base.VideoRecord) -> base.VideoRecord | None:
        async with self._turn:
            if self._refused or (self.predates is not None and medium.published_at <= self.predates):
                return medium
            if self._closed:
                return self._unread(medium)
            try:
                return replace(medium, **await self._metrics(medium))  # type: ignore[arg-type]
            except base.Failure as failure:
                return self._failed(medium, failure)

    def _unread(self, medium: base.VideoRecord) -> base.VideoRecord | None:
        """At the limit it waits; where the platform only stumbles it is stored as it is, and told as a gap."""
        if self.slow_down is not None:
            self.left += 1
            return None
        self.gaps += 1
        return replace(medium, partial=True)

    def _failed(self, medium: base.VideoRecord, failure: base.Failure) -> base.VideoRecord | None:
        """What a failure means for the rest of the page. Only a dead grant is more than a gap."""
        if isinstance(failure, base.ScopeMissing):
            self._refused = True
            return medium
        if isinstance(failure, base.ReconnectRequired):
            self._dead = failure
            self._closed = True
        if isinstance(failure, base.RateLimited):
            self.slow_down, self._closed = failure.retry_at, True
            return self._unread(medium)
        if isinstance(failure, base.Transient):
            self._stumbles += 1
            self._closed = self._closed or self._stumbles >= MOST_STUMBLES
            return self._unread(medium)
        return replace(medium, partial=True)

    async def _metrics(self, medium: base.VideoRecord) -> Mapping[str, int | None]:
        """All metrics in one call; where that is refused, each alone: one unsupported fails them all."""
        names = [name for name in instagram_wire.METRICS if (medium.kind, name) not in self._unsupported]
        if not names:
            return {}
        try:
            return await self._ask(medium.external_id, names)
        except base.Failure as failure:
            if self._has_none(medium, failure):
                return {}
            if failure.code.partition("/")[0] != INVALID or failure.code == GONE:
                raise
        found, refused = await self._each(medium, names)
        if found:  # the item is sound, so what it refuses its kind does not have
            self._unsupported.update((medium.kind, name) for name in refused)
        return found

    async def _each(
        self, medium: base.VideoRecord, names: Sequence[str]
    ) -> tuple[dict[str, int | None], list[str]]:
        found: dict[str, int | None] = {}
        refused = []
        for name in names:
            try:
                told = await self._ask(medium.external_id, [name])
            except base.ProviderBug as failure:
                if failure.code.partition("/")[0] != INVALID:
                    raise
                refused.append(name)
            else:
                ours = instagram_wire.METRICS[name]
                found[ours] = told.get(ours)
        return found, refused

    def _has_none(self, medium: base.VideoRecord, failure: base.Failure) -> bool:
        """Whether a refusal only says that there is no such data, and will be none."""
        if failure.code == PREDATES:
            self.predates = max(self.predates or medium.published_at, medium.published_at)
            return True
        return isinstance(failure, base.ScopeMissing) and "not enough viewers" in failure.message.casefold()
