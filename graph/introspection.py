"""Introspection: free, and graphql-core's to answer, so what it may tell at once is bounded, and what it told is kept.

How much an operation would be told is counted over the schema itself, once for each selection and each thing that
it is asked of. That is exact but for @skip, @include and deprecated things left out, and takes a tenth of the answer.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any

import orjson
from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    is_abstract_type,
)

from graph import limits

MOST_KEPT = 32
LARGEST_KEPT = 512 * 1024

Things = Iterable[Any]


def _one(name: str) -> Callable[[GraphQLSchema, Any], Things]:
    def read(_schema: GraphQLSchema, thing: Any) -> Things:
        found = getattr(thing, name, None)
        return () if found is None else (found,)

    return read


def _many(name: str, *kinds: type) -> Callable[[GraphQLSchema, Any], Things]:
    """Those that a thing of these kinds names."""

    def read(_schema: GraphQLSchema, thing: Any) -> Things:
        return getattr(thing, name, {}).values() if not kinds or isinstance(thing, kinds) else ()

    return read


def _possible(schema: GraphQLSchema, thing: Any) -> Things:
    return schema.get_possible_types(thing) if is_abstract_type(thing) else ()


_BELOW: Mapping[str, Callable[[GraphQLSchema, Any], Things]] = {
    "types": _many("type_map"),
    "queryType": _one("query_type"),
    "mutationType": _one("mutation_type"),
    "subscriptionType": _one("subscription_type"),
    "directives": lambda _, schema: schema.directives,
    "fields": _many("fields", GraphQLObjectType, GraphQLInterfaceType),
    "inputFields": _many("fields", GraphQLInputObjectType),
    "enumValues": _many("values", GraphQLEnumType),
    "interfaces": lambda _, thing: getattr(thing, "interfaces", ()),
    "possibleTypes": _possible,
    "args": _many("args"),
    "type": _one("type"),
    "ofType": _one("of_type"),
}


def check(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: Mapping[str, FragmentDefinitionNode],
) -> None:
    """Raises QueryTooComplex where introspection would tell too many values. The document is valid, and not too deep."""
    _Walk(schema, fragments).roots(operation.selection_set)


class _Walk:
    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema, self._fragments = schema, fragments
        self._told: dict[tuple[int, int], int] = {}
        self._fields: dict[int, list[FieldNode]] = {}

    def roots(self, selection_set: SelectionSetNode) -> None:
        asked = 0
        for node in self._flat(selection_set):
            if node.name.value in {"__schema", "__type"} and node.selection_set:
                below = node.selection_set
                asked += max((self.told(below, thing) for thing in self._of_root(node)), default=0)
                self._check(asked)

    def told(self, selection_set: SelectionSetNode, thing: Any) -> int:
        """How many values a selection tells of one thing, and of all below it."""
        place = id(selection_set), id(thing)
        if place not in self._told:
            self._check(len(self._told))  # each is in the answer: so many are too many
            asked = 0
            for node in self._flat(selection_set):
                asked += 1
                if node.selection_set:
                    below = _BELOW[node.name.value](self._schema, thing)
                    asked += sum(self.told(node.selection_set, inner) for inner in below)
            self._told[place] = asked
        return self._told[place]

    def _of_root(self, node: FieldNode) -> Things:
        if node.name.value == "__schema":
            return [self._schema]
        name = (node.arguments or ())[0].value
        if isinstance(name, StringValueNode):
            return [found] if (found := self._schema.get_type(name.value)) else []
        return self._schema.type_map.values()  # a variable's: the largest

    def _flat(self, selection_set: SelectionSetNode) -> list[FieldNode]:
        """The fields of one level; a fragment's once."""
        found = self._fields.get(id(selection_set))
        if found is None:
            found = self._fields[id(selection_set)] = []
            self._spread(selection_set, found, set())
        return found

    def _spread(self, selection_set: SelectionSetNode, found: list[FieldNode], spread: set[str]) -> None:
        for node in selection_set.selections:
            if isinstance(node, FieldNode):
                found.append(node)
            elif not isinstance(node, FragmentSpreadNode):
                self._spread(node.selection_set, found, spread)  # type: ignore[attr-defined]
            elif node.name.value not in spread:
                spread.add(node.name.value)
                self._spread(self._fragments[node.name.value].selection_set, found, spread)

    def _check(self, asked: int) -> None:
        if asked > limits.INTROSPECTED:
            raise limits.refuse("introspected values", limits.INTROSPECTED, asked)


class Kept:
    """Answers to operations that ask for nothing but introspection: the schema is the same for everybody, always."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Any, orjson.Fragment] = OrderedDict()

    def find(self, place: bytes) -> ExecutionResult | None:
        data: Any = self._answers.get(place)
        if data is None:
            return None
        self._answers.move_to_end(place)
        return ExecutionResult(data)

    def keep(self, place: bytes, result: ExecutionResult) -> None:
        """Where nothing failed, and it is no larger than such answers are."""
        text = orjson.dumps(result.data)
        if result.errors or len(text) > LARGEST_KEPT:
            return
        self._answers[place] = orjson.Fragment(text)
        if len(self._answers) > MOST_KEPT:
            self._answers.popitem(last=False)


def place(document: bytes, operation: str | None, given: Mapping[str, Any]) -> bytes:
    """What an answer depends on: the document's hash, the operation's name and the variables."""
    told = orjson.dumps([operation, dict(given)], option=orjson.OPT_SORT_KEYS)
    return document + sha256(told).digest()
