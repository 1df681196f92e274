"""How the cost grows: ours on beds of more and more accounts, and at the first and the last page of a long list."""

import argparse
from statistics import median
from typing import Any

from bench import bed as beds
from bench import machine, report, roster, turns

OPERATIONS = ("small", "nested", "wide", "deep", "totalCount", "page 1", "page 1000")
FLAT = 0.2
# All bodies pass once before they count: what is asked is how the reads grow, not how the disk fills a cache.
WARM_SECONDS = 10


async def run(chosen: argparse.Namespace) -> None:
    """Ours on each bed in turn, several times over."""
    ours = [roster.contenders()[roster.OURS]]
    found: list[dict[str, Any]] = []
    with beds.postgres(machine.OTHER_CORE) as server:
        for accounts in chosen.scale:
            await beds.stand(server, accounts)
        try:
            for n in range(chosen.runs):
                for accounts in chosen.scale:
                    here = await turns.prepared(
                        server, accounts, OPERATIONS, chosen.connections, chosen.seconds, chosen.minutes
                    )
                    here.warm_up = WARM_SECONDS
                    await turns.turn(here, ours[0], n)
                    found += [{**row, "accounts": accounts} for row in here.found]
        finally:
            if found:
                report.write("scale", _report(found, chosen), found)


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
