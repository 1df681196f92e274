"""Time limits of many operations with one timer for all: one each (`asyncio.timeout`) costs as much as a fiftieth of a read."""

import asyncio
from collections import deque
from types import TracebackType


class Deadlines:
    """One an event loop. All its limits are alike, so that who came first is late first."""

    def __init__(self) -> None:
        self._running: deque[Deadline] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def within(self, seconds: float) -> "Deadline":
        """`with deadlines.within(15): await …` Raises TimeoutError where the block takes longer."""
        return Deadline(self, seconds)

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop, asked for once: that costs a system call."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        return self._loop

    def begin(self, deadline: "Deadline", loop: asyncio.AbstractEventLoop) -> None:
        self._running.append(deadline)
        if self._timer is None or deadline.ends < self._timer.when():
            self._set(loop, deadline.ends)

    def tidy(self) -> None:
        """Forget those at the front that are over."""
        running = self._running
        while running and running[0].task is None:
            running.popleft()

    def _set(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(at, self._end_late, loop)

    def _end_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._running and self._running[0].ends <= now:
            self._running.popleft().expire()
        self.tidy()
        if self._running:
            self._set(loop, self._running[0].ends)


class Deadline:
    """One block of one task."""

    __slots__ = ("_all", "_cancelling", "_late", "_seconds", "ends", "task")

    def __init__(self, everyones: Deadlines, seconds: float) -> None:
        self._all, self._seconds = everyones, seconds
        self._late = False
        self.task: asyncio.Task[object] | None = None

    def __enter__(self) -> None:
        loop = self._all.running()
        self.task = task = asyncio.current_task(loop)
        assert task is not None
        self._cancelling = task.cancelling()
        self.ends = loop.time() + self._seconds
        self._all.begin(self, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        task, self.task = self.task, None
        self._all.tidy()
        if not self._late:
            return
        assert task is not None
        # Only our own cancellation becomes a TimeoutError, as `asyncio.timeout` has it.
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """End the block, if it is not over."""
        if self.task is not None:
            self._late = True
            self.task.cancel()
