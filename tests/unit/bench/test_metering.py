"""What settlement costs, told with verdicts where the bars hold and nowhere else."""

import argparse

from bench import metering, roster


def stretch(contender: str, connections: int, rps: float, p99: float) -> dict[str, object]:
    return {
        "contender": contender, "operation": "small", "connections": connections, "run": 0, "rps": rps, "p50": 1.0,
        "p99": p99, "server_us": 1.0, "postgres_us": 1.0, "peak_mb": 1.0, "kb": 1.0,
    }  # fmt: skip


def told(rps: float, p99: float) -> dict[int, str]:
    """The report's cells about ours, by connections: the ratio, and its tail."""
    chosen = argparse.Namespace(connections=[16, 64], runs=1, seconds=1)
    found = [
        stretch(who, connections, rps if who == roster.OURS else 100, p99)
        for connections in chosen.connections
        for who in (roster.OURS, roster.UNMETERED)
    ]
    lines = metering._report(found, chosen).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")]
    ratio = next(row for row in rows if row[0] == "small")
    tails = {
        head[0].split("c=")[1].split()[0]: row[1]
        for head, row in zip(rows, rows[2:], strict=False)
        if head[0].startswith("p99 ÷ p50")
    }
    return {
        connections: f"{ratio[place]}, {tails[str(connections)]}"
        for place, connections in enumerate(chosen.connections, start=1)
    }


def test_both_bars_are_judged_at_64_connections_alone() -> None:
    assert told(90, 5.0) == {16: "0.90, 5.0", 64: "0.90 (≥ 0.85: met), 5.0 (met)"}
    assert told(80, 5.1) == {16: "0.80, 5.1", 64: "0.80 (≥ 0.85: NOT MET), 5.1 (NOT MET)"}
