"""The simulated creators on Instagram: the same people, with ids, numbers and media of that platform."""

import base64
import binascii
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from simulators import people, videos

_ID_BASE: Final = 17_900_000_000_000_000
_ID_CREATOR: Final = 1_000_000
_ACCOUNT_BASE: Final = 17_841_400_000_000_000
_LATE: Final = 2 * 3_600
"""Insights of younger media are empty; the real ones are up to two days late."""

TYPES: Final = {"REEL": ("VIDEO", "REELS"), "VIDEO": ("VIDEO", "FEED"), "IMAGE": ("IMAGE", "FEED"),
                "CAROUSEL": ("CAROUSEL_ALBUM", "FEED")}  # fmt: skip


def account_id(creator: people.Creator) -> str:
    """The professional account's id: the same for every app."""
    return str(_ACCOUNT_BASE + 7_919 * (creator.index + 1))


def app_scoped_id(client_id: str, creator: people.Creator) -> str:
    """What one app calls the creator; another app's name for them is another."""
    digest = hashlib.sha256(f"{client_id}\n{creator.username}".encode()).digest()
    return str(26 * 10**15 + int.from_bytes(digest[:6]) % 10**15)


def account_type(creator: people.Creator) -> str:
    """Written in the ways that documents and production show."""
    return ("MEDIA_CREATOR", "BUSINESS", "Media_Creator", "Business")[creator.index % 4]


def followers(creator: people.Creator, now: float) -> int:
    return people.followers(creator, now) * 3 // 5 + 7


def following(creator: people.Creator) -> int:
    return creator.following + 11


def is_complete(creator: people.Creator) -> bool:
    """Whether all its media are as a textbook has them."""
    return creator.texture == "clean"


@dataclass(frozen=True, slots=True)
class Media:
    """Medium number n of a creator, seen at an instant."""

    creator: people.Creator
    n: int
    now: int

    @property
    def id(self) -> str:
        return str(_ID_BASE + self.creator.index * _ID_CREATOR + self.n)

    @property
    def video(self) -> videos.Video:
        """The TikTok of the same day: its title and its numbers are the measure of this one's."""
        return videos.Video(self.creator, self.n, self.now)

    @property
    def roll(self) -> bytes:
        return people.dice(self.creator.index, self.n, 23)

    @property
    def kind(self) -> str:
        return ("REEL", "REEL", "REEL", "REEL", "REEL", "IMAGE", "IMAGE", "CAROUSEL", "CAROUSEL", "VIDEO")[
            self.roll[0] % 10
        ]

    @property
    def posted(self) -> int:
        """Unix seconds."""
        return self.video.create_time

    def timestamp(self) -> str:
        return datetime.fromtimestamp(self.posted, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")

    def caption(self) -> str:
        title = self.video.title()
        return f"{title}\n\n#simulated #{self.kind.lower()}" if title else ""

    def views(self) -> int:
        return self.video.views() * 2 // 3

    def likes(self) -> int:
        return self.video.likes() * 3 // 4

    def comments(self) -> int:
        return self.video.comments() // 2

    def shares(self) -> int:
        return self.video.shares() // 2

    def hides_likes(self) -> bool:
        return (
            not is_complete(self.creator)
            and self.roll[1] % (3 if self.creator.texture == "sparse" else 24) == 0
        )

    def has_no_address(self) -> bool:
        """media_url is missing where somebody else's music plays."""
        return not is_complete(self.creator) and self.roll[2] % 20 == 0

    def predates_business(self) -> bool:
        """Posted before the account became a professional one; its insights fail for good."""
        return not is_complete(self.creator) and self.n < self.creator.videos // 5

    def has_no_insights(self) -> bool:
        if self.now - self.posted < _LATE:
            return True
        return (
            not is_complete(self.creator)
            and self.roll[3] % (4 if self.creator.texture == "sparse" else 40) == 0
        )

    def totals(self) -> bool:
        """Whether its insights come as total_value instead of values."""
        return self.roll[4] % 2 == 0


def count(creator: people.Creator, now: float) -> int:
    return videos.count(creator, now)


def before(creator: people.Creator, start: int | None, now: float) -> Iterator[Media]:
    """The creator's media with a number below `start`, newest first, made one by one."""
    total = count(creator, now)
    top = total if start is None else min(start, total)
    return (Media(creator, n, int(now)) for n in range(top - 1, -1, -1))


def find(media_id: str, now: float) -> Media | None:
    """The medium with this id, if it exists at this instant."""
    if not (media_id.isascii() and media_id.isdecimal() and len(media_id) == len(str(_ID_BASE))):
        return None
    index, n = divmod(int(media_id) - _ID_BASE, _ID_CREATOR)
    if not 0 <= index < len(people.CREATORS) or n >= count(people.CREATORS[index], now):
        return None
    return Media(people.CREATORS[index], n, int(now))


def cursor(n: int) -> str:
    """An opaque paging cursor."""
    return "QVFI" + base64.urlsafe_b64encode(f"media:{n:08d}".encode()).decode().rstrip("=")


def number(text: str) -> int | None:
    """What a cursor says; None for one that is not ours."""
    try:
        plain = base64.urlsafe_b64decode(text.removeprefix("QVFI") + "==").decode()
    except (binascii.Error, ValueError):
        return None
    word, _, digits = plain.partition(":")
    return int(digits) if word == "media" and digits.isdecimal() and digits.isascii() else None


def shortcode(media_id: str) -> str:
    """The word in a permalink: the id, written shorter."""
    return base64.urlsafe_b64encode(int(media_id).to_bytes(8)).decode().rstrip("=")


def by_shortcode(word: str, now: float) -> Media | None:
    try:
        return find(str(int.from_bytes(base64.urlsafe_b64decode(word + "="))), now)
    except (binascii.Error, ValueError):
        return None
