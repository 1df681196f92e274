"""How large a document may be: one walk, memoised a fragment, so that 2^n paths cost n."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)

from services import errors

DOCUMENT_BYTES = 32 * 1024
TOKENS = 2_000
DEPTH = 15
INTROSPECTION_DEPTH = 20
ALIASES = 100
ROOT_FIELDS = 10
FIELDS = 2_000
INTROSPECTED = 8_000
# By graphql-core, which completes them one by one: what is planned it does not.
WALKED = 10_000
RETURNED = 1_000_000
# Of more the objects are made in a thread.
AT_ONCE = 20_000
REPEATS = 60
FRAGMENTS = 100
SPREADS = 200
DIRECTIVES = 100
LISTED = 1_000
COMPARISONS = 20_000
VALUES = 5_000
NODES = 20_000
VALIDATION_ERRORS = 5


class Size(NamedTuple):
    """Of a selection set, fragments spread out: `aliases` counts __typename too, as it is as cheap a way to repeat."""

    depth: int
    introspection_depth: int
    aliases: int


def refuse(what: str, limit: int, asked: int) -> errors.QueryTooComplex:
    return errors.QueryTooComplex(
        f"The operation has {what} {asked:,}; at most {limit:,} may be asked for.",
        remedy="Ask for less at once, or split the operation.",
        limit=limit,
        asked=asked,
    )


def check_written(document: DocumentNode) -> None:
    """Raises QueryTooComplex for the first limit that a document passes as it is written.

    Before validation, which compares all that stand under one key with each other, fragments too, and looks at every
    value: 490 times `plans { name }` take it 0.8 s, 150 fragments side by side 0.3 s.
    """
    written = _Written()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            written.definition(definition)
    for what, limit, asked in (
        ("repeated fields", REPEATS, written.repeats),
        ("fragments", FRAGMENTS, written.fragments),
        ("spread fragments", SPREADS, written.spreads),
        ("directives", DIRECTIVES, written.directives),
        ("values in lists", LISTED, written.listed),
    ):
        if asked > limit:
            raise refuse(what, limit, asked)


class _Written:
    """Counts what stands in a document, each once: `repeats` are response keys that stand beside themselves."""

    def __init__(self) -> None:
        self.repeats = self.fragments = self.spreads = self.directives = self.listed = 0

    def definition(self, node: OperationDefinitionNode | FragmentDefinitionNode) -> None:
        self.fragments += isinstance(node, FragmentDefinitionNode)
        self._directs(node.directives or ())
        for variable in node.variable_definitions or ():
            self._directs(variable.directives or ())
            self._values([variable.default_value] if variable.default_value else [])
        waiting = [node.selection_set]
        while waiting:
            waiting += self._object(waiting.pop())

    def _object(self, selection_set: SelectionSetNode) -> list[SelectionSetNode]:
        """Counts what one object is asked for; gives what stands below its fields."""
        keys: list[str] = []
        below: list[SelectionSetNode] = []
        beside = list(selection_set.selections)
        while beside:
            node = beside.pop()
            self._directs(node.directives or ())
            if isinstance(node, FieldNode):
                keys.append(node.alias.value if node.alias else node.name.value)
                self._values([argument.value for argument in node.arguments or ()])
                below += [node.selection_set] if node.selection_set else []
            elif isinstance(node, InlineFragmentNode):
                beside += node.selection_set.selections
            else:
                self.spreads += 1
        self.repeats += len(keys) - len(set(keys))
        return below

    def _directs(self, directives: Sequence[DirectiveNode]) -> None:
        self.directives += len(directives)
        for directive in directives:
            self._values([argument.value for argument in directive.arguments or ()])

    def _values(self, waiting: list[ValueNode]) -> None:
        while waiting:
            value = waiting.pop()
            if isinstance(value, ListValueNode):
                self.listed += len(value.values)
                waiting += value.values
            elif isinstance(value, ObjectValueNode):
                waiting += [entry.value for entry in value.fields]


def check_fields(asked: int) -> None:
    """Raises QueryTooComplex where an operation selects more fields, merged, than there is time to plan."""
    if asked > FIELDS:
        raise refuse("fields", FIELDS, asked)


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
        below = self.size(node.selection_set) if node.selection_set else Size(0, 0, 0)
        if name in {"__schema", "__type"}:
            return Size(0, below.depth + 1, below.aliases + counted)
        return Size(below.depth + 1, below.introspection_depth, below.aliases + counted)
