"""Variables as their types want them: what an operation declares is read once, values with each request.

graphql-core reads the declarations anew each time, and walks every value three times. The common case is
quick here; for whatever does not fit, and for what it says then, graphql-core is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInputType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    Undefined,
    ValidationContext,
    VariableDefinitionNode,
)
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values
from graphql.type import get_nullable_type, is_leaf_type, is_non_null_type
from graphql.utilities import coerce_input_value

from graph import limits
from services import errors

NONE = VariableValues({}, {})
MOST_ERRORS = 5


@dataclass(slots=True)
class _Variable:
    """`leaf`: the scalar or enum that reads it; None for lists and input objects."""

    name: str
    signature: GraphQLVariableSignature
    leaf: Any
    required: bool
    has_default: bool

    def read(self, value: Any) -> Any:
        """Its value; Undefined where it does not fit."""
        if self.leaf is None:
            kind: GraphQLInputType = self.signature.type
            return coerce_input_value(value, kind)
        if value is None:
            return Undefined if self.required else None
        try:
            return self.leaf.coerce_input_value(value)
        except Exception:  # noqa: BLE001 -- as graphql-core: whatever a scalar raises means that it does not fit
            return Undefined


class Declared:
    """What an operation declares."""

    def __init__(self, schema: GraphQLSchema, nodes: Sequence[VariableDefinitionNode]) -> None:
        self._schema, self._nodes = schema, nodes
        self._variables = [_variable(schema, node) for node in nodes]

    def read(self, given: Mapping[str, Any]) -> VariableValues:
        """The variables of a request. Raises BadUserInput naming the first that does not fit, QueryTooComplex."""
        if not self._variables:
            return NONE
        limits.check_values(given)
        return self._quick(given) or self._whole(given)

    def _quick(self, given: Mapping[str, Any]) -> VariableValues | None:
        """None where a default is needed, or something does not fit."""
        sources, coerced = {}, {}
        for variable in self._variables:
            value = given.get(variable.name, Undefined)
            if value is Undefined:
                if variable.has_default or variable.required:
                    return None
                sources[variable.name] = VariableValueSource(variable.signature)
                continue
            found = variable.read(value)
            if found is Undefined:
                return None
            sources[variable.name] = VariableValueSource(variable.signature, value)
            coerced[variable.name] = found
        return VariableValues(sources, coerced)

    def _whole(self, given: Mapping[str, Any]) -> VariableValues:
        found = get_variable_values(
            self._schema, self._nodes, dict(given), max_errors=MOST_ERRORS, hide_suggestions=True
        )
        if isinstance(found, list):
            raise errors.BadUserInput(found[0].message, remedy="Send variables of the declared types.")
        return found


def needed(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> frozenset[str]:
    """Variables that may be left out, for a default, but stand somewhere in a valid operation where null may not."""
    context = ValidationContext(schema, document, TypeInfo(schema), _unheard)
    usages = context.get_recursive_variable_usages(operation)
    return frozenset(usage.node.name.value for usage in usages if is_non_null_type(usage.type))


def _unheard(_error: GraphQLError) -> None:
    """Of a document that was validated before."""


def check_needed(names: Iterable[str], values: VariableValues) -> None:
    """Raises BadUserInput for the first of these that is null."""
    for name in names:
        if values.coerced.get(name, Undefined) is None:
            raise errors.BadUserInput(
                f"Variable '${name}' must not be null: it stands where a value is needed.",
                remedy="Send a value, or leave it out for its default.",
                argument=name,
            )


def _variable(schema: GraphQLSchema, node: VariableDefinitionNode) -> _Variable:
    signature = get_variable_signature(schema, node)
    assert not isinstance(signature, GraphQLError), "the document was validated"
    kind = get_nullable_type(signature.type)
    return _Variable(
        name=signature.name,
        signature=signature,
        leaf=kind if is_leaf_type(kind) else None,
        required=is_non_null_type(signature.type),
        has_default=node.default_value is not None,
    )
