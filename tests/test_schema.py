"""The public schema: the file is what the code prints, it holds the whole contract, and everything is described."""

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    parse,
    print_ast,
)

import resolvers

ROOT = Path(__file__).parents[1]
CONTRACT = (ROOT / "tests" / "contract.graphql").read_text()
PRINTED = (ROOT / "schema.graphql").read_text()
OURS = build_schema(PRINTED)
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def test_the_file_is_what_the_code_prints():
    assert resolvers.schema().as_str() + "\n" == PRINTED, "run `make schema`"


def written(node):
    """Directives of a definition, as text, their arguments in one order."""
    found = node.ast_node.directives if node.ast_node else None
    return {_in_one_order(directive) for directive in found or ()}


def _in_one_order(directive):
    given = sorted(print_ast(argument) for argument in directive.arguments or ())
    return f"@{directive.name.value}({', '.join(given)})"


def facts(schema: GraphQLSchema) -> set[tuple[object, ...]]:
    """The meaning of a schema as a set of statements, so that order and descriptions do not matter."""
    found: set[tuple[object, ...]] = set()
    for name, kind in schema.type_map.items():
        if name.startswith("__") or name in BUILT_IN:
            continue
        found.add(("type", name, type(kind).__name__))
        found |= {("directive of", name, directive) for directive in written(kind)}
        if isinstance(kind, GraphQLEnumType):
            found |= {("value", f"{name}.{value}") for value in kind.values}
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            found |= {("implements", name, interface.name) for interface in kind.interfaces}
            for field_name, field in kind.fields.items():
                place = f"{name}.{field_name}"
                found.add(("field", place, str(field.type)))
                found |= {("directive of", place, directive) for directive in written(field)}
                found |= {("argument", f"{place}({key})", *declared(arg)) for key, arg in field.args.items()}
        if isinstance(kind, GraphQLInputObjectType):
            found |= {("input", f"{name}.{key}", *declared(field)) for key, field in kind.fields.items()}
    for directive in schema.directives:
        if directive.ast_node:
            places = tuple(sorted(place.name for place in directive.locations))
            found.add(("directive", directive.name, places))
            found |= {
                ("argument", f"@{directive.name}({key})", *declared(arg))
                for key, arg in directive.args.items()
            }
    return found


def declared(value):
    """Type and default of an argument or input field."""
    node = value.ast_node
    default = print_ast(node.default_value) if node.default_value else None
    return str(value.type), default


def test_the_contract_is_contained_whole():
    missing = facts(build_schema(CONTRACT)) - facts(OURS)
    assert sorted(map(str, missing)) == []


def test_everything_is_described():
    bare = []
    for name, kind in OURS.type_map.items():
        if name.startswith("__") or name in BUILT_IN:
            continue
        if not kind.description and kind not in {OURS.query_type, OURS.mutation_type, OURS.subscription_type}:
            bare.append(name)
        for value_name, value in kind.values.items() if isinstance(kind, GraphQLEnumType) else ():
            bare += [] if value.description else [f"{name}.{value_name}"]
        for field_name, field in getattr(kind, "fields", {}).items():
            bare += [] if field.description else [f"{name}.{field_name}"]
            for key, argument in getattr(field, "args", {}).items():
                bare += [] if argument.description else [f"{name}.{field_name}({key})"]
    bare += [f"@{one.name}" for one in OURS.directives if one.ast_node and not one.description]
    assert bare == []


def test_a_newcomer_can_read_every_description():
    """Sentences, not notes to ourselves."""
    for name, kind in OURS.type_map.items():
        for text in (kind.description, *(f.description for f in getattr(kind, "fields", {}).values())):
            assert not text or not {"TODO", "FIXME", "XXX"} & set(text.split()), name
    assert parse(PRINTED)
