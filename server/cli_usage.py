"""Usage: what an account used, by the same plan that answers the API's `usage`; and the roll-ups."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.bar import Bar
from rich.table import Table

import resolvers
from db.session import Connection
from graph.planner import reading
from graph.planner.entities import ROOTS
from graph.planner.mapping import Read
from graph.planner.reading import Delivered
from server import opening, output
from services import accounts, anomalies
from services import errors as failures
from services import usage as rules

app = typer.Typer(help="Usage: show, roll up.", no_args_is_help=True)

SUMS = "requests credits errors"
ASKED = f"""query($from: DateTime, $to: DateTime, $step: Granularity, $most: Int) {{ usage(from: $from, to: $to) {{
  from to {SUMS} rateLimited lastUsedAt
  buckets(granularity: $step) {{ at {SUMS} rateLimited }}
  byKey(first: $most) {{ apiKey {{ id name hint status }} {SUMS} }}
  byMember(first: $most) {{ member {{ email }} {SUMS} }}
  byField(first: $most) {{ field calls credits }}
  byCountry(first: $most) {{ country requests }}
  anomalies(first: $most) {{ kind at apiKey {{ name hint }} detail }} }} }}"""
BAR_WIDTH = 40
LATEST_LINES = 62  # of a plot: two months of days


class Step(StrEnum):
    """A bucket's length."""

    day = "day"
    hour = "hour"


class Mode(StrEnum):
    """Which world."""

    live = "live"
    test = "test"


@app.command()
def show(
    account: Annotated[str, typer.Argument(help="Account: id (acc_…) or name.")],
    since: Annotated[
        str | None,
        typer.Option("--from", help="Not before, RFC 3339 or a day; else the start of this month."),
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Before; else now.")] = None,
    granularity: Annotated[Step, typer.Option(help="The plot's step.")] = Step.day,
    mode: Annotated[Mode, typer.Option(help="Which world: they are never summed together.")] = Mode.live,
    first: Annotated[int, typer.Option(help="How many of each table.", min=1, max=100)] = 10,
    json: output.Json = False,
) -> None:
    """Totals, a plot, and tables by key, member, field and country."""

    async def work(opened: opening.Opened) -> Mapping[str, Any]:
        asked = {"from": _instant("--from", since), "to": _instant("--to", to), "most": first}
        given = {"step": granularity.value.upper(), **{k: v for k, v in asked.items() if v is not None}}
        async with opened.database() as database:
            async with database.write() as session:
                found = await accounts.find(session, account)
            async with database.read() as connection:
                return await _read(connection, found.id, given, livemode=mode is Mode.live)

    found = opening.run(work, as_json=json)
    if json:
        output.record(found, as_json=True)
    else:
        _show(found, granularity)


@app.command()
def rollup(json: output.Json = False) -> None:
    """Sum the hours that are over, and look for anomalies, now; workers do so by themselves."""

    async def work(opened: opening.Opened) -> int:
        async with opened.database() as database:
            hours = await rules.roll_up(database)
            await anomalies.find(database)
            return hours

    output.record({"hours": opening.run(work, as_json=json)}, as_json=json)


async def _read(
    connection: Connection, account_id: UUID, given: Mapping[str, Any], *, livemode: bool
) -> Mapping[str, Any]:
    """What the API would answer to the account; nothing is charged."""
    engine = resolvers.engine()
    operation = engine.documents.operation(ASKED, None)
    variables = operation.read(given)
    root = operation.roots(variables)[0]
    prepared = reading.prepared(root, ROOTS["usage"], "Query")
    read = Read(account_id, livemode, datetime.now(UTC), variables)
    rows: list[Mapping[str, Any]] = await prepared.run(reading.on(connection), read, Delivered())
    return rows[0]


def _instant(option: str, given: str | None) -> str | None:
    """As the API takes it; a day is its start, UTC."""
    if given is None:
        return None
    try:
        at = datetime.fromisoformat(given)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise failures.BadUserInput(
            f"`{option}` must be a day or an instant, such as 2026-05-01 or 2026-05-01T12:00:00Z."
        ) from None


# -- to people


def _show(found: Mapping[str, Any], step: Step) -> None:
    names = ("from", "to", "requests", "credits", "errors", "rateLimited", "lastUsedAt")
    output.record({name: _number(found[name]) for name in names}, as_json=False)
    _plot(found["buckets"], step)
    _table("By key", [{"key": _key(row["apiKey"]), **_sums(row)} for row in found["byKey"]])
    _table("By member", [{"member": row["member"]["email"], **_sums(row)} for row in found["byMember"]])
    _table("By field", found["byField"])
    _table(
        "By country",
        [{"country": row["country"] or "unknown", "requests": row["requests"]} for row in found["byCountry"]],
    )
    told = [
        {"at": row["at"][:16], "kind": row["kind"], "key": _key(row["apiKey"]), "detail": row["detail"]}
        for row in found["anomalies"]
    ]
    _table("Unusual", told)


def _plot(buckets: Sequence[Mapping[str, Any]], step: Step) -> None:
    """A bar a step, as long as its requests; the newest that fit."""
    shown = buckets[-LATEST_LINES:]
    most = max((bucket["requests"] for bucket in shown), default=0)
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(step.value, no_wrap=True)
    for name in ("requests", "credits", "errors"):
        table.add_column(name, justify="right")
    table.add_column("", width=BAR_WIDTH)
    for bucket in shown:
        bar = Bar(most or 1, 0, bucket["requests"], width=BAR_WIDTH, color="cyan")
        numbers = [_number(bucket[name]) for name in ("requests", "credits", "errors")]
        table.add_row(bucket["at"][: 10 if step is Step.day else 16].replace("T", " "), *numbers, bar)
    output.console.print()
    if len(shown) < len(buckets):
        output.console.print(f"[dim]the last {len(shown)} of {len(buckets)}; --json has them all[/]")
    output.console.print(table)


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = Table(
        box=None, header_style="dim", pad_edge=False, title=title, title_justify="left", title_style="bold"
    )
    for name, value in rows[0].items():
        table.add_column(
            name, justify="right" if isinstance(value, int) else "left", no_wrap=name != "detail"
        )
    for row in rows:
        table.add_row(*(output.plain(_number(value)) for value in row.values()))
    output.console.print()
    output.console.print(table)


def _sums(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in SUMS.split()}


def _key(key: Mapping[str, Any]) -> str:
    return f"{key['name']} {key['hint']}"


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)
