"""Documents: parsed, validated and limited once a text; selections and plans kept with them. Bounded."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    GraphQLSyntaxError,
    NameNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
    validate,
)
from graphql.execution.values import VariableValues
from graphql.validation.rules import overlapping_fields_can_be_merged

from graph import ids, introspection, limits, pagination, plainly, variables
from graph.planner.arguments import mentioned
from graph.planner.selection import Document, Field, asked, read_field
from graph.together import Together
from services import errors

MOST_DOCUMENTS = 1_000
# Of all kept together: fifty of the largest, or most of a thousand usual ones. What is kept is what Python's garbage
# collector walks in one go now and then, in which no request gets a turn.
MOST_TOKENS = 100_000
MOST_SELECTIONS = 64
# Of all documents: one with many @include is as many selections, 10 to 100 KB each.
_SELECTIONS = Together(4_000)
_ENOUGH_COMPARED = "Validation aborted."

# graphql-core's own 500,000 take it 0.3 s: fragments side by side, or in a mesh, are compared each with each.
overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = limits.COMPARISONS


@dataclass
class Operation:
    """One operation of a document, ready to be asked with any variables."""

    name: str | None
    kind: str
    node: OperationDefinitionNode
    document: DocumentNode
    fragments: Mapping[str, FragmentDefinitionNode]
    schema: GraphQLSchema
    switches: tuple[str, ...]
    sizes: tuple[str, ...]
    ids: tuple[str, ...]
    spans: tuple[str, ...]
    hash: bytes
    declared: variables.Declared
    fresh: bool = True  # nobody has planned it yet
    quotes: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    _roots: OrderedDict[Any, tuple[Field, ...]] = field(default_factory=OrderedDict)
    _needed: frozenset[str] | None = None

    @property
    def root_type(self) -> str:
        return self.kind.capitalize()

    def read(self, given: Mapping[str, Any]) -> VariableValues:
        """The variables of a request, none of them null where a value is needed. Raises BadUserInput, QueryTooComplex."""
        values = self.declared.read(given)
        if None in values.coerced.values():
            if self._needed is None:  # rarely asked for, and a walk over the whole document
                self._needed = variables.needed(self.schema, self.document, self.node)
            variables.check_needed(sorted(self._needed), values)
        return values

    def roots(self, variables: VariableValues) -> tuple[Field, ...]:
        """The root fields, merged; one selection a set of @skip/@include values."""
        switched = self._switched(variables)
        found = self._roots.get(switched)
        if found is None:
            document = Document(self.schema, self.fragments, variables)
            root = self.schema.get_root_type(self.node.operation)
            assert root is not None
            whole = read_field(document, _rooted(root), [_as_field(self.node)])
            found = self._roots[switched] = whole.fields
            _SELECTIONS.added(self._roots, switched)
            _trim(self._roots)
        return found

    def only(self, keys: Collection[str], variables: VariableValues) -> DocumentNode:
        """The operation as a document that asks for these roots alone, as it stands with these variables."""
        root = self.schema.get_root_type(self.node.operation)
        assert root is not None
        document = Document(self.schema, self.fragments, variables)
        chosen = asked(document, root, self.node.selection_set)
        operation = OperationDefinitionNode(
            operation=self.node.operation,
            name=self.node.name,
            variable_definitions=self.node.variable_definitions,
            selection_set=SelectionSetNode(
                selections=tuple(node for key in chosen if key in keys for node in chosen[key])
            ),
        )
        return DocumentNode(definitions=(operation, *self.fragments.values()))

    def forget(self) -> None:
        """What was planned for it, which points back to what it was planned from."""
        for roots in self._roots.values():
            for root in roots:
                root.plans.clear()

    def sized(self, variables: VariableValues) -> tuple[Any, ...]:
        """Equal for requests that cost the same at most: same switches, page sizes, types of ids, steps of series."""
        if not (self.switches or self.sizes or self.ids or self.spans):
            return ()
        given = variables.coerced
        return (
            self._switched(variables),
            tuple(_whole(given.get(name)) for name in self.sizes),
            tuple(_types(given.get(name)) for name in self.ids),
            tuple(_span(given.get(name)) for name in self.spans),
        )

    def _switched(self, variables: VariableValues) -> tuple[Any, ...]:
        if not self.switches:
            return ()
        # `is True`: another operation of the document may use the same name for a variable of any type.
        return tuple(variables.coerced.get(name) is True for name in self.switches)


def _trim(kept: OrderedDict[Any, Any]) -> None:
    if len(kept) > MOST_SELECTIONS:
        kept.popitem(last=False)


def _rooted(root: Any) -> Any:
    return GraphQLField(root)


def _as_field(node: OperationDefinitionNode) -> FieldNode:
    """The operation as a field of its own, so that roots are read like any object's fields."""
    return FieldNode(
        name=NameNode(value="root"), selection_set=node.selection_set, arguments=(), directives=()
    )


def _whole(size: Any) -> int | None:
    """A page size; another operation of the document may use the variable's name for anything."""
    return size if isinstance(size, int) else None


def _types(given: Any) -> Any:
    """What of an id, or of several, bears on a price and on scopes: the type, where it is an id at all."""
    return (
        tuple(ids.type_of(id) for id in given[: pagination.MOST + 1])
        if isinstance(given, list)
        else ids.type_of(given)
    )


def _span(given: Any) -> Any:
    """What of a series' `from` and `granularity` bears on how long it is at most: whether it was said, and which."""
    return given if isinstance(given, Enum) else given is None


class _Uses:
    """Names of the variables that decide what is selected (@skip, @include), what it costs and how much it is: page
    sizes, ids of any node, whose type is not known without them, and what series are asked for.
    """

    def __init__(self, document: DocumentNode) -> None:
        self.switches: set[str] = set()
        self.sizes: set[str] = set()
        self.ids: set[str] = set()
        self.spans: set[str] = set()
        waiting = [
            definition.selection_set
            for definition in document.definitions
            if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode)
        ]
        while waiting:
            for node in waiting.pop().selections:
                self._directives(node)
                if isinstance(node, FieldNode):
                    self._arguments(node)
                below = getattr(node, "selection_set", None)
                if below:
                    waiting.append(below)

    def _directives(self, node: SelectionNode) -> None:
        for directive in node.directives or ():
            if directive.name.value in {"skip", "include"}:
                for argument in directive.arguments or ():
                    self.switches.update(mentioned(argument.value))

    def _arguments(self, field: FieldNode) -> None:
        for argument in field.arguments or ():
            if argument.name.value in {"first", "last"}:
                self.sizes.update(mentioned(argument.value))
            elif argument.name.value in {"from", "granularity"}:
                self.spans.update(mentioned(argument.value))
            elif argument.name.value in {"id", "ids"} and field.name.value in {"node", "nodes"}:
                self.ids.update(mentioned(argument.value))


class Documents:
    """Texts already parsed, validated and limited; the least used go first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Mapping[str | None, Operation]] = OrderedDict()
        self._tokens = 0
        self._turn_is_taken = False

    async def opened(self, text: str, name: str | None) -> Operation:
        """The operation to run, as `operation` says; others have a turn before a new one is read, and before it is planned."""
        if text not in self._known:
            await self._turn()
        operation = self.operation(text, name)
        if operation.fresh:
            operation.fresh = False
            await self._turn()
        return operation

    async def _turn(self) -> None:
        """Until a turn of the loop in which nobody else reads or plans a document: many at once keep nobody waiting."""
        while self._turn_is_taken:  # noqa: ASYNC110 -- an Event would wake all of them in one turn
            await asyncio.sleep(0)
        self._turn_is_taken = True
        asyncio.get_running_loop().call_soon(self._end_turn)

    def _end_turn(self) -> None:
        self._turn_is_taken = False

    def operation(self, text: str, name: str | None) -> Operation:
        """The operation to run. Raises ParseFailed, ValidationFailed, QueryTooComplex, OperationResolutionFailure."""
        operations = self._known.get(text)
        if operations is None:
            operations = self._known[text] = self._read(text)
            self._tokens += _tokens(operations)
            while len(self._known) > MOST_DOCUMENTS or self._tokens > MOST_TOKENS:
                self._let_go(self._known.popitem(last=False)[1])
        else:
            self._known.move_to_end(text)
        return _chosen(operations, name)

    def _let_go(self, operations: Mapping[str | None, Operation]) -> None:
        """Without circles, so that its memory is free at once: the garbage collector would walk many in one go."""
        self._tokens -= _tokens(operations)
        for operation in operations.values():
            operation.forget()

    def check(self, text: str) -> None:
        """Raises ParseFailed, ValidationFailed, QueryTooComplex."""
        self._read(text)

    def _read(self, text: str) -> Mapping[str | None, Operation]:
        document = _parsed(text)
        try:
            return self._checked(text, document)
        except RecursionError as error:
            raise limits.refuse("depth", limits.DEPTH, limits.DEPTH + 1) from error

    def _checked(self, text: str, document: DocumentNode) -> Mapping[str | None, Operation]:
        limits.check_written(document)
        if not plainly.is_valid(self._schema, document):
            self._validate(document)
        fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        uses = _Uses(document)
        operations: dict[str | None, Operation] = {}
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                limits.check(node, fragments)
                introspection.check(self._schema, node, fragments)
                name = node.name.value if node.name else None
                operations[name] = Operation(
                    name,
                    node.operation.value,
                    node,
                    document,
                    fragments,
                    self._schema,
                    tuple(sorted(uses.switches)),
                    tuple(sorted(uses.sizes)),
                    tuple(sorted(uses.ids)),
                    tuple(sorted(uses.spans)),
                    sha256(text.encode()).digest(),
                    variables.Declared(self._schema, node.variable_definitions or ()),
                )
        return operations

    def _validate(self, document: DocumentNode) -> None:
        found = validate(self._schema, document, max_errors=limits.VALIDATION_ERRORS, hide_suggestions=True)
        if any(error.message == _ENOUGH_COMPARED for error in found):
            raise limits.refuse("comparisons of fields", limits.COMPARISONS, limits.COMPARISONS + 1)
        if found:
            raise DocumentRefused(errors.ValidationFailed.code, [_in_our_words(error) for error in found])


def _in_our_words(error: GraphQLError) -> GraphQLError:
    """graphql-core repeats what Python says of a number with thousands of digits."""
    if "int_max_str_digits" in error.message:
        return GraphQLError("A number has too many digits.", error.nodes)
    return error


class DocumentRefused(errors.ServiceError):
    """A document that is not GraphQL, or not of this schema: every error with its place, none of them a guess at ours."""

    status = 400

    def __init__(self, code: str, found: list[GraphQLError]) -> None:
        super().__init__(found[0].message)
        self.document_code = code
        self.found = found


def _parsed(text: str) -> DocumentNode:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.DOCUMENT_BYTES:
        raise limits.refuse("bytes", limits.DOCUMENT_BYTES, size)
    try:
        return _untangled(parse(text, max_tokens=limits.TOKENS))
    except GraphQLSyntaxError as error:
        if f"more than {limits.TOKENS} tokens" in error.message:
            raise limits.refuse("tokens", limits.TOKENS, limits.TOKENS + 1) from error
        if "nested too deeply" in error.message:
            raise limits.refuse("depth", limits.DEPTH, limits.DEPTH + 1) from error
        raise DocumentRefused(errors.ParseFailed.code, [error]) from error


def _untangled(document: DocumentNode) -> DocumentNode:
    """Its tokens without their neighbours, each of which points to the other."""
    token = document.loc and document.loc.start_token
    while token:
        following = token.next
        token.prev = token.next = None
        token = following
    return document


def _tokens(operations: Mapping[str | None, Operation]) -> int:
    return next(iter(operations.values())).document.token_count if operations else 0


def _chosen(operations: Mapping[str | None, Operation], name: str | None) -> Operation:
    if name is not None:
        if name not in operations:
            raise errors.OperationResolutionFailure(
                "The document has no operation of that name.", remedy="Check operationName."
            )
        return operations[name]
    if len(operations) != 1:
        raise errors.OperationResolutionFailure(
            "The document has several operations; operationName must say which."
            if operations
            else "The document has no operation.",
            remedy="Send operationName.",
        )
    return next(iter(operations.values()))
