"""Rows to response: Python source generated once a plan, run once a request.

Objects are dicts where graphql-core completes them, and `packed` where only JSON is made of them: structs
whose keys are written down once a shape. Those take half the time to make and to write.

Nothing a client sends reaches the source but response keys, which GraphQL's grammar holds to
letters, digits and underscores, and which go through repr() all the same.
"""

import binascii
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import orjson

from graph import pagination
from graph.planner import compile as compiling
from graph.planner import instants, plan
from graph.planner.layout import Layout, Statement
from graph.planner.mapping import Lookup, Series

TYPE = ""  # the key under which a node's type stands: no response key can be empty


@dataclass(frozen=True)
class Assembler:
    """`run(rows, sizes, counts)` answers the field's value and adds what it delivered, a block each, to counts."""

    run: Callable[[list[Any], list[int], list[int]], Any]
    blocks: tuple[plan.Block, ...]
    source: str


@dataclass(eq=False)
class _Writer:
    packed: bool
    blocks: list[plan.Block] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    shapes: list[tuple[str, ...]] = field(default_factory=list)  # the keys of each struct

    def block(self, layout: Layout) -> int:
        """Write the function of a list; answers its number."""
        number = len(self.blocks)
        self.blocks.append(layout.block)
        self.functions.append("")  # its place: inner lists come after it
        self.functions[number] = self._function(number, layout)
        return number

    def _function(self, number: int, layout: Layout) -> str:
        block = layout.block
        lines = [f"def list_{number}(items, sizes, counts, total, before_exists, after_exists):"]
        if block.page:
            lines += [
                f"    more = len(items) > sizes[{number}]",
                f"    if more: del items[sizes[{number}]:]",
            ]
            if block.page.backward:
                lines.append("    items.reverse()")
        lines.append(f"    counts[{number}] += len(items)")
        lines.append(f"    return {self._value(layout)}")
        return "\n".join(lines)

    def _value(self, layout: Layout) -> str:
        block = layout.block
        if len(block.outputs) == 1 and isinstance(block.outputs[0], plan.Nodes) and not block.outputs[0].key:
            return self._plain(layout, block.outputs[0])
        return self._made([(output.key, self._output(output, layout)) for output in block.outputs])

    def _made(self, members: Sequence[tuple[str, str]]) -> str:
        """An object: of each member its key, and the source of its value."""
        if not self.packed:
            return "{" + ", ".join(f"{key!r}: {value}" for key, value in members) + "}"
        self.shapes.append(tuple(key for key, _ in members))
        return f"object_{len(self.shapes) - 1}({', '.join(value for _, value in members)})"

    def _plain(self, layout: Layout, nodes: plan.Nodes) -> str:
        members = self._object(nodes.members, layout)
        if not isinstance(layout.block.kind, Lookup):
            return f"[{members} for {_target(layout)} in items]"
        if layout.block.field.by_type and layout.block.kind.typed:
            members = f"{{{TYPE!r}: {layout.block.kind.entity!r}, **{members}}}"
        return f"{{s{layout.key}: {members} for {_target(layout)} in items}}"

    def _output(self, output: plan.Output, layout: Layout) -> str:
        if isinstance(output, plan.Edges):
            edge = self._made([(key, self._entry(what, layout)) for key, what in output.entries])
            return f"[{edge} for {_target(layout)} in items]"
        if isinstance(output, plan.Nodes):
            return f"[{self._object(output.members, layout)} for {_target(layout)} in items]"
        if isinstance(output, plan.Info):
            return self._made([(key, self._info(name, layout)) for key, name in output.fields])
        return "total" if isinstance(output, plan.Total) else repr(output.value)

    def _entry(self, what: str | tuple[plan.Member, ...], layout: Layout) -> str:
        if not isinstance(what, str):
            return self._object(what, layout)
        assert layout.block.entity is not None
        return (
            self._cursor(layout, f"s{layout.cursor}")
            if what == plan.CURSOR
            else repr(f"{layout.block.entity.name}Edge")
        )

    def _info(self, name: str, layout: Layout) -> str:
        if name == "__typename":
            return "'PageInfo'"
        if name in ("hasNextPage", "hasPreviousPage"):
            return _beyond(name, layout)
        place = 0 if name == "startCursor" else -1
        return f"({self._cursor(layout, f'items[{place}][{layout.cursor}]')} if items else None)"

    def _cursor(self, layout: Layout, data: str) -> str:
        """Base64 of bytes, which JSON brings as hex digits behind two other characters. JSON is written so, too."""
        if layout.depth >= compiling.JSON_DEPTH:
            data = f"fromhex({data}[2:])"
        return data if self.packed else f"base64({data})"

    def _object(self, members: tuple[plan.Member, ...], layout: Layout) -> str:
        return self._made([(member.key, self._member(member, layout)) for member in members])

    def _member(self, member: plan.Member, layout: Layout) -> str:
        if isinstance(member, plan.Name):
            return repr(member.value)
        if isinstance(member, plan.Leaf):
            return _leaf(member, layout)
        if isinstance(member, plan.Nest):
            made = self._object(member.members, layout)
            return f"({made} if s{layout.leaves[id(member)]} else None)" if member.embedded.present else made
        if isinstance(member, plan.Link):
            made = self._object(member.members, layout)
            return (
                f"(None if s{layout.leaves[id(member)]} is None else {made})" if member.one.nullable else made
            )
        return self._listed(layout.lists[id(member)], layout)

    def _listed(self, inner: Layout, outer: Layout) -> str:
        number = self.block(inner)
        if inner.arrays:
            columns = ", ".join(f"s{slot}" for slot in inner.arrays)
            items = f"(list(zip({columns})) if s{inner.arrays[0]} is not None else [])"
        elif inner.whole is not None:
            items = f"columns({_slot(outer, inner.whole)})"
        else:
            items = "[]"
        extras = (inner.total, inner.before_exists, inner.after_exists)
        passed = ", ".join("None" if slot is None else f"s{slot}" for slot in extras)
        made = f"list_{number}({items}, sizes, counts, {passed})"
        return f"{made}[0]" if isinstance(inner.block.kind, Series) and inner.block.kind.single else made


def _target(layout: Layout) -> str:
    names = [f"s{n}" for n in range(layout.width)]
    extras = sum(slot is not None for slot in (layout.total, layout.before_exists, layout.after_exists))
    if layout.depth == 0 and extras:
        names.append("*_")
    return "(" + ", ".join(names) + ",)"


def _leaf(member: plan.Leaf, layout: Layout) -> str:
    slot = layout.leaves[id(member)]
    if slot != layout.cursor:
        return _slot(layout, slot)
    if member.column.form == "instant":
        return instants.from_cursor(f"s{slot}")
    start, end = pagination.ID_BYTES + pagination.CHECK_BYTES, pagination.CHECK_BYTES
    if layout.depth >= compiling.JSON_DEPTH:  # hex digits already
        return f"{member.column.prefix!r} + s{slot}[-{2 * start}:-{2 * end}]"
    return f"{member.column.prefix!r} + s{slot}[-{start}:-{end}].hex()"


def _slot(layout: Layout, slot: int) -> str:
    """JSON columns arrive as text where rows are PostgreSQL's, and parsed where rows are JSON themselves."""
    name, form = f"s{slot}", layout.forms[slot]
    if form == "json" and layout.depth < compiling.JSON_DEPTH:
        return f"loads({name})"
    return instants.from_text(name) if form == "instant" else name


def _beyond(name: str, layout: Layout) -> str:
    page = layout.block.page
    assert page is not None
    if name == "hasNextPage":
        beyond = "after_exists" if page.before else "False"
        return beyond if page.backward else f"(more or {beyond})"
    beyond = "before_exists" if page.after else "False"
    return f"(more or {beyond})" if page.backward else beyond


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


def _columns(value: list[list[Any]]) -> list[tuple[Any, ...]]:
    """Rows of a list that came as JSON: columns in chunks, null where there is no row."""
    columns = list(chain.from_iterable(value))
    return [] if columns[0] is None else list(zip(*columns, strict=True))


def _root(layout: Layout) -> str:
    extras = {
        "total": layout.total,
        "before_exists": layout.before_exists,
        "after_exists": layout.after_exists,
    }
    passed = ", ".join("None" if slot is None else f"rows[0][{slot}]" for slot in extras.values())
    if not layout.width:
        items = "[]"
    elif any(slot is not None for slot in extras.values()):
        items = f"[row for row in rows if row[{layout.key}] is not None]"
    else:
        items = "rows"
    return f"def run(rows, sizes, counts):\n    return list_0({items}, sizes, counts, {passed})"


@functools.lru_cache(maxsize=2_048)
def _struct(keys: tuple[str, ...]) -> type[msgspec.Struct]:
    """Objects with these keys. Kept: making one takes 0.1 ms, and each holds 5 KB."""
    fields = [f"f{n}" for n in range(len(keys))]  # a key may be a word that Python keeps for itself
    return msgspec.defstruct("Object", fields, rename=dict(zip(fields, keys, strict=True)), gc=False)


def generate(statement: Statement, *, packed: bool = False) -> Assembler:
    """The assembler of a statement's rows."""
    writer = _Writer(packed)
    writer.block(statement.layout)
    shapes = [f"# object_{n}: {', '.join(keys)}" for n, keys in enumerate(writer.shapes)]
    source = "\n\n".join(["\n".join(shapes), *writer.functions, _root(statement.layout)]).lstrip() + "\n"
    scope: dict[str, Any] = {"loads": orjson.loads, "columns": _columns, **instants.SCOPE}
    scope |= {"base64": _base64, "fromhex": bytes.fromhex}
    scope |= {f"object_{n}": _struct(keys) for n, keys in enumerate(writer.shapes)}
    exec(compile(source, "<assembler>", "exec"), scope)  # noqa: S102 -- our own source: see the module's promise
    return Assembler(scope["run"], tuple(writer.blocks), source)
