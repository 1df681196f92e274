"""The counters of a page's media that Instagram tells only by insights: a call an item.

A call that fails costs its item these counters, never the page. Where the platform stumbles over many, they may come
another time and are told (`gaps`); what fails for one item while it answers for others is that item's own, and asking
again helps nobody: it keeps what was read before. At a limit the rest of the page waits (`left`); what the whole
account may not or cannot do just now is asked no further.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from services.platforms import base, instagram_wire

AT_ONCE = 4
MOST_STUMBLES = 3
MOST_REFUSALS = 3
MOST_BROKEN = 10
"""More of a page are the platform's trouble."""

PREDATES = "100/2108006"  # posted before the account became a professional one
GONE = "100/33"
INVALID = "100"

Ask: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Mapping[str, int | None]]]


class Insights:
    """One page's reading. `learnt` is for the next page's; `slow_down`: when there may be one.

    `left`: media that were not asked for, as the limit was reached; `gaps`: those whose counters may come another time;
    `withheld`: those for whose counters it is useless to ask again;
    `sound`: a medium, of this page or an earlier one, that was told: asked again, it says whether the platform is up.
    """

    def __init__(self, ask: Ask, learnt: Mapping[str, Any]) -> None:
        predates, self.sound = learnt.get("predates"), learnt.get("sound")
        self.predates = datetime.fromisoformat(predates) if predates else None
        self.slow_down: datetime | None = None
        self.left = self.gaps = self.withheld = 0
        self._ask = ask
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._refusals: Counter[tuple[str, str]] = Counter()
        self._supported: set[tuple[str, str]] = set()
        self._told: dict[str, base.VideoRecord] = {}
        self._stumbled: list[base.VideoRecord] = []
        self._unread: list[base.VideoRecord] = []
        self._stumbles = 0  # since the last answer
        self._refused = self._closed = False
        self._dead: base.ReconnectRequired | None = None

    @property
    def learnt(self) -> dict[str, Any]:
        """Plain JSON data."""
        told = {"predates": self.predates.isoformat() if self.predates else None, "sound": self.sound}
        return {name: value for name, value in told.items() if value}

    async def read(self, media: Sequence[base.VideoRecord]) -> tuple[base.VideoRecord, ...]:
        """The media with what the insights tell, without those that are left.

        Raises ReconnectRequired when the grant is dead.
        """
        await asyncio.gather(*(self._one(medium) for medium in media))
        if self._stumbled:
            await self._once_more()
        for medium in (*self._stumbled, *self._unread):
            self._give_up(medium)
        if self._dead is not None:
            raise self._dead
        return tuple(self._told[one.external_id] for one in media if one.external_id in self._told)

    def limit_reached(self, retry_at: datetime) -> None:
        """The rest of the page is not asked for: calls beyond the limit prolong the wait."""
        self.slow_down, self._closed = retry_at, True

    async def _one(self, medium: base.VideoRecord) -> None:
        async with self._turn:
            if self._refused or (self.predates is not None and medium.published_at <= self.predates):
                self._told[medium.external_id] = medium
            elif self._closed:
                self._unread.append(medium)
            else:
                try:
                    told = await self._metrics(medium)
                except base.Failure as failure:
                    self._failed(medium, failure)
                else:
                    self._stumbles = 0
                    self._tell(medium, told)

    def _tell(
        self, medium: base.VideoRecord, told: Mapping[str, int | None], *, partial: bool = False
    ) -> None:
        self._told[medium.external_id] = replace(medium, partial=partial, **told)  # type: ignore[arg-type]

    def _give_up(self, medium: base.VideoRecord) -> None:
        """At the limit it waits; where the platform only stumbles it is stored as it is, and told as a gap."""
        if self.slow_down is not None:
            self.left += 1
        else:
            self.gaps += 1
            self._tell(medium, {}, partial=True)

    def _failed(self, medium: base.VideoRecord, failure: base.Failure) -> None:
        """What a failure means for the rest of the page. Only a dead grant is more than a gap."""
        self._learn(failure)
        if isinstance(failure, base.ScopeMissing):
            self._refused = True
            self._tell(medium, {})
        elif isinstance(failure, base.RateLimited):
            self._unread.append(medium)
        elif isinstance(failure, base.Transient):
            self._stumbles += 1
            self._closed = self._closed or self._stumbles >= MOST_STUMBLES
            self._stumbled.append(medium)
        else:
            self._tell(medium, {}, partial=True)

    # -- whose trouble it is

    async def _is_up(self) -> bool:
        """Whether the platform answers: for one that was told, else for some that were not asked yet."""
        unread = [medium.external_id for medium in self._unread]
        for medium in dict.fromkeys((self.sound, unread[-1], unread[len(unread) // 2], unread[0])):
            if medium is not None and not self._is_over and await self._answers(medium):
                self.sound = medium
                return True
        return False

    async def _answers(self, medium: str) -> bool:
        """Whether the platform does, for this one; to refuse is to answer."""
        try:
            await self._ask(medium, list(instagram_wire.METRICS))
        except base.Failure as failure:
            self._learn(failure)
            answered = isinstance(failure, base.ScopeMissing) or failure.code.partition("/")[0] == INVALID
            return answered and not isinstance(failure, base.Transient)
        return not self._is_over

    @property
    def _is_over(self) -> bool:
        """Whether nothing more may be asked: at the limit, or with a dead grant."""
        return self.slow_down is not None or self._dead is not None

    def _learn(self, failure: base.Failure) -> None:
        if isinstance(failure, base.RateLimited):
            self.slow_down, self._closed = failure.retry_at, True
        if isinstance(failure, base.ReconnectRequired):
            self._dead, self._closed = failure, True

    async def _once_more(self) -> None:
        """What was not asked, and then each metric of what stumbled. What still stumbles while the platform answers

        is the item's own trouble, and no gap; not where so many do.
        """
        while self._unread and len(self._stumbled) <= MOST_BROKEN and await self._is_up():
            unread, self._unread = self._unread, []
            self._stumbles, self._closed = 0, False
            await asyncio.gather(*(self._one(medium) for medium in unread))
        if self._unread or self._is_over or len(self._stumbled) > MOST_BROKEN:
            return
        apart = [(medium, await self._apart(medium)) for medium in self._stumbled]
        if self._is_over:
            return
        spoke = any(found for _, (found, _) in apart)
        up = spoke if self.sound is None else await self._answers(self.sound)
        for medium, (found, whole) in apart:
            if whole or up:
                self._stumbled.remove(medium)
                self.withheld += not whole
                self._tell(medium, found, partial=not whole)

    async def _apart(self, medium: base.VideoRecord) -> tuple[dict[str, int | None], bool]:
        """What its metrics tell one by one, and whether none of them stumbled."""
        found: dict[str, int | None] = {}
        whole = True
        for name in self._names(medium):
            if self._is_over:
                break
            try:
                found |= (await self._each(medium, [name]))[0]
            except base.Failure as failure:
                self._learn(failure)
                whole = False
        return found, whole

    # -- asking

    def _names(self, medium: base.VideoRecord) -> list[str]:
        """The metrics that its kind may have: not those that several refused and none had."""
        kinds = {name: (medium.kind, name) for name in instagram_wire.METRICS}
        return [
            name
            for name, kind in kinds.items()
            if kind in self._supported or self._refusals[kind] < MOST_REFUSALS
        ]

    async def _metrics(self, medium: base.VideoRecord) -> Mapping[str, int | None]:
        """All metrics in one call; where that is refused, each alone: one unsupported fails them all."""
        names = self._names(medium)
        if not names:
            return {}
        try:
            told = await self._ask(medium.external_id, names)
        except base.Failure as failure:
            if self._has_none(medium, failure):
                return {}
            if failure.code.partition("/")[0] != INVALID or failure.code == GONE:
                raise
        else:
            self._supported.update((medium.kind, name) for name in names)
            self.sound = medium.external_id
            return told
        found, refused = await self._each(medium, names)
        if found:  # the item is sound: it, or its kind, does not have what it refuses
            self.sound = medium.external_id
            self._refusals.update((medium.kind, name) for name in refused)
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
                self._supported.add((medium.kind, name))
        return found, refused

    def _has_none(self, medium: base.VideoRecord, failure: base.Failure) -> bool:
        """Whether a refusal only says that there is no such data, and will be none."""
        if failure.code == PREDATES:
            self.predates = max(self.predates or medium.published_at, medium.published_at)
            return True
        return isinstance(failure, base.ScopeMissing) and "not enough viewers" in failure.message.casefold()
