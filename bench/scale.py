"""How the cost grows: ours on beds of more and more accounts, and at the first and the last page of a long list."""

import argparse
import itertools
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench import bed as beds
from bench import machine, operations, report, roster, turns
from bench.roster import Contender
from bench.turns import Turns

OPERATIONS = ("small", "nested", "wide", "deep", "totalCount", "page 1", "page 1000")
FLAT = 0.2
# All bodies pass once before any counts: what is asked is how the reads grow, not how a disk fills a cache.
FIRST_SECONDS = 10
WARM_SECONDS = 2


async def run(chosen: argparse.Namespace) -> None:
    """Ours once for each bed, side by side on one PostgreSQL: asked for all accounts, and for one of each bed."""
    ours = roster.contenders()[roster.OURS]
    with beds.postgres(machine.OTHER_CORE) as server:
        each = {
            accounts: await turns.prepared(
                server, accounts, OPERATIONS, chosen.connections, chosen.seconds, chosen.minutes
            )
            for accounts in chosen.scale
        }
        for of_bed in each.values():
            heated = [operations.hot(operation) for operation in of_bed.operations.values()]
            of_bed.operations |= {operation.name: operation for operation in heated}
        everyone = [(of_bed, ours) for of_bed in each.values()]
        await _side_by_side(everyone, 1, FIRST_SECONDS)
        for of_bed in each.values():
            of_bed.found.clear()
        await _side_by_side(everyone, chosen.runs, WARM_SECONDS)
    found = [{**row, "accounts": accounts} for accounts, of_bed in each.items() for row in of_bed.found]
    report.write("scale", _report(found, chosen), found)


async def _side_by_side(everyone: Sequence[tuple[Turns, Contender]], rounds: int, warm_up: float) -> None:
    for of_bed, _ in everyone:
        of_bed.warm_up = warm_up
    await turns.side_by_side(everyone, rounds)


def _report(found: list[dict[str, Any]], chosen: argparse.Namespace) -> str:
    parts = [
        "# How the cost grows: processor time a request (server + PostgreSQL, µs), and requests a second"
    ]
    for connections in chosen.connections:
        mine = [row for row in found if row["connections"] == connections]
        heads = [
            f"c={connections}",
            *(f"{accounts} accounts" for accounts in chosen.scale),
            *(f"{more} ÷ {fewer}" for fewer, more in itertools.pairwise(chosen.scale)),
        ]
        rows = [
            [
                name,
                *(_cell(mine, name, accounts) for accounts in chosen.scale),
                *(_growth(mine, name, *pair) for pair in itertools.pairwise(chosen.scale)),
            ]
            for name in (name + tail for tail in ("", operations.HOT) for name in OPERATIONS)
        ]
        parts.append(report.table(heads, rows))
    return "\n\n".join(parts) + "\n"


def _costs(found: list[dict[str, Any]], name: str, accounts: int) -> dict[int, float]:
    """By round."""
    return {
        row["run"]: row["server_us"] + row["postgres_us"]
        for row in found
        if (row["operation"], row["accounts"]) == (name, accounts)
    }


def _cell(found: list[dict[str, Any]], name: str, accounts: int) -> str:
    rows = [row for row in found if (row["operation"], row["accounts"]) == (name, accounts)]
    if not rows:
        return "–"
    server, postgres, rps = (median(row[key] for row in rows) for key in ("server_us", "postgres_us", "rps"))
    return f"{server:,.0f} + {postgres:,.0f}; {rps:,.0f}/s"


def _growth(found: list[dict[str, Any]], name: str, fewer: int, more: int) -> str:
    """Median over the rounds of what the larger bed costs by what the smaller one does in the same round."""
    small, large = _costs(found, name, fewer), _costs(found, name, more)
    both = [large[run] / small[run] for run in large if small.get(run)]
    if not both:
        return "–"
    grown = median(both)
    return f"{grown:.2f}" + ("" if grown <= 1 + FLAT else f" (over {1 + FLAT:g})")
