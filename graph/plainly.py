"""Documents that are plainly valid: told so by one walk, where graphql-core's thirty rules take a fifth of a first use.

It says yes where every rule would find nothing, and for all else it does not say no: graphql-core judges then, and
finds the words. So it may know less than GraphQL (one operation, @skip and @include, no introspection, nothing
merged that takes arguments), and must never know more; tests hold it to that, rule by rule.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from graphql import (
    ArgumentNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    NamedTypeNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    TypeNameMetaFieldDef,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)
from graphql.type import (
    get_nullable_type,
    is_input_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)
from graphql.utilities import do_types_overlap, type_from_ast
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation.rules.variables_in_allowed_position import allowed_variable_usage

MOST_NODES = 300  # and values, fragments spread out; it also bounds how deep the walk goes
DIRECTIVES = {"skip", "include"}

Composite = GraphQLObjectType | GraphQLInterfaceType


@dataclass(slots=True)
class _Answered:
    """What stands under a response key, and under the keys of its own object."""

    name: str
    definition: GraphQLField
    bare: bool
    keys: "dict[str, _Answered]" = field(default_factory=dict)

    def merges(self, name: str, definition: GraphQLField, *, bare: bool) -> bool:
        """Whether another field under the same key is this one again: by name and type, both without arguments."""
        alike = self.definition is definition or str(self.definition.type) == str(definition.type)
        return self.bare and bare and self.name == name and alike


def is_valid(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """False: that is to be seen."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    if len(operations) != 1 or len(fragments) + 1 != len(document.definitions):
        return False
    operation = operations[0]
    root = schema.get_root_type(operation.operation)
    if root is None or operation.operation is OperationType.SUBSCRIPTION or operation.directives:
        return False
    walk = _Walk(schema, fragments)
    return walk.declares(operation) and walk.selects(root, operation.selection_set, {}) and walk.uses_all()


class _Walk:
    """Every method answers whether what it is given is plainly valid."""

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema, self._fragments = schema, fragments
        self._variables: dict[str, tuple[GraphQLInputType, ValueNode | None]] = {}
        self._used: set[str] = set()
        self._spread: set[str] = set()
        self._around: set[str] = set()
        self._nodes = 0

    def declares(self, operation: OperationDefinitionNode) -> bool:
        """The operation's variables."""
        for node in operation.variable_definitions or ():
            name, kind, default = (
                node.variable.name.value,
                type_from_ast(self._schema, node.type),
                node.default_value,
            )
            if name in self._variables or node.directives or not is_input_type(kind):
                return False
            if default is not None and not self._takes(kind, default):
                return False
            self._variables[name] = kind, default
        return True

    def uses_all(self) -> bool:
        """Whether nothing was declared in vain."""
        return len(self._used) == len(self._variables) and len(self._spread) == len(self._fragments)

    def selects(self, parent: Composite, chosen: SelectionSetNode, keys: dict[str, _Answered]) -> bool:
        """`keys`: what stands in this object already."""
        for node in chosen.selections:
            if self._enough() or (node.directives and not self._directs(node.directives)):
                return False
            if isinstance(node, FieldNode):
                good = self._field(parent, node, keys)
            elif isinstance(node, InlineFragmentNode):
                good = self._fragment(parent, node.type_condition, node.selection_set, keys)
            else:
                good = isinstance(node, FragmentSpreadNode) and self._spreads(parent, node, keys)
            if not good:
                return False
        return True

    def _enough(self) -> bool:
        """Counts one more; whether there are more than a glance takes in."""
        self._nodes += 1
        return self._nodes > MOST_NODES

    def _field(self, parent: Composite, node: FieldNode, keys: dict[str, _Answered]) -> bool:
        name, below = node.name.value, node.selection_set
        definition = TypeNameMetaFieldDef if name == "__typename" else parent.fields.get(name)
        if definition is None or not self._argues(definition.args, node.arguments or ()):
            return False
        key, bare = node.alias.value if node.alias else name, not node.arguments
        answered = keys.get(key)
        if answered is None:
            answered = keys[key] = _Answered(name, definition, bare)
        elif not answered.merges(name, definition, bare=bare):
            return False
        kind = get_named_type(definition.type)
        if below is None:
            return is_leaf_type(kind)
        return isinstance(kind, Composite) and self.selects(kind, below, answered.keys)

    def _fragment(
        self,
        parent: Composite,
        on: NamedTypeNode | None,
        chosen: SelectionSetNode,
        keys: dict[str, _Answered],
    ) -> bool:
        kind = parent if on is None else self._schema.get_type(on.name.value)
        if not isinstance(kind, Composite):
            return False
        return (kind is parent or do_types_overlap(self._schema, kind, parent)) and self.selects(
            kind, chosen, keys
        )

    def _spreads(self, parent: Composite, node: FragmentSpreadNode, keys: dict[str, _Answered]) -> bool:
        name = node.name.value
        fragment = self._fragments.get(name)
        if fragment is None or name in self._around or node.arguments:
            return False
        if fragment.directives or fragment.variable_definitions:
            return False
        self._spread.add(name)
        self._around.add(name)
        good = self._fragment(parent, fragment.type_condition, fragment.selection_set, keys)
        self._around.discard(name)
        return good

    def _directs(self, nodes: Iterable[DirectiveNode]) -> bool:
        names = [node.name.value for node in nodes]
        if len(set(names)) != len(names) or not DIRECTIVES.issuperset(names):
            return False
        known = [self._schema.get_directive(name) for name in names]
        return all(
            directive is not None and self._argues(directive.args, node.arguments or ())
            for directive, node in zip(known, nodes, strict=True)
        )

    def _argues(self, known: Mapping[str, GraphQLArgument], nodes: Iterable[ArgumentNode]) -> bool:
        left = dict(known)
        for node in nodes:
            argument = left.pop(node.name.value, None)
            if argument is None or not self._takes(argument.type, node.value):
                return False
        return not any(is_required_argument(argument) for argument in left.values())

    def _takes(self, kind: GraphQLInputType, value: ValueNode) -> bool:
        """Whether a value may stand where this type is wanted. A place's own default is left out of account."""
        if self._enough():
            return False
        if isinstance(value, VariableNode):
            name = value.name.value
            self._used.add(name)
            if name not in self._variables:
                return False
            declared, default = self._variables[name]
            return allowed_variable_usage(self._schema, declared, default, kind, Undefined)
        plain = get_nullable_type(kind)
        if isinstance(value, ListValueNode):
            return is_list_type(plain) and all(self._takes(plain.of_type, entry) for entry in value.values)
        if isinstance(value, ObjectValueNode):
            return isinstance(plain, GraphQLInputObjectType) and self._has_fields(plain, value)
        found: list[GraphQLError] = []
        validate_input_literal(value, kind, lambda error, _path: found.append(error))
        return not found

    def _has_fields(self, kind: GraphQLInputObjectType, value: ObjectValueNode) -> bool:
        if kind.is_one_of:
            return False
        left = dict(kind.fields)
        for node in value.fields:
            known = left.pop(node.name.value, None)
            if known is None or not self._takes(known.type, node.value):
                return False
        return not any(is_required_input_field(known) for known in left.values())
