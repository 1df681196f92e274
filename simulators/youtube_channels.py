"""The simulated creators on YouTube: their channels and uploads, made from who they are and what they film."""

import base64
import binascii
import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from simulators import people, videos

Kind = Literal["VIDEO", "SHORT", "LIVE"]
Privacy = Literal["public", "unlisted", "private"]

WITHOUT_CHANNEL: Final = people.CREATORS[-1].username
"""This person's Google account has no YouTube channel."""

HIDES_SUBSCRIBERS: Final = frozenset({"sim.sparse", "sim.tess"})
SHORTS_GREW_MS: Final = 1_728_950_400_000  # 2024-10-15: Shorts of three minutes from then on
_ID_LENGTH = 11


@dataclass(frozen=True, slots=True)
class Upload:
    """A video as YouTube knows it."""

    video: videos.Video

    @property
    def id(self) -> str:
        return _id(self.video.creator.index, self.video.n)

    @property
    def _roll(self) -> bytes:
        return people.dice(self.video.creator.index, self.video.n, 31)

    @property
    def _odd(self) -> int:
        """Below 3 where something about the upload is special; tidy creators have nothing special."""
        return self._roll[0] % 24 if self.video.creator.texture in {"mixed", "strange", "sparse"} else 24

    @property
    def privacy(self) -> Privacy:
        special: dict[int, Privacy] = {0: "private", 2: "unlisted"}
        return special.get(self._odd, "public")

    @property
    def dropped(self) -> bool:
        """Still in the uploads list, but videos.list knows nothing of it any more."""
        return self._odd == 1

    @property
    def broadcast(self) -> str:
        """none, live or upcoming, as liveBroadcastContent has it."""
        if self.video.creator.texture not in {"mixed", "strange"} or self.video.n % 40 != 39:  # noqa: PLR2004
            return "none"
        return "live" if self.video.n % 80 == 39 else "upcoming"  # noqa: PLR2004

    @property
    def kind(self) -> Kind:
        if self.broadcast != "none" or self._roll[1] % 16 == 0:
            return "LIVE"
        return "SHORT" if self._roll[1] % 16 < 7 else "VIDEO"  # noqa: PLR2004

    @property
    def upright(self) -> bool:
        """Higher than wide: every Short, and a few videos that are too long for one."""
        return self.kind == "SHORT" or self._roll[2] % 16 == 0

    @property
    def seconds(self) -> int:
        """How long it is; 0 for what has no end yet."""
        if self.broadcast != "none":
            return 0
        roll = int.from_bytes(self._roll[3:6])
        if self.kind == "LIVE":
            return 3_600 + roll % 180_000
        if self.kind == "SHORT":
            return 8 + roll % (52 if self.video.posted_ms < SHORTS_GREW_MS else 172)
        return 181 + roll % 5_400

    def views(self) -> int:
        return 0 if self.broadcast == "upcoming" else self.video.views() * 3 // 2

    def likes(self) -> int:
        return self.video.likes()

    def comments(self) -> int:
        return self.video.comments()

    def has(self, counter: Literal["likes", "comments"]) -> bool:
        """Whether the counter is shown: creators hide likes and switch comments off."""
        return not self.video.hole({"likes": 0, "comments": 1}[counter])


def channel_id(creator: people.Creator) -> str:
    """The same for every app."""
    return "UC" + _opaque(creator.username)


def uploads_id(creator: people.Creator) -> str:
    return "UU" + _opaque(creator.username)


def of_uploads_id(playlist: str) -> people.Creator | None:
    return _BY_UPLOADS.get(playlist)


def listed(creator: people.Creator, now: float) -> bool:
    """Whether the uploads list is there: a channel without videos has none, or an empty one."""
    return videos.count(creator, now) > 0 or creator.index % 40 == 0


def subscribers(creator: people.Creator, now: float) -> int:
    """Rounded down to three digits, as YouTube shows it."""
    exact = people.followers(creator, now)
    unit: int = 10 ** max(0, len(str(exact)) - 3)
    return exact // unit * unit


def page(
    creator: people.Creator, start: int, size: int, now: float, deleted: frozenset[str] = frozenset()
) -> list[Upload]:
    """The uploads at positions start, start + 1, …, newest first; private and dropped ones among them.

    What its owner deleted has no position any more: those behind it have moved up.
    """
    total = videos.count(creator, now)
    if deleted:
        uploads = (Upload(videos.Video(creator, n, int(now))) for n in range(total - 1, -1, -1))
        left = (upload for upload in uploads if upload.id not in deleted)
        return list(itertools.islice(left, start, start + size))
    return [
        Upload(videos.Video(creator, total - 1 - at, int(now)))
        for at in range(start, min(start + size, total))
    ]


def count(creator: people.Creator, now: float, deleted: frozenset[str]) -> int:
    """How long the uploads list is."""
    found = (find(upload_id, now) for upload_id in deleted)
    return videos.count(creator, now) - sum(
        upload is not None and upload.video.creator == creator for upload in found
    )


def find(upload_id: str, now: float) -> Upload | None:
    """The upload with this id, if it was ever there."""
    place = _place(upload_id)
    if place is None or place[0] >= len(people.CREATORS):
        return None
    creator = people.CREATORS[place[0]]
    if place[1] >= videos.count(creator, now):
        return None
    return Upload(videos.Video(creator, place[1], int(now)))


def public_count(creator: people.Creator, now: float, hidden: frozenset[str]) -> int:
    """What the channel says: its public videos that are still there."""
    minus = sum(upload.video.creator == creator for upload in _public_of(hidden, now))
    return _public(creator, videos.count(creator, now)) - minus


def total_views(creator: people.Creator, now: float) -> int:
    """Views of everything public, to the minute: five thousand videos take a moment to add up."""
    return _views_at_minute(creator, int(now) // 60)


def _public_of(ids: frozenset[str], now: float) -> Iterator[Upload]:
    found = (find(upload_id, now) for upload_id in ids)
    return (upload for upload in found if upload and upload.privacy == "public" and not upload.dropped)


@functools.lru_cache(maxsize=512)
def _public(creator: people.Creator, total: int) -> int:
    uploads = (Upload(videos.Video(creator, n, 0)) for n in range(total))
    return sum(upload.privacy == "public" and not upload.dropped for upload in uploads)


@functools.lru_cache(maxsize=512)
def _views_at_minute(creator: people.Creator, minute: int) -> int:
    uploads = map(Upload, videos.before(creator, None, minute * 60))
    return sum(upload.views() for upload in uploads if upload.privacy == "public" and not upload.dropped)


def _opaque(username: str) -> str:
    return _text(hashlib.sha256(f"youtube\n{username}".encode()).digest()[:16])


def _id(index: int, n: int) -> str:
    """Eleven characters, any of which may come first; it can be read back."""
    check = people.dice(index, n, 29)[:4]
    return _text(check + _veil(check, index << 16 | n))


def _place(upload_id: str) -> tuple[int, int] | None:
    if len(upload_id) != _ID_LENGTH or not upload_id.isascii():
        return None
    try:
        raw = base64.b64decode(upload_id + "=", altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    number = int.from_bytes(_veil(raw[:4], int.from_bytes(raw[4:])))
    index, n = number >> 16, number & 0xFFFF
    return (index, n) if _id(index, n) == upload_id else None


def _veil(check: bytes, number: int) -> bytes:
    mask = hashlib.blake2b(check, digest_size=4).digest()
    return (int.from_bytes(mask) ^ number).to_bytes(4)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def everything(creator: people.Creator, now: float, size: int = 500) -> Iterator[Upload]:
    """All uploads, newest first."""
    pages = (page(creator, start, size, now) for start in range(0, videos.count(creator, now), size))
    return itertools.chain.from_iterable(pages)


_BY_UPLOADS: Final = {
    uploads_id(creator): creator for creator in people.CREATORS if creator.username != WITHOUT_CHANNEL
}
