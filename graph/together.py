"""What many small caches hold together, bounded: each has its own limit, but there are many of them."""

import weakref
from collections import OrderedDict, deque
from typing import Any


class Together:
    """The oldest entry of any goes first, used or not: it is soon made again, and a use costs nothing here."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: deque[tuple[weakref.ref[OrderedDict[Any, Any]], Any]] = deque()

    def added(self, cache: OrderedDict[Any, Any], key: Any) -> None:
        """An entry was put into a cache."""
        self._entries.append((weakref.ref(cache), key))
        if len(self._entries) > self._most:
            whose, oldest = self._entries.popleft()
            held = whose()
            if held is not None:
                held.pop(oldest, None)
