"""What was asked: a tree of response keys with fragments merged and @skip/@include resolved.

Built once for a place in a document and a set of @skip/@include values; arguments stay readable with
any variables, so that one selection serves many requests.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)
from graphql.execution.values import VariableValues, get_directive_values
from graphql.type import GraphQLIncludeDirective, GraphQLSkipDirective

from graph import limits
from graph.planner import arguments
from graph.planner.arguments import Arguments


@dataclass(frozen=True, eq=False)
class Field:
    """One response key. `fields` are those of its object; for an interface, `by_type` has them a type.

    `plans` are kept with it: see `reading.prepared`.
    """

    key: str
    name: str
    type_name: str
    arguments: Arguments
    fields: tuple["Field", ...]
    by_type: Mapping[str, tuple["Field", ...]]
    plans: dict[Any, Any] = field(default_factory=dict)

    def named(self, name: str) -> Iterator["Field"]:
        """Every alias under which a field of this object was asked."""
        return (field for field in self.fields if field.name == name)


@dataclass
class Document:
    """What a selection is read from. Of a fragment spread many times, arguments and directives are read once."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    _fields: int = 0
    _arguments: dict[tuple[int, int], Arguments] = field(default_factory=dict)
    _included: dict[int, bool] = field(default_factory=dict)

    def count(self, fields: int) -> None:
        """So many fields more. Raises QueryTooComplex."""
        self._fields += fields
        limits.check_fields(self._fields)

    def arguments(self, definition: GraphQLField, node: FieldNode) -> Arguments:
        """What reads them. A node may stand in objects of several types: each has its own definition of it."""
        place = id(definition), id(node)
        found = self._arguments.get(place)
        if found is None:
            found = self._arguments[place] = arguments.reader(definition, node)
        return found

    def includes(self, node: SelectionNode) -> bool:
        """What @skip and @include say of a node."""
        if not node.directives:
            return True
        found = self._included.get(id(node))
        if found is None:
            found = self._included[id(node)] = included(node, self.variables)
        return found


def read_field(document: Document, definition: GraphQLField, nodes: Sequence[FieldNode]) -> Field:
    """The selection below a field that `nodes` (merged) ask for."""
    first = nodes[0]
    kind = get_named_type(definition.type)
    sets = [node.selection_set for node in nodes if node.selection_set]
    fields: tuple[Field, ...] = ()
    by_type: dict[str, tuple[Field, ...]] = {}
    if isinstance(kind, GraphQLObjectType):
        fields = _read_object(document, kind, sets)
    elif is_abstract_type(kind):
        by_type = {t.name: _read_object(document, t, sets) for t in document.schema.get_possible_types(kind)}
    return Field(
        key=first.alias.value if first.alias else first.name.value,
        name=first.name.value,
        type_name=kind.name,
        arguments=document.arguments(definition, first),
        fields=fields,
        by_type=by_type,
    )


def asked(
    document: Document, kind: GraphQLObjectType, chosen: SelectionSetNode
) -> Mapping[str, list[FieldNode]]:
    """The nodes of an object's fields by response key, fragments spread out, as @skip and @include say."""
    grouped: dict[str, list[FieldNode]] = {}
    _collect(document, kind, chosen, grouped, set())
    return grouped


def _read_object(
    document: Document, kind: GraphQLObjectType, sets: Sequence[SelectionSetNode]
) -> tuple[Field, ...]:
    grouped: dict[str, list[FieldNode]] = {}
    visited: set[str] = set()  # shared: a fragment reached by many merged fields is read once, not once each
    for selection_set in sets:
        _collect(document, kind, selection_set, grouped, visited)
    document.count(len(grouped))
    return tuple(_read_merged(document, kind, nodes) for nodes in grouped.values())


def _read_merged(document: Document, kind: GraphQLObjectType, nodes: list[FieldNode]) -> Field:
    name = nodes[0].name.value
    if name.startswith("__"):  # __typename; __schema and __type are graphql-core's
        key = nodes[0].alias.value if nodes[0].alias else name
        return Field(key, name, "String", arguments.none, (), {})
    return read_field(document, kind.fields[name], nodes)


def _collect(
    document: Document,
    kind: GraphQLObjectType,
    selection_set: SelectionSetNode,
    grouped: dict[str, list[FieldNode]],
    visited: set[str],
) -> None:
    for node in selection_set.selections:
        if not document.includes(node):
            continue
        if isinstance(node, FieldNode):
            key = node.alias.value if node.alias else node.name.value
            grouped.setdefault(key, []).append(node)
        elif isinstance(node, InlineFragmentNode):
            if _applies(document, kind, node):
                _collect(document, kind, node.selection_set, grouped, visited)
        elif isinstance(node, FragmentSpreadNode) and node.name.value not in visited:
            visited.add(node.name.value)
            fragment = document.fragments[node.name.value]
            if _applies(document, kind, fragment):
                _collect(document, kind, fragment.selection_set, grouped, visited)


def _applies(
    document: Document, kind: GraphQLObjectType, fragment: InlineFragmentNode | FragmentDefinitionNode
) -> bool:
    if fragment.type_condition is None or fragment.type_condition.name.value == kind.name:
        return True
    condition = document.schema.get_type(fragment.type_condition.name.value)
    return is_abstract_type(condition) and document.schema.is_sub_type(condition, kind)


def included(node: SelectionNode, variables: VariableValues) -> bool:
    """What @skip and @include say of a node."""
    if not node.directives:
        return True
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (skip and skip["if"]) and (include is None or bool(include["if"]))
