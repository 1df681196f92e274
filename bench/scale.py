"""How the cost grows: ours on beds of more and more accounts, and at the first and the last page of a long list."""

import argparse
from collections.abc import Sequence
from statistics import median
from typing import Any

from bench import bed as beds
from bench import machine, report, roster, turns
from bench.roster import Contender
from bench.turns import Turns

OPERATIONS = ("small", "nested", "wide", "deep", "totalCount", "page 1", "page 1000")
FLAT = 0.2
# All bodies pass once before any counts: what is asked is how the reads grow, not how a disk fills a cache.
FIRST_SECONDS = 10
WARM_SECONDS = 2


async def run(chosen: argparse.Namespace) -> None:
    """Ours once for each bed, side by side on one PostgreSQL."""
    ours = roster.contenders()[roster.OURS]
    with beds.postgres(machine.OTHER_CORE) as server:
        each = {
            accounts: await turns.prepared(
                server, accounts, OPERATIONS, chosen.connections, chosen.seconds, chosen.minutes
            )
            for accounts in chosen.scale
        }
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
        rows = [
            [
                name,
                *(_cell(found, name, accounts, connections) for accounts in chosen.scale),
                _growth(found, name, chosen.scale, connections),
            ]
            for name in OPERATIONS
        ]
        heads = [
            f"c={connections}",
            *(f"{accounts} accounts" for accounts in chosen.scale),
            "most ÷ least µs",
        ]
        parts.append(report.table(heads, rows))
    return "\n\n".join(parts) + "\n"


def _costs(found: list[dict[str, Any]], name: str, accounts: int, connections: int) -> list[dict[str, Any]]:
    return [
        row
        for row in found
        if (row["operation"], row["accounts"], row["connections"]) == (name, accounts, connections)
    ]


def _us(found: list[dict[str, Any]], name: str, accounts: int, connections: int) -> float | None:
    rows = _costs(found, name, accounts, connections)
    return median(row["server_us"] + row["postgres_us"] for row in rows) if rows else None


def _cell(found: list[dict[str, Any]], name: str, accounts: int, connections: int) -> str:
    rows = _costs(found, name, accounts, connections)
    if not rows:
        return "–"
    server, postgres, rps = (median(row[key] for row in rows) for key in ("server_us", "postgres_us", "rps"))
    return f"{server:,.0f} + {postgres:,.0f}; {rps:,.0f}/s"


def _growth(found: list[dict[str, Any]], name: str, scale: list[int], connections: int) -> str:
    costs = [cost for cost in (_us(found, name, accounts, connections) for accounts in scale) if cost]
    if not costs:
        return "–"
    grown = max(costs) / min(costs)
    return f"{grown:.2f}" + ("" if grown <= 1 + FLAT else " (over 1.2)")
