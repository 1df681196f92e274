"""`make bench`: every contender beside the others on the same bed, cores and load; answers checked, ratios printed and written.

Answers are compared with the reference before anything is measured. Stretches are short and stand side by side, so
that what else the machine does falls on all alike; ratios are medians over the rounds.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bench import bed as beds
from bench import installing, machine, report, roster, scale, turns
from bench.roster import Contender

MAIN = ("small", "nested", "wide", "deep", "totalCount", "usage")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--operations", type=_names, default=list(MAIN), help="comma-separated")
    parser.add_argument("--contenders", type=_names, help="comma-separated parts of names; default: all")
    parser.add_argument("--connections", type=_numbers, default=[16, 64])
    parser.add_argument("--seconds", type=int, default=2, help="of a stretch")
    parser.add_argument("--runs", type=int, default=15, help="rounds")
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--minutes", type=int, default=120, help="after so many, no new measurement begins")
    parser.add_argument("--scale", type=_numbers, help="beds of so many accounts, ours alone: 1,50,500")
    parser.add_argument("--quick", action="store_true", help="one round of 2 s at 64 connections")
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.runs, chosen.seconds, chosen.connections = 1, 2, [64]
    return chosen


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in _names(text)]


def choose(wanted: Sequence[str] | None) -> list[Contender]:
    """Contenders whose name has one of the parts; an exact name means itself alone."""
    everyone = roster.contenders()
    parts = wanted or list(everyone)
    return [
        contender
        for name, contender in everyone.items()
        if any(part == name or (part not in everyone and part.lower() in name.lower()) for part in parts)
    ]


async def bench(chosen: argparse.Namespace) -> None:
    """The ratio tables of the contenders chosen."""
    installing.ensure(choose(chosen.contenders))
    contenders = choose(chosen.contenders)  # again: what was just installed has brought its own Node
    with beds.postgres(machine.OTHER_CORE) as server:
        found = await turns.prepared(
            server, chosen.accounts, chosen.operations, chosen.connections, chosen.seconds, chosen.minutes
        )
        try:
            await turns.side_by_side([(found, contender) for contender in contenders], chosen.runs)
        finally:
            if found.found:
                report.write("ratios", report.ratios(found.found, found.skipped, vars(chosen)), found.found)
    if found.problems:
        raise SystemExit("bench: not everything is sound: " + "; ".join(found.problems)[:2000])


def main() -> None:
    chosen = options(sys.argv[1:])
    with machine.alone():
        asyncio.run(scale.run(chosen) if chosen.scale else bench(chosen))


if __name__ == "__main__":
    main()
