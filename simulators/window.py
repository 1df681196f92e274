"""The platform's rate limit: so many requests in any minute."""

from collections import defaultdict, deque

SECONDS = 60.0


class Window:
    """A sliding one-minute window a key; refused requests are not counted. One process's view."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def admits(self, client_key: str, endpoint: str, now: float, limit: int) -> bool:
        seen = self._seen[client_key, endpoint]
        while seen and seen[0] <= now - SECONDS:
            seen.popleft()
        if len(seen) >= limit:
            return False
        seen.append(now)
        return True
