"""What a platform answered before, by its etag: for those who ask whether it changed.

A process keeps some megabytes in memory, what was not used for longest goes first, and nothing is kept that was not told
or confirmed for days: of who has left nothing stays for long. Everything is one grant's own: the key holds a digest of
its secret, so another grant's answer is never found, whoever's it is.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MOST_BYTES = 8 * 1024 * 1024
AN_ENTRY = 256
"""What an entry costs beside its text: key, tag and places."""

MOST_SECONDS = 8 * 86_400.0
"""A little more than a week: so often all pages of a creator are read."""

TAG_LIMIT = 256


@dataclass(frozen=True)
class Answer:
    """`tag` as the platform wrote it, quoted or bare."""

    tag: str
    text: bytes
    at: float

    @property
    def size(self) -> int:
        return len(self.text) + len(self.tag) + AN_ENTRY


class Kept:
    """The answers that this process remembers, the one first that was told or confirmed longest ago."""

    def __init__(self, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock, self._size = most_bytes, clock, 0
        self._answers: OrderedDict[bytes, Answer] = OrderedDict()

    def find(self, key: bytes) -> Answer | None:
        self._forget_old()
        return self._answers.get(key)

    def keep(self, key: bytes, tag: str | None, told: Any) -> None:
        """Remember it in the place of what was there; without a usable tag there is nothing to ask by."""
        self._drop(key)
        answer = Answer(tag or "", json.dumps(told, separators=(",", ":")).encode(), self._clock())
        if not tag or answer.size > self._most:
            return
        self._answers[key] = answer
        self._size += answer.size
        while self._size > self._most:
            self._drop(next(iter(self._answers)))

    def confirm(self, key: bytes, answer: Answer) -> Any:
        """It holds still: what it said."""
        if self._answers.get(key) is answer:
            self._answers[key] = replace(answer, at=self._clock())
            self._answers.move_to_end(key)
        return json.loads(answer.text)

    def _forget_old(self) -> None:
        oldest = self._clock() - MOST_SECONDS
        while self._answers and (first := next(iter(self._answers.items())))[1].at < oldest:
            self._drop(first[0])

    def _drop(self, key: bytes) -> None:
        gone = self._answers.pop(key, None)
        self._size -= 0 if gone is None else gone.size


def key(secret: str, path: str, params: Mapping[str, str]) -> bytes:
    """The place of an answer: whose (by a secret of the grant, of which only the digest stays), and to what question."""
    return hashlib.sha256(json.dumps([secret, path, sorted(params.items())]).encode()).digest()


def tag_of(header: str | None, body: Any) -> str | None:
    """An answer's etag: its header's, else its body's. None for one that would break a header."""
    told = header or (body.get("etag") if isinstance(body, dict) else None)
    usable = isinstance(told, str) and 0 < len(told) <= TAG_LIMIT and told.isascii() and told.isprintable()
    return told if usable else None


def same(one: str, other: str) -> bool:
    """Whether two tags are one, weak or not, quoted or bare."""
    return _bare(one) == _bare(other)


def as_condition(tag: str) -> str:
    """The tag as If-None-Match takes it."""
    return tag if tag.endswith('"') else f'"{tag}"'


def _bare(tag: str) -> str:
    return tag.removeprefix("W/").strip('"')
