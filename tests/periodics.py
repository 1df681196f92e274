"""What a worker does now and then, left out where a test does not wait for it: it costs more than most tests' syncs."""

import pytest

from services import jobs

SELDOM = ("roll-up", "anomalies", "thin", "answers", "housekeeping")


def leave_out(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names left out; who wants all of them clears it."""
    names, repeat = {*SELDOM}, jobs.Worker._repeat

    async def repeated(worker: jobs.Worker, periodic: jobs.Periodic) -> None:
        if periodic.name not in names:
            await repeat(worker, periodic)

    monkeypatch.setattr(jobs.Worker, "_repeat", repeated)
    return names
