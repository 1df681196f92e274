"""The simulators' clock: real time plus what a test added."""

import time
from collections.abc import Callable


class Clock:
    """Tells the simulated time; it never goes back.

    The offset lives in this process only: it is neither in the state file nor shared with other processes.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = 0.0

    def now(self) -> float:
        """Unix seconds."""
        return self._source() + self._offset

    def advance(self, seconds: float) -> None:
        if not 0 <= seconds < float("inf"):
            raise ValueError("the clock only moves forward")
        self._offset += seconds
