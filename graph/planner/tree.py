"""A plan as people read it: the tree of what is read, and the statement's text on many lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graph.planner import plan
from graph.planner.mapping import Lookup, Many, Read

TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[(),]|\s+|[^\s(),'"]+""")
CLAUSES = {"FROM", "WHERE", "LEFT", "CROSS", "ORDER", "GROUP", "LIMIT", "UNION", "JOIN"}
INNER = {"OUTER", "CROSS"}  # a JOIN behind these stands on their line
WIDTH = 90
INDENT = "  "


@dataclass(frozen=True)
class Branch:
    """One line of the tree, and what stands below it."""

    text: str
    below: tuple["Branch", ...] = ()

    def lines(self) -> Iterator[str]:
        """The tree as text."""
        yield self.text
        for number, inner in enumerate(self.below):
            last = number == len(self.below) - 1
            first, *rest = inner.lines()
            yield ("└─ " if last else "├─ ") + first
            yield from (("   " if last else "│  ") + line for line in rest)


# -- the tree


def block(block: plan.Block, read: Read) -> Branch:
    """A list, and all that is made of its rows."""
    outputs = block.outputs
    if len(outputs) == 1 and isinstance(outputs[0], plan.Nodes) and not outputs[0].key:
        return Branch(_rows(block, read), _members(outputs[0].members, read))
    return Branch(_rows(block, read), tuple(_output(output, read) for output in outputs))


def _rows(block: plan.Block, read: Read) -> str:
    """Which rows, in which order, how many."""
    told = f"{block.coordinate}: "
    if isinstance(block.kind, Lookup):
        return f"{told}{block.kind.entity} by id"
    if not isinstance(block.kind, Many) or block.page is None or block.entity is None:
        return f"{told}rows of {block.coordinate}"
    page, size = block.page, plan.size_of(block.kind, read.arguments(block.field))
    bounds = " ".join(name for name, given in (("after", page.after), ("before", page.before)) if given)
    return "".join((
        told,
        f"{'one' if block.kind.single else f'a page of {size}'} {block.entity.name}",
        f", {'last' if page.backward else 'first'} by {page.order_name} {'DESC' if page.descending else 'ASC'}",
        f", {bounds} a cursor" if bounds else "",
        f", where {', '.join(name for name, _ in page.filters)}" if page.filters else "",
    ))  # fmt: skip


def _output(output: plan.Output, read: Read) -> Branch:
    if isinstance(output, plan.Edges):
        entries = (
            Branch(key) if isinstance(what, str) else Branch(key, _members(what, read))
            for key, what in output.entries
        )
        return Branch(output.key, tuple(entries))
    if isinstance(output, plan.Nodes):
        return Branch(output.key, _members(output.members, read))
    if isinstance(output, plan.Info):
        return Branch(output.key, tuple(Branch(_named(key, name)) for key, name in output.fields))
    return Branch(f"{output.key}: a count" if isinstance(output, plan.Total) else output.key)


def _members(members: Sequence[plan.Member], read: Read) -> tuple[Branch, ...]:
    return tuple(_member(member, read) for member in members)


def _member(member: plan.Member, read: Read) -> Branch:
    if isinstance(member, plan.Leaf):
        return Branch(_named(member.key, ", ".join(member.column.needs)))
    if isinstance(member, plan.Name):
        return Branch(_named(member.key, repr(member.value)))
    if isinstance(member, plan.Nest):
        return Branch(f"{member.key}: of the same row", _members(member.members, read))
    if isinstance(member, plan.Link):
        told = f"{member.key}: {member.coordinate}, the {member.entity.name} of {member.one.here}"
        return Branch(told, _members(member.members, read))
    inner = block(member.block, read)
    return Branch(f"{member.key}: {inner.text}", inner.below)


def _named(key: str, source: str) -> str:
    return key if key == source else f"{key} ← {source}"


# -- the statement


def sql(text: str) -> str:
    """The same statement with a line a clause, indented as queries stand in queries; nothing but space changes."""
    writer = _Lines()
    tokens = [token if token.strip() else " " for token in TOKEN.findall(text)]
    for place, token in enumerate(tokens):
        following = next((after.upper() for after in tokens[place + 1 : place + 3] if after != " "), "")
        writer.write(token, following)
    return "\n".join(line.rstrip() for line in writer.done())


class _Lines:
    """Tokens to lines. `open`: of each parenthesis, whether a query stands in it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line = ""
        self.before = ""
        self.open: list[bool] = []

    def write(self, part: str, following: str) -> None:
        if part == "(":
            self._add(part)
            self.open.append(following in {"SELECT", "WITH"})
            if self.open[-1]:
                self._break()
            return
        if part == ")":
            if self.open.pop():
                self._break()
        elif self._begins(part):
            self._break()
        self._add(part)
        if part == "," and self._is_query() and len(self.line) > WIDTH:
            self._break(INDENT)

    def done(self) -> list[str]:
        return [*self.lines, self.line]

    def _begins(self, part: str) -> bool:
        word = part.upper()
        return self._is_query() and word in CLAUSES and not (word == "JOIN" and self.before.upper() in INNER)

    def _is_query(self) -> bool:
        return not self.open or self.open[-1]

    def _add(self, part: str) -> None:
        if part == " " and not self.line.strip():
            return
        self.line += part
        if part != " ":
            self.before = part

    def _break(self, more: str = "") -> None:
        if self.line.strip():
            self.lines.append(self.line)
        self.line = INDENT * sum(self.open) + more
