"""`python -m bench.metering`: what settlement costs. Ours with it and without, side by side, in one run.

On all accounts alike, and on one hot account: there every charge waits for the same balance row.
"""

import argparse
import asyncio
import sys
from statistics import median
from typing import Any

from bench import bed as beds
from bench import machine, operations, report, roster, turns

OPERATIONS = ("small", "fixed", "nested")
# At least so much of the requests a second without settlement, at `report.BAR_CONNECTIONS`.
BARS = {"small": 0.85, "fixed": 0.90, "nested": 0.95}


async def run(chosen: argparse.Namespace) -> None:
    everyone = roster.contenders()
    with beds.postgres(machine.OTHER_CORE) as server:
        found = await turns.prepared(
            server, chosen.accounts, OPERATIONS, chosen.connections, chosen.seconds, chosen.minutes
        )
        heated = [operations.hot(operation) for operation in found.operations.values()]
        found.operations |= {operation.name: operation for operation in heated}
        try:
            await turns.side_by_side(
                [(found, everyone[name]) for name in (roster.OURS, roster.UNMETERED)], chosen.runs
            )
        finally:
            if found.found:
                report.write("metering", _report(found.found, chosen), found.found)


def _report(found: list[dict[str, Any]], chosen: argparse.Namespace) -> str:
    heads = ["with ÷ without settlement"] + [f"c={connections}" for connections in chosen.connections]
    names = [name + tail for tail in ("", operations.HOT) for name in OPERATIONS]
    rows = [
        [name, *(_cell(found, name, connections) for connections in chosen.connections)] for name in names
    ]
    parts = [
        f"# What settlement costs\n\n{operations.BODIES} bodies at most, {chosen.runs} rounds of {chosen.seconds} s"
    ]
    parts.append(report.table(heads, rows))
    heads[0] = "µs of processor time a request that it adds (server + PostgreSQL)"
    rows = [
        [name, *(_added(found, name, connections) for connections in chosen.connections)] for name in names
    ]
    parts.append(report.table(heads, rows))
    parts += [report.tails(found, connections) for connections in chosen.connections]
    parts += [report.raw(found, connections) for connections in chosen.connections]
    return "\n\n".join(parts) + "\n"


def _cell(found: list[dict[str, Any]], name: str, connections: int) -> str:
    value = report.ratio(found, roster.OURS, roster.UNMETERED, name, connections)
    bar = BARS[name.removesuffix(operations.HOT)] if connections == report.BAR_CONNECTIONS else None
    return report.cell(value, bar)


def _added(found: list[dict[str, Any]], name: str, connections: int) -> str:
    costs = [
        {
            part: median(row[part] for row in found if report.stands(row, who, name, connections))
            for part in ("server_us", "postgres_us")
        }
        for who in (roster.OURS, roster.UNMETERED)
        if any(report.stands(row, who, name, connections) for row in found)
    ]
    if len(costs) < 2:
        return "–"
    return " + ".join(f"{costs[0][part] - costs[1][part]:.0f}" for part in ("server_us", "postgres_us"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.metering", description=__doc__)
    parser.add_argument(
        "--connections", type=lambda text: [int(part) for part in text.split(",")], default=[16, 64]
    )
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=25, help="rounds")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=60)
    with machine.alone():
        asyncio.run(run(parser.parse_args(sys.argv[1:])))


if __name__ == "__main__":
    main()
