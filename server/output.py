"""How commands speak: tables and sentences to people, one JSON value to scripts."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services import errors

Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, and nothing else.")]
PIPE_WIDTH = 1_000
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
console = Console(highlight=False, soft_wrap=True)
errors_to = Console(stderr=True, highlight=False, soft_wrap=True)


def record(value: Mapping[str, Any], *, as_json: bool, note: str | None = None) -> None:
    """One thing."""
    if as_json:
        sys.stdout.write(json.dumps(value, default=str) + "\n")
        return
    width = max(len(name) for name in value)
    for name, shown in value.items():
        console.print(Text.assemble((name.ljust(width), "dim"), "  ", plain(_text(shown))))
    if note:
        console.print(f"[yellow]{note}[/]")


def records(values: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Several of a kind."""
    if as_json:
        sys.stdout.write(json.dumps(list(values), default=str) + "\n")
        return
    if not values:
        console.print(empty)
        return
    table = Table(box=None, header_style="dim", pad_edge=False)
    for name in values[0]:
        table.add_column(name, overflow="fold")
    for value in values:
        table.add_row(*(plain(_text(shown)) for shown in value.values()))
    # An id cut short names nothing: folded in a narrow window, whole in a pipe.
    wide = console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
    wide.print(table)


def refuse(error: errors.ServiceError, *, as_json: bool) -> typer.Exit:
    """A failure, said on stderr; the exit code is 1."""
    if as_json:
        sys.stderr.write(
            json.dumps({"error": {"message": error.message, **error.extensions()}}, default=str) + "\n"
        )
    else:
        errors_to.print(Text.assemble(plain(error.message, "red"), (f" ({error.code})", "dim")))
        if error.remedy:
            errors_to.print(plain(error.remedy))
    return typer.Exit(1)


def plain(text: str, style: str = "") -> Text:
    """Text that strangers may have written, printed as it is: it styles nothing, and moves no cursor."""
    return Text(_CONTROL.sub("�", text), style)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(item) for item in value) or "–"
    return str(value)
