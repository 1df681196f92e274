"""The simulated creators' videos: made when asked for, so that five thousand cost nothing until read.

Within a creator, video `n` counts from the oldest, and `posted_ms(n)` rises strictly with n. Several videos may
share the whole second the wire shows as create_time; inside that second each has a millisecond of its own.
TikTok's cursor is in milliseconds and means "posted before" (tiktok-api-v2-video-list), so paging by the returned cursor
loses nobody; a cursor a client computes as create_time * 1000 excludes the rest of that second.
"""

import bisect
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from simulators import people, themes

INT32 = 2**31 - 1
_ID_DIGITS = 19
_BLOCK, _BURST = 50, 25


@dataclass(frozen=True, slots=True)
class Video:
    """Video number n of a creator, seen at an instant."""

    creator: people.Creator
    n: int
    now: int

    @property
    def posted_ms(self) -> int:
        return posted_ms(self.creator, self.n)

    @property
    def create_time(self) -> int:
        return self.posted_ms // 1000

    @property
    def id(self) -> str:
        """Nineteen digits, as TikTok's: the second, the creator and the number, so it can be read back."""
        return str(self.create_time << 32 | self.creator.index << 16 | self.n)

    @property
    def roll(self) -> bytes:
        return people.dice(self.creator.index, self.n)

    def title(self) -> str:
        """What the creator wrote, at most 150 characters."""
        texture = self.creator.texture
        if texture == "strange" or (texture == "mixed" and not (self.n + 1) % 5):
            return themes.STRANGE_TITLES[self.n % len(themes.STRANGE_TITLES)]
        subjects = self.creator.subjects
        turn, subject = divmod(self.n, len(subjects))
        line = themes.TITLES[(turn + subject) % len(themes.TITLES)].format(subjects[subject])
        part = turn // len(themes.TITLES)
        return (line[0].upper() + line[1:] + (f" (part {part + 1})" if part else ""))[:150]

    def views(self) -> int:
        """Rises fast in the first days and goes on rising slowly; never falls."""
        age = max(0, self.now - self.create_time)
        typical = self.creator.views * (16 + self.roll[0]) // 96
        return typical * age // (age + 3 * people.DAY) + typical * age // (2_000 * people.DAY)

    def likes(self) -> int:
        return min(INT32, self.views() * (3 + self.roll[1] % 12) // 100)

    def comments(self) -> int:
        return min(INT32, self.views() * (1 + self.roll[2] % 9) // 2_000)

    def shares(self) -> int:
        return min(INT32, self.views() * (1 + self.roll[3] % 7) // 1_000)

    def hole(self, place: int) -> str:
        """Whether a counter is there, "null" or "missing": sparse videos lack them, as TikTok's video object does."""
        byte = self.roll[8 + place]
        if self.creator.texture == "sparse":
            return ("", "null", "missing")[byte % 3]
        return {0: "null", 1: "missing"}.get(byte % 48, "") if self.creator.texture == "mixed" else ""


def count(creator: people.Creator, now: float) -> int:
    """How many videos the creator has at this instant."""
    if not creator.every:
        return creator.videos
    grown = people.since_epoch(now) // creator.every
    return creator.videos + min(grown, max(0, creator.most - creator.videos))


def posted_ms(creator: people.Creator, n: int) -> int:
    """When video n was posted, in Unix milliseconds; strictly rising in n."""
    if n >= creator.videos:
        return (people.EPOCH + (n - creator.videos + 1) * creator.every) * 1000
    first = _first_of_second(creator, n)
    gap = _gap(creator)
    jitter = int.from_bytes(people.dice(creator.index, first, 7)[:4]) % gap
    second = people.EPOCH - (creator.videos - first) * gap + jitter
    return second * 1000 + (n - first)


def _first_of_second(creator: people.Creator, n: int) -> int:
    """The oldest video sharing the second of video n; a burst is longer than any page."""
    place = n % _BLOCK
    if creator.texture == "burst" and place >= _BURST:
        return n - place + _BURST
    return n if (place + 4) % 7 else n - 1


def _gap(creator: people.Creator) -> int:
    """Seconds between the older videos: the whole history fits in about three years."""
    return min(3 * people.DAY, 3 * 365 * people.DAY // creator.videos)


def before(creator: people.Creator, cursor_ms: int | None, now: float) -> Iterator[Video]:
    """The creator's videos posted before the cursor, newest first, made one by one."""
    total = count(creator, now)
    start = total if cursor_ms is None else _number_before(creator, cursor_ms, total)
    return (Video(creator, n, int(now)) for n in range(start - 1, -1, -1))


def _number_before(creator: people.Creator, cursor_ms: int, total: int) -> int:
    return bisect.bisect_left(range(total), cursor_ms, key=lambda n: posted_ms(creator, n))


def find(video_id: str, now: float) -> Video | None:
    """The video with this id, if it exists at this instant."""
    if not (video_id.isascii() and video_id.isdecimal() and len(video_id) <= _ID_DIGITS):
        return None
    number = int(video_id)
    index, n = number >> 16 & 0xFFFF, number & 0xFFFF
    if index >= len(people.CREATORS) or n >= count(people.CREATORS[index], now):
        return None
    video = Video(people.CREATORS[index], n, int(now))
    return video if video.id == video_id else None


@functools.lru_cache(maxsize=512)
def _likes_at_minute(creator: people.Creator, minute: int) -> int:
    return sum(video.likes() for video in before(creator, None, minute * 60))


def total_likes(creator: people.Creator, now: float) -> int:
    """Likes of all videos together, to the minute: five thousand videos take a moment to add up."""
    return _likes_at_minute(creator, int(now) // 60)


def page(creator: people.Creator, cursor_ms: int | None, size: int, now: float) -> tuple[list[Video], bool]:
    """At most `size` videos before the cursor, and whether older ones remain."""
    found = list(itertools.islice(before(creator, cursor_ms, now), size + 1))
    return found[:size], len(found) > size
