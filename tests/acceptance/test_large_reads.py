"""A read that may be large is assembled beside the loop, a small one on it; both are answered and charged alike."""

import dataclasses
import threading

import pytest

from graph import limits
from graph.planner import assemble

PAGES = "query($n: Int!) { creators(first: $n) { totalCount nodes { id videos(first: $n) { nodes { id likes history { at views } } } } } }"
HERE, APART = True, False


@pytest.fixture
def where(monkeypatch):
    """Whether each read was assembled by the thread that runs the loop."""
    found, generate, loop = [], assemble.generate, threading.get_ident()

    def generated(statement, **how):
        made = generate(statement, **how)

        def run(*given):
            found.append(threading.get_ident() == loop)
            return made.run(*given)

        return dataclasses.replace(made, run=run)

    monkeypatch.setattr(assemble, "generate", generated)
    return found


async def test_what_may_be_large_is_assembled_beside_the_loop(service, where, path):
    if path == "compiled":
        await service.data(PAGES, {"n": 5})
        await service.data(PAGES, {"n": 50})
        assert where == [HERE, APART]


async def test_it_is_answered_and_charged_as_what_is_not(service, where, monkeypatch):
    await service.connected("sim.twenty", key=service.live)
    where.clear()
    small = await service.ask(PAGES, {"n": 5}, key=service.live)
    monkeypatch.setattr(limits, "AT_ONCE", 0)
    large = await service.ask(PAGES, {"n": 5}, key=service.live)
    assert (large.data, large.credits["charged"]) == (small.data, small.credits["charged"])
    assert len(small.data["creators"]["nodes"][0]["videos"]["nodes"]) == 5
