"""The simulated creators: the same 120 people on every start, with numbers that grow with the clock."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from simulators import themes

EPOCH = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
"""Where growth starts. A clock set before it sees the creators as they are on this day."""

DAY = 86_400
COUNT = 120
MOST_VIDEOS = 5_000

Texture = Literal["clean", "mixed", "strange", "sparse", "burst"]
"""What the videos are like: tidy, a few odd ones, all odd titles, holes in the counters, 25 in one second."""


@dataclass(frozen=True, slots=True)
class Creator:
    """One creator. `videos` is the number at EPOCH; one more comes `every` seconds, up to `most`."""

    index: int
    username: str
    display_name: str
    bio: str
    verified: bool
    followers: int
    following: int
    videos: int
    views: int
    texture: Texture = "mixed"
    subjects: tuple[str, ...] = themes.SUBJECTS
    every: int = 0
    most: int = MOST_VIDEOS


def since_epoch(now: float) -> int:
    return max(0, int(now) - EPOCH)


def followers(creator: Creator, now: float) -> int:
    """Followers at this instant; never falls, and grows at a tenth of a percent a day."""
    return creator.followers + creator.followers * since_epoch(now) // (1_000 * DAY)


def dice(*seed: int) -> bytes:
    """Sixteen bytes that look random and are the same for the same seed, on every machine."""
    return hashlib.blake2b(repr(seed).encode(), digest_size=16).digest()


def identity(*parts: str) -> str:
    """An opaque id, stable for what it identifies, shaped like the platform's open_id."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def _demo() -> list[Creator]:
    return [
        Creator(
            index, f"sim.{part.name}", part.display_name, part.bio, part.verified, part.followers, 80 + 13 * index,
            part.videos, views=part.followers // 6, texture="clean", subjects=part.subjects,
            every=(3 + index % 5) * DAY, most=120,
        )
        for index, part in enumerate(themes.DEMO)
    ]  # fmt: skip


def _edge(start: int) -> list[Creator]:
    """The creators that programs break on."""
    rows: list[tuple[str, str, int, int, int, Texture, int]] = [
        ("daily", "Posts one video a day.", 48_000, 30, 9_000, "clean", DAY),
        ("prolific", "Exactly 5,000 videos.", 5_100_000, MOST_VIDEOS, 400_000, "burst", 0),
        ("quiet", "", 12, 0, 0, "clean", 0),
        ("viral", "More views than 32 bits can count.", 3_000_000_000, 60, 2_900_000_000, "clean", 7 * DAY),
        ("strange", themes.STRANGE_BIO, 7_700, 64, 900, "strange", 0),
        ("sparse", "Counters with holes.", 3_300, 45, 400, "sparse", 0),
        ("single", "One video.", 150, 1, 90, "clean", 0),
        ("twenty", "Exactly one full page.", 900, 20, 300, "clean", 0),
        ("burst", "Many videos in one second.", 22_000, 300, 5_000, "burst", 0),
    ]
    return [
        Creator(start + n, f"sim.{name}", f"Sim {name.title()}", bio, name == "viral", fans, n, videos, views,
                texture=texture, every=every)
        for n, (name, bio, fans, videos, views, texture, every) in enumerate(rows)
    ]  # fmt: skip


def _crowd(start: int) -> list[Creator]:
    """Everybody else, with video counts on both sides of every page size."""
    counts = (0, 1, 2, 5, 10, 19, 20, 21, 35, 40, 41, 60, 100, 101, 150, 240, 400, 750, 1_200, 2_500)
    return [_face(index, counts[index % len(counts)]) for index in range(start, COUNT)]


def _face(index: int, videos: int) -> Creator:
    roll = dice(index)
    name = themes.FIRST_NAMES[index % len(themes.FIRST_NAMES)]
    number = index // len(themes.FIRST_NAMES) + 1
    fans = 10 ** (2 + roll[0] % 5) + int.from_bytes(roll[1:3])
    return Creator(
        index, f"sim.{name}{number:02d}", f"{name.title()} {number}", f"{name.title()} and the {number} cameras.",
        not roll[3] % 6, fans, roll[4] * 3, videos, views=fans // 5 + 40,
        every=14 * DAY if not roll[5] % 4 else 0,
    )  # fmt: skip


def _everybody() -> tuple[Creator, ...]:
    people = _demo()
    people += _edge(len(people))
    people += _crowd(len(people))
    return tuple(people)


CREATORS = _everybody()
BY_USERNAME = {creator.username: creator for creator in CREATORS}
DEMO_SIZE = len(themes.DEMO)
EDGE_SIZE = len(_edge(0))
