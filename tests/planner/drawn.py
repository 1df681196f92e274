"""Chance as hypothesis draws it, and an account whose rows it draws: what fails is shrunk to no, the first, the fewest."""

import itertools
import string
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tests.planner import data

NUMBERS = itertools.count(1)
LETTERS = string.ascii_letters + " '\"\\%_,{}$\n\téßا日👩🎉𝕏\u0301\u200d\ufeff"


class Drawn:
    """What of `random.Random` the makers of rows and operations use."""

    def __init__(self, draws: Any) -> None:
        self._data = draws.conjecture_data  # its own `draw` writes a line about each of a thousand

    def randint(self, low: int, high: int) -> int:
        return low if low == high else self._data.draw_integer(low, high)

    def chance(self, share: float) -> bool:
        return self.randint(0, 99) >= 100 * (1 - share)

    def choice(self, values: Sequence[Any]) -> Any:
        return values[self.randint(0, len(values) - 1)]

    def choices(self, values: Sequence[Any], k: int) -> list[Any]:
        return [self.choice(values) for _ in range(k)]

    def sample(self, values: Sequence[Any], k: int) -> list[Any]:
        left = list(values)
        return [left.pop(self.randint(0, len(left) - 1)) for _ in range(k)]


class Maker(data.Maker):
    """One account of few rows; texts and counts beside those that are known to be odd."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__(drawn)
        self.keys_of_a_world = drawn.randint(0, 2)
        creators, videos = drawn.choice((1, 2, 3, 5, 0)), drawn.choice((2, 4, 0))
        self.account_id = self.account(f"drawn{next(NUMBERS)}", creators=creators, videos=videos)

    def id(self) -> UUID:
        """In an order that is drawn, and never twice, as what was drawn may be drawn again."""
        return UUID(int=(self.random.randint(0, 255) << 120) + next(NUMBERS))

    def pick(self, values: Any) -> Any:
        if values is data.COUNTS and self.random.chance(0.2):
            return self.random.randint(0, 2**53 - 1)
        if values is data.TEXTS and self.random.chance(0.2):
            return "".join(self.random.choices(LETTERS, self.random.randint(0, 8)))
        return super().pick(values)
