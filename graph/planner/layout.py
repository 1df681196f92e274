"""Where everything of a statement stands: its columns, its binds, and what the assembler finds where."""

from dataclasses import dataclass, field
from typing import Any

from graph.planner import plan
from graph.planner.mapping import Form, Reader


@dataclass(eq=False)
class Slots:
    """The columns of one set of rows, each once, in the order in which the assembler finds them."""

    elements: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    _known: dict[Any, int] = field(default_factory=dict)

    def add(self, element: str, *, form: Form = "plain", known_as: Any = None) -> int:
        if known_as is not None and known_as in self._known:
            return self._known[known_as]
        self.elements.append(element)
        self.forms.append(form)
        if known_as is not None:
            self._known[known_as] = len(self.elements) - 1
        return len(self.elements) - 1


@dataclass(eq=False)
class Layout:
    """Where the assembler finds what: slots of each row, and the slots of the list itself in its parent."""

    block: plan.Block
    depth: int
    leaves: dict[int, int] = field(default_factory=dict)  # id(member) -> slot
    lists: dict[int, "Layout"] = field(default_factory=dict)  # id(member) -> layout of a list below
    cursor: int | None = None
    row: str | None = None  # whose it is, in the statement
    key: int | None = None
    width: int = 0
    forms: tuple[Form, ...] = ()
    arrays: tuple[int, ...] = ()  # in the parent's row
    whole: int | None = None  # in the parent's row: all columns as one JSON value
    total: int | None = None
    before_exists: int | None = None
    after_exists: int | None = None


@dataclass(frozen=True)
class Statement:
    """SQL text, what to bind to $1, $2, …, and where the assembler finds what."""

    sql: str
    binds: tuple[Reader, ...]
    layout: Layout
    checks: tuple[Reader, ...]  # of cursors that no part of the SQL reads
