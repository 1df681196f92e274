"""Variables and arguments are read as graphql-core reads them, whatever is sent to whatever our schema takes."""

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    get_nullable_type,
    parse,
    print_ast,
)
from graphql.execution.values import VariableValues, get_argument_values, get_variable_values
from graphql.type import is_required_input_field
from graphql.utilities.value_to_literal import value_to_literal
from hypothesis import given, settings
from hypothesis import strategies as st

import resolvers
from graph import schema as schemas
from graph import variables
from graph.planner import arguments
from services import errors

CORE = schemas.executable(resolvers.schema())
FIELDS = [
    (name, field)
    for kind in CORE.type_map.values()
    if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
    for name, field in kind.fields.items()
    if field.args
]
INSTANTS = ("2026-05-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "2026-02-30T00:00:00Z", "2026-05-01")
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "Int": st.sampled_from([0, 1, -1, 100, 2**31 - 1, 2.0]),
    "BigInt": st.sampled_from([0, 2**31, 2**53 - 1, 7.0]),
    "Float": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    "String": st.text(max_size=3),
    "ID": st.one_of(st.text(max_size=3), st.integers(0, 9)),
    "DateTime": st.sampled_from(INSTANTS[:1]),
    "URL": st.just("https://a.example/b"),
}
STRANGE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.sampled_from([2**31, 2**53, 0.5, "", "1", "LIVE", *INSTANTS])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=3,
)


def fitting(kind: Any, *, strange: bool = False) -> st.SearchStrategy[Any]:
    """Values of a type, as JSON; `strange`: or not, at any place."""
    if isinstance(kind, GraphQLNonNull):
        found = _present(kind.of_type, strange=strange)
    else:
        found = st.one_of(st.none(), _present(kind, strange=strange))
    return st.one_of(found, found, found, STRANGE) if strange else found


def _present(kind: Any, *, strange: bool) -> st.SearchStrategy[Any]:
    if isinstance(kind, GraphQLList):
        entry = fitting(kind.of_type, strange=strange)
        return st.one_of(
            st.lists(entry, max_size=2), _present(get_nullable_type(kind.of_type), strange=strange)
        )
    if isinstance(kind, GraphQLEnumType):
        return st.sampled_from(list(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        entries = {name: fitting(field.type, strange=strange) for name, field in kind.fields.items()}
        needed = {n: s for n, s in entries.items() if is_required_input_field(kind.fields[n]) and not strange}
        return st.fixed_dictionaries(needed, optional={n: s for n, s in entries.items() if n not in needed})
    return LEAVES[kind.name]


def written(value: Any, kind: Any) -> str:
    """A fitting value as a document has it."""
    found = value_to_literal(value, kind)
    assert found is not None, (value, kind)
    return print_ast(found)


@st.composite
def asked(draw: st.DrawFn) -> tuple[Any, Any, dict[str, Any]]:
    """A field of ours, an operation that asks for it, and variables, some of which do not fit."""
    name, field = draw(st.sampled_from(FIELDS))
    declared: list[str] = []
    sent: dict[str, Any] = draw(st.dictionaries(st.just("undeclared"), STRANGE, max_size=1))

    def variable(place: str, kind: Any, *, has_default: bool) -> str:
        """`$place`, of a type that validation lets stand there."""
        nullable = get_nullable_type(kind)
        default = draw(st.one_of(st.none(), st.none(), _present(nullable, strange=False)))
        loose = has_default or default is not None or kind is nullable
        kind = draw(st.sampled_from([GraphQLNonNull(nullable), *([nullable] if loose else [])]))
        text = "" if default is None else f" = {written(default, nullable)}"
        declared.append(f"${place}: {kind}{text}")
        if draw(st.integers(0, 3)):
            sent[place] = draw(fitting(kind, strange=True))
        return f"${place}"

    def given_to(place: str, kind: Any, *, has_default: bool, depth: int = 0) -> str:
        """A literal, a variable, or a literal with a variable inside."""
        nullable, how = get_nullable_type(kind), draw(st.sampled_from(["literal", "variable", "both"]))
        if how == "variable":
            return variable(place, kind, has_default=has_default)
        if how == "both" and depth < 2 and isinstance(nullable, GraphQLList):
            return f"[{given_to(f'{place}_i', nullable.of_type, has_default=False, depth=depth + 1)}]"
        if how == "both" and depth < 2 and isinstance(nullable, GraphQLInputObjectType):
            return "{" + these(nullable.fields, place, depth + 1) + "}"
        return written(draw(fitting(kind)), kind)

    def these(taken: Any, place: str, depth: int) -> str:
        parts = []
        for each, what in taken.items():
            needed = is_required_input_field(what)
            if needed or draw(st.booleans()):
                has_default = isinstance(what.type, GraphQLNonNull) and not needed
                text = given_to(f"{place}_{each}", what.type, has_default=has_default, depth=depth)
                parts.append(f"{each}: {text}")
        return ", ".join(parts)

    inside = these(field.args, "v", 0)
    heads = f"({', '.join(declared)})" if declared else ""
    text = f"query{heads} {{ {name}{f'({inside})' if inside else ''} }}"
    return field, parse(text).definitions[0], sent


def told(read: Any) -> str:
    """What reading answers, or what it says where it does not."""
    try:
        found = read()
        if isinstance(found, VariableValues):
            sources = [(name, str(of.signature.type), of.value) for name, of in found.sources.items()]
            return f"read {sources} {found.coerced}"
        return f"read {sorted(found.items())}"
    except Exception as error:  # noqa: BLE001 -- what it is, is compared
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"


def by_core(operation: Any, sent: dict[str, Any]) -> VariableValues:
    found = get_variable_values(
        CORE,
        operation.variable_definitions or (),
        sent,
        max_errors=variables.MOST_ERRORS,
        hide_suggestions=True,
    )
    if isinstance(found, list):
        raise errors.BadUserInput(found[0].message)
    return found


@settings(max_examples=300)
@given(asked())
def test_variables_and_arguments_are_what_graphql_core_makes_of_them(case):
    field, operation, sent = case
    declared = variables.Declared(CORE, operation.variable_definitions or ())
    node = operation.selection_set.selections[0]
    expected = told(lambda: by_core(operation, sent))
    assert told(lambda: declared.read(sent)) == expected
    if expected.startswith("read"):
        values, read = declared.read(sent), arguments.reader(field, node)
        for _ in range(2):  # the second time from what was kept
            assert told(lambda: read(values)) == told(lambda: get_argument_values(field, node, values))
