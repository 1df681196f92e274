"""However deep a loop's stack is, its calls take as long as anywhere."""

import time
from collections.abc import Callable

from server import roomy


def _leaf() -> None: ...


def _calls() -> float:
    before = time.thread_time()
    for _ in range(2_000):
        _leaf()
    return time.thread_time() - before


def _deeper(by: int, then: Callable[[], float]) -> float:
    return _deeper(by - 1, then) if by else then()


def _slowest(within: Callable[[Callable[[], list[float]]], list[float]]) -> float:
    """How many times longer calls take at the worst depth than at most of them; the least of some tries."""
    tries = []
    for _ in range(5):
        found = sorted(within(lambda: [_deeper(by, _calls) for by in range(250)]))
        tries.append(found[-1] / found[125])
    return min(tries)


def test_calls_take_as_long_at_any_depth() -> None:
    # A hundred times without room: 2,000 calls map and unmap memory 2,000 times.
    assert _slowest(roomy.run) < 20


def test_an_answer_and_an_error_come_through() -> None:
    assert roomy.run(divmod, 7, 2) == (3, 1)
    try:
        roomy.run(divmod, 7, 0)
    except ZeroDivisionError:
        return
    raise AssertionError
