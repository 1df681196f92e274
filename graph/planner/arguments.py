"""A field's arguments: what its document says is read once, variables with each request."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from graphql import FieldNode, GraphQLField, ListValueNode, ObjectValueNode, ValueNode, VariableNode
from graphql.execution.values import VariableValues, get_argument_values
from graphql.type import is_non_null_type

Arguments = Callable[[VariableValues], Mapping[str, Any]]
_MISSING = object()


def reader(definition: GraphQLField, node: FieldNode) -> Arguments:
    """Reads the arguments of a field, as graphql-core would, its defaults and errors too."""
    if not definition.args:
        return none
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    variables = {name: value.name.value for name, value in given.items() if isinstance(value, VariableNode)}
    if any(any(mentioned(value)) for name, value in given.items() if name not in variables):
        return lambda values: get_argument_values(definition, node, values)  # a variable inside a literal
    constant = _constant(definition, node, set(variables))
    if not variables:
        return lambda _: constant
    places = [
        (definition.args[name].out_name or name, variable, is_non_null_type(definition.args[name].type))
        for name, variable in variables.items()
    ]

    def read(values: VariableValues) -> Mapping[str, Any]:
        found, coerced = dict(constant), values.coerced
        for name, variable, required in places:
            value = coerced.get(variable, _MISSING)
            if value is _MISSING or (value is None and required):  # its default, or an error
                return get_argument_values(definition, node, values)
            found[name] = value
        return found

    return read


def none(_values: VariableValues) -> Mapping[str, Any]:
    """Of a field that takes none."""
    return {}


def _constant(definition: GraphQLField, node: FieldNode, left_out: set[str]) -> Mapping[str, Any]:
    """What holds for every request: literals, and the defaults of what is not given."""
    arguments = {name: kind for name, kind in definition.args.items() if name not in left_out}
    return get_argument_values(GraphQLField(definition.type, args=arguments), node)


def mentioned(value: ValueNode) -> Iterator[str]:
    """The variables that stand anywhere in it."""
    if isinstance(value, VariableNode):
        yield value.name.value
    elif isinstance(value, ListValueNode):
        for entry in value.values:
            yield from mentioned(entry)
    elif isinstance(value, ObjectValueNode):
        for field in value.fields:
            yield from mentioned(field.value)
