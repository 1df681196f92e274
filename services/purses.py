"""What this process remembers of balances, for half a second: so that an empty one is not read for again.

Never truth: settlement judges every charge. What is remembered refuses only before a read, and tells a
balance beside an answer that cost nothing.
"""

import time
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services import errors

SECONDS = 0.5
MOST = 20_000


class Standing(NamedTuple):
    """A balance as it was last seen."""

    remaining: int
    limit: int
    reset_at: datetime
    seen: float


class Short(NamedTuple):
    """Who is refused for now, of which account: what is left, and whether an answer had to be withheld for it."""

    account_id: UUID
    remaining: int
    reset_at: datetime
    withheld: bool
    until: float


class Purses:
    """Balances of accounts, and what is short: accounts by their id, keys with a budget by theirs."""

    def __init__(self) -> None:
        self._seen: dict[UUID, Standing] = {}
        self._short: dict[UUID, Short] = {}

    def see(self, account_id: UUID, remaining: int, limit: int, reset_at: datetime) -> None:
        """A balance after it was charged or read. Whoever was refused for another balance is let in again."""
        now = time.monotonic()
        self._seen[account_id] = Standing(remaining, limit, reset_at, now)
        if remaining < 1:
            self._mark(account_id, Short(account_id, remaining, reset_at, False, now + SECONDS))
        elif self._short:
            short = self._short.get(account_id)
            if short is not None and short.remaining != remaining:
                del self._short[account_id]
        if len(self._seen) > MOST:
            for old in list(self._seen)[: MOST // 4]:
                del self._seen[old]

    def withhold(
        self, account_id: UUID, remaining: int, reset_at: datetime, *, key_id: UUID | None = None
    ) -> None:
        """An answer of this account, or of its key with a budget, was withheld: it cost more than was left."""
        until = time.monotonic() + SECONDS
        self._mark(key_id or account_id, Short(account_id, remaining, reset_at, True, until))

    def check(self, account_id: UUID, key_id: UUID, least: int, most: int) -> None:
        """Before a read that costs from `least` to `most`. Raises CreditsExhausted."""
        if self._short:
            for id in (account_id, key_id):
                short = self._short.get(id)
                if short is not None:
                    self._check(id, short, least, most)

    def standing(self, account_id: UUID) -> Standing | None:
        """The balance, where it was seen within the half second."""
        seen = self._seen.get(account_id)
        return seen if seen is not None and time.monotonic() - seen.seen < SECONDS else None

    def last(self, account_id: UUID) -> Standing | None:
        """The balance as it was last seen, however long ago."""
        return self._seen.get(account_id)

    def doubt(self, account_id: UUID) -> None:
        """What was seen of it may have changed: it is read anew. Who is refused stays so, or failing would free them."""
        self._seen.pop(account_id, None)

    def forget(self, account_id: UUID) -> None:
        """It changed elsewhere, or one of its keys did: it and its keys are let in again, others are not."""
        self._seen.pop(account_id, None)
        if self._short:
            self._short = {id: short for id, short in self._short.items() if short.account_id != account_id}

    def forget_all(self) -> None:
        """It may have changed elsewhere, for everyone."""
        self._seen.clear()
        self._short.clear()

    def _check(self, id: UUID, short: Short, least: int, most: int) -> None:
        if time.monotonic() >= short.until:
            del self._short[id]
        elif short.remaining < least:
            raise errors.CreditsExhausted(least, short.remaining, short.reset_at)
        elif short.withheld and most > short.remaining:
            raise errors.CreditsExhausted(most, short.remaining, short.reset_at)

    def _mark(self, id: UUID, short: Short) -> None:
        before = self._short.get(id)
        if (
            before is not None
            and before.withheld
            and before.remaining == short.remaining
            and not short.withheld
        ):
            return
        self._short[id] = short
        if len(self._short) > MOST:
            now = time.monotonic()
            self._short = {id: short for id, short in self._short.items() if short.until > now}
