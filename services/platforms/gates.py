"""The way to a platform that all of ours share: closed by whoever is told to stop, to everybody."""

from datetime import datetime, timedelta
from typing import Protocol

UNNAMED = timedelta(seconds=30)
"""How long it stays closed where the platform names no time."""

EVERYTHING = ""


class Gate(Protocol):
    """One platform's in one world. An endpoint with a limit of its own is closed by itself; "" is all of them."""

    async def enter(self, endpoint: str) -> None:
        """Before each call. Raises BudgetSpent while it is closed: nobody sends what will be refused."""
        ...

    async def close(self, endpoint: str, until: datetime) -> None: ...


class Open:
    """Where nobody else calls."""

    async def enter(self, endpoint: str) -> None: ...

    async def close(self, endpoint: str, until: datetime) -> None: ...
