"""Room for all frames of a loop in one piece.

CPython takes memory for frames in blocks of 16 KiB, and gives one back as soon as the first frame in it ends. Calls
that go to and fro over the edge of one map and unmap memory each time, which takes a hundred times as long as a call:
a document whose fields are executed just there kept everybody waiting five times as long as others. Where that is
depends on how deep the stack is, and so on what a client sends.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
T = TypeVar("T")

# In slots of 8 bytes: a little over 2 MiB, so that CPython, which doubles until a frame fits, takes 4 MiB for it. The
# frame itself is never touched; what is called from it lies in the half that is left.
SLOTS = 262_144


def run(work: Callable[Given, T], *given: Given.args, **named: Given.kwargs) -> T:
    """What the work answers, its calls in one block, as deep as Python lets them go."""
    return work(*given, **named)


run.__code__ = run.__code__.replace(co_stacksize=SLOTS)
