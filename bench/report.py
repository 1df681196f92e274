"""Ratio tables out of stretches, in the form of the bars; raw numbers below them."""

import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import roster
from bench.bed import OUT

BEST = "best hand-written"
BAR_CONNECTIONS = 64
TAIL = 5.0
# (ours, divided by, {operation: at least}); the bars hold at 64 connections, everything on.
BARS: tuple[tuple[str, str, dict[str, float]], ...] = (
    (roster.OURS, roster.POSTGRAPHILE, {"small": 1.6, "nested": 3.5, "wide": 3.0}),
    (roster.OURS, roster.MERCURIUS, {"small": 0.7, "nested": 2.6, "wide": 1.9}),
    (roster.OURS, roster.SQLALCHEMY, {"small": 9, "nested": 28, "wide": 20}),
    (roster.OURS, BEST, {"small": 0.75, "nested": 1.1, "wide": 0.9}),
    (roster.OURS, roster.ASYNCPG, {}),
    (roster.OURS, roster.ARIADNE, {}),
    (roster.OURS, roster.UNMETERED, {}),
    (roster.UNMETERED, roster.MERCURIUS, {"small": 0.85, "nested": 3.0}),
    (roster.UNMETERED, roster.POSTGRAPHILE, {}),
    (roster.UNMETERED, BEST, {}),
)
RAW = ("rps", "p50", "p99", "server_us", "postgres_us", "peak_mb", "kb")
RAW_HEADS = ("rps", "p50 ms", "p99 ms", "server µs", "PostgreSQL µs", "peak MB", "KB")
Rows = Sequence[Mapping[str, Any]]


def write(name: str, text: str, found: Rows) -> None:
    """Print a report, and keep it beside its numbers in bench/out/."""
    print("\n" + text, flush=True)
    (OUT / f"{name}.md").write_text(text)
    (OUT / f"{name}.json").write_text(json.dumps(list(found), indent=1))


def ratios(found: Rows, skipped: Mapping[tuple[str, str], str], chosen: Mapping[str, Any]) -> str:
    """The whole report of a bench."""
    parts = [f"# Ratios\n\n{_machine()}\n\nOptions: {_said(chosen)}"]
    for connections in sorted({row["connections"] for row in found}, reverse=True):
        parts.append(f"## {connections} connections: requests a second, ours divided by theirs")
        parts.append(_bars(found, connections))
        parts.append(tails(found, connections))
    parts.append("## Raw numbers (medians over the rounds)")
    parts += [raw(found, connections) for connections in sorted({row["connections"] for row in found})]
    parts += [f"{who}: {operation} was left out: {why}" for (who, operation), why in skipped.items()]
    parts += _troubles(found)
    return "\n\n".join(part for part in parts if part) + "\n"


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {model}, Python {platform.python_version()}. "
        "Server on core 0; PostgreSQL and wrk on core 1."
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _said(chosen: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)


def _bars(found: Rows, connections: int) -> str:
    operations = _in_order(row["operation"] for row in found)
    rows = []
    for ours, theirs, bars in BARS:
        cells = [
            cell(
                ratio(found, ours, theirs, operation, connections),
                bars.get(operation) if connections == BAR_CONNECTIONS else None,
            )
            for operation in operations
        ]
        if any(cell != "–" for cell in cells):
            rows.append([f"{ours} ÷ {theirs}", *cells])
    return table(["", *operations], rows) if rows else ""


def cell(value: float | None, bar: float | None) -> str:
    """A ratio, with a verdict where there is a bar."""
    if value is None:
        return "–"
    if bar is None:
        return f"{value:.2f}"
    return f"{value:.2f} (≥ {bar:g}: {'met' if value >= bar else 'NOT MET'})"


def ratio(found: Rows, ours: str, theirs: str, operation: str, connections: int) -> float | None:
    """Median over the rounds of requests a second, ours by theirs in the same round."""
    mine, others = (by_run(found, who, operation, connections) for who in (ours, theirs))
    both = [mine[run] / others[run] for run in mine if others.get(run)]
    return median(both) if both else None


def by_run(found: Rows, who: str, operation: str, connections: int) -> dict[int, float]:
    """Requests a second in each round; of the hand-written ones, of the one whose median is best.

    Not the best of each round: that of three alike is a noisy machine's luck, a twentieth above each of them.
    """
    found_of = {
        name: {row["run"]: row["rps"] for row in found if stands(row, name, operation, connections)}
        for name in (roster.HANDWRITTEN if who == BEST else (who,))
    }
    return max(found_of.values(), key=lambda runs: median(runs.values()) if runs else 0.0)


def tails(found: Rows, connections: int) -> str:
    """p99 by p50 of ours, with a verdict where the bars hold."""
    rows = []
    for who in (roster.OURS, roster.UNMETERED):
        cells = []
        for operation in _in_order(row["operation"] for row in found):
            mine = [row for row in found if stands(row, who, operation, connections)]
            value = median(row["p99"] / row["p50"] for row in mine if row["p50"]) if mine else None
            cells.append(_tail(value, connections))
        if any(cell != "–" for cell in cells):
            rows.append([who, *cells])
    heads = [f"p99 ÷ p50, c={connections} (≤ {TAIL:g})", *_in_order(row["operation"] for row in found)]
    return table(heads, rows) if rows else ""


def _tail(value: float | None, connections: int) -> str:
    if value is None:
        return "–"
    if connections != BAR_CONNECTIONS:
        return f"{value:.1f}"
    return f"{value:.1f} ({'met' if value <= TAIL else 'NOT MET'})"


def stands(row: Mapping[str, Any], who: str, operation: str, connections: int) -> bool:
    """Whether a stretch is this contender's, of this operation and load."""
    return (row["contender"], row["operation"], row["connections"]) == (who, operation, connections)


def raw(found: Rows, connections: int) -> str:
    """Every contender's medians, an operation after the other."""
    rows = []
    for operation in _in_order(row["operation"] for row in found):
        for who in roster.contenders():
            mine = [row for row in found if stands(row, who, operation, connections)]
            if mine:
                rows.append([operation, who, str(connections), *(_number(mine, name) for name in RAW)])
    return table(["operation", "contender", "c", *RAW_HEADS], rows)


def _number(rows: Rows, name: str) -> str:
    value = median(row[name] for row in rows)
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _troubles(found: Rows) -> list[str]:
    """Stretches that do not count for what they say."""
    return [
        f"NOT SOUND: {row['contender']}, {row['operation']}, c={row['connections']}, run {row['run'] + 1}: "
        f"{row['failed']} failed, {row['kb']} KB an answer"
        for row in found
        if row["failed"] or row.get("odd")
    ]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown, in columns that line up in a terminal too."""
    widths = [max(len(row[n]) for row in (heads, *rows)) for n in range(len(heads))]
    pad: Callable[[Sequence[str]], str] = lambda row: (  # noqa: E731 -- used twice below
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
    )
    return "\n".join(
        [pad(heads), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(pad, rows)]
    )


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
