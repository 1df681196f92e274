"""How large a document may be: one walk, memoised a fragment, so that 2^n paths cost n."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from services import errors

DOCUMENT_BYTES = 32 * 1024
TOKENS = 2_000
DEPTH = 15
INTROSPECTION_DEPTH = 20
ALIASES = 100
ROOT_FIELDS = 10
REPEATS = 60
VALUES = 5_000
NODES = 20_000
VALIDATION_ERRORS = 5


class Size(NamedTuple):
    """Of a selection set, fragments spread out: `aliases` counts __typename too, as it is as cheap a way to repeat."""

    depth: int
    introspection_depth: int
    aliases: int
    fields: int


def refuse(what: str, limit: int, asked: int) -> errors.QueryTooComplex:
    return errors.QueryTooComplex(
        f"The operation has {what} {asked:,}; at most {limit:,} may be asked for.",
        remedy="Ask for less at once, or split the operation.",
        limit=limit,
        asked=asked,
    )


def check_repeats(document: DocumentNode) -> None:
    """Raises QueryTooComplex where response keys stand again and again beside each other.

    Before validation, which compares all that stand under one key with each other: 490 times
    `plans { name }` take it 0.8 s.
    """
    asked = 0
    waiting: list[SelectionSetNode] = [
        d.selection_set
        for d in document.definitions
        if isinstance(d, OperationDefinitionNode | FragmentDefinitionNode)
    ]
    while waiting:
        keys: list[str] = []
        beside = list(waiting.pop().selections)
        while beside:
            node = beside.pop()
            if isinstance(node, FieldNode):
                keys.append(node.alias.value if node.alias else node.name.value)
                waiting += [node.selection_set] if node.selection_set else []
            elif isinstance(node, InlineFragmentNode):
                beside += node.selection_set.selections
        asked += len(keys) - len(set(keys))
    if asked > REPEATS:
        raise refuse("repeated fields", REPEATS, asked)


def check_values(variables: Mapping[str, Any]) -> None:
    """Raises QueryTooComplex where variables hold more values than any operation takes: coercing each takes its time."""
    asked, waiting = 0, [value for value in variables.values() if isinstance(value, list | dict)]
    while waiting and asked <= VALUES:
        value = waiting.pop()
        asked += len(value)
        entries = value if isinstance(value, list) else value.values()
        waiting += [entry for entry in entries if isinstance(entry, list | dict)]
    if asked > VALUES:
        raise refuse("values in variables", VALUES, asked)


def check(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
    """Raises QueryTooComplex for the first limit passed. The document is valid: no fragment spreads itself."""
    walk = _Walk(fragments)
    size = walk.size(operation.selection_set)
    roots = walk.fields_at(operation.selection_set)
    for what, limit, asked in (
        ("depth", DEPTH, size.depth),
        ("introspection depth", INTROSPECTION_DEPTH, size.introspection_depth),
        ("aliases (with __typename)", ALIASES, size.aliases),
        ("root fields", ROOT_FIELDS, roots),
    ):
        if asked > limit:
            raise refuse(what, limit, asked)


class _Walk:
    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._fragments = fragments
        self._sizes: dict[str, Size] = {}
        self._counts: dict[str, int] = {}

    def fields_at(self, selection_set: SelectionSetNode) -> int:
        """Fields of one level, fragments spread out."""
        count = 0
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                count += 1
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in self._counts:
                    self._counts[name] = self.fields_at(self._fragments[name].selection_set)
                count += self._counts[name]
            else:
                count += self.fields_at(node.selection_set)  # type: ignore[attr-defined]
        return count

    def size(self, selection_set: SelectionSetNode) -> Size:
        sizes = [self._node(node) for node in selection_set.selections]
        return Size(
            max(size.depth for size in sizes),
            max(size.introspection_depth for size in sizes),
            sum(size.aliases for size in sizes),
            sum(size.fields for size in sizes),
        )

    def _node(self, node: object) -> Size:
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in self._sizes:
                self._sizes[name] = self.size(self._fragments[name].selection_set)
            return self._sizes[name]
        if isinstance(node, FieldNode):
            return self._field(node)
        return self.size(node.selection_set)  # type: ignore[attr-defined]

    def _field(self, node: FieldNode) -> Size:
        name = node.name.value
        counted = 1 if node.alias or name == "__typename" else 0
        below = self.size(node.selection_set) if node.selection_set else Size(0, 0, 0, 0)
        if name in {"__schema", "__type"}:
            return Size(0, below.depth + 1, below.aliases + counted, below.fields + 1)
        return Size(below.depth + 1, below.introspection_depth, below.aliases + counted, below.fields + 1)
