"""One way to name and shape things throughout the schema; pages to the letter of Relay's connections."""

import re
from pathlib import Path

from graphql import (
    build_schema,
    get_named_type,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)

SCHEMA = build_schema((Path(__file__).parents[1] / "schema.graphql").read_text())
OURS = {name: kind for name, kind in SCHEMA.type_map.items() if not name.startswith("__")}
OBJECTS = {name: kind for name, kind in OURS.items() if is_object_type(kind) or is_interface_type(kind)}
INPUTS = {name: kind for name, kind in OURS.items() if is_input_object_type(kind)}
CAMEL, PASCAL, SHOUTED = (
    re.compile(pattern) for pattern in ("[a-z][a-zA-Z0-9]*", "[A-Z][a-zA-Z0-9]*", "[A-Z][A-Z0-9_]*")
)
PAGING = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
SUCCESSOR = re.compile(r"Use [\w.]+\b.* Stays until \d{4}-\d{2}-\d{2}\.")


def members():
    """Every field, argument, input field and enum value: (coordinate, name, definition)."""
    for name, kind in {**OBJECTS, **INPUTS}.items():
        for key, field in kind.fields.items():
            yield f"{name}.{key}", key, field
            for argument, what in getattr(field, "args", {}).items():
                yield f"{name}.{key}({argument}:)", argument, what
    for name, kind in OURS.items():
        for key, value in kind.values.items() if is_enum_type(kind) else ():
            yield f"{name}.{key}", key, value


def test_names_have_one_case():
    wrong = [name for name in OURS if not PASCAL.fullmatch(name)]
    for coordinate, name, what in members():
        pattern = CAMEL if hasattr(what, "type") else SHOUTED
        wrong += [] if pattern.fullmatch(name) else [coordinate]
    wrong += [f"@{one.name}" for one in SCHEMA.directives if not CAMEL.fullmatch(one.name)]
    assert wrong == []


def test_a_name_tells_the_type():
    endings = {"At": "DateTime", "Url": "URL", "Ids": "ID", "Seconds": "Int"}
    wrong = [
        f"{coordinate}: {what.type}"
        for coordinate, name, what in members()
        for ending, kind in endings.items()
        if name.endswith(ending) and get_named_type(what.type).name != kind
    ]
    wrong += [f"{c}: {what.type}" for c, name, what in members() if name == "id" and str(what.type) != "ID!"]
    assert wrong == []


def test_a_mutation_takes_one_input_and_answers_a_payload():
    for name, field in SCHEMA.mutation_type.fields.items():
        assert {key: str(one.type) for key, one in field.args.items()} == {
            "input": f"{name[0].upper()}{name[1:]}Input!"
        }
        assert re.fullmatch(r"\w+Payload!", str(field.type)), name
    taken = {get_named_type(field.args["input"].type).name for field in SCHEMA.mutation_type.fields.values()}
    assert {name for name in INPUTS if name.endswith("Input")} == taken


def test_pages_follow_relays_connections_to_the_letter():
    connections = {name.removesuffix("Connection") for name in OBJECTS if name.endswith("Connection")}
    assert connections
    for name in connections:
        page = {key: str(one.type) for key, one in OBJECTS[f"{name}Connection"].fields.items()}
        assert page["edges"] == f"[{name}Edge!]!"
        assert page["nodes"] == f"[{name}!]!"
        assert page["pageInfo"] == "PageInfo!"
        edge = {key: str(one.type) for key, one in OBJECTS[f"{name}Edge"].fields.items()}
        assert edge == {"cursor": "String!", "node": f"{name}!"}
        assert "Node" in {interface.name for interface in OBJECTS[name].interfaces}
    for owner, kind in OBJECTS.items():
        for key, field in kind.fields.items():
            arguments = {a: str(one.type) for a, one in field.args.items()}
            if str(field.type).endswith("Connection!"):
                assert arguments.items() >= PAGING.items(), f"{owner}.{key}"
            else:
                assert not {"after", "before", "last"} & set(arguments), f"{owner}.{key}"
    assert {key: str(one.type) for key, one in OBJECTS["PageInfo"].fields.items()} == {
        "hasNextPage": "Boolean!", "hasPreviousPage": "Boolean!", "startCursor": "String", "endCursor": "String",
    }  # fmt: skip
    root = SCHEMA.query_type.fields
    assert (str(root["node"].type), str(root["node"].args["id"].type)) == ("Node", "ID!")
    assert (str(root["nodes"].type), str(root["nodes"].args["ids"].type)) == ("[Node]!", "[ID!]!")


def test_lists_have_no_holes_but_those_of_nodes():
    holes = []
    for coordinate, _, what in members():
        kind = getattr(what, "type", None)
        listed = kind.of_type if is_non_null_type(kind) else kind
        if is_list_type(listed) and not is_non_null_type(listed.of_type):
            holes.append(coordinate)
    assert holes == ["Query.nodes"]


def test_what_is_deprecated_names_its_successor_and_its_last_day():
    reasons = {c: what.deprecation_reason for c, _, what in members() if what.deprecation_reason is not None}
    assert {c: reason for c, reason in reasons.items() if not SUCCESSOR.fullmatch(reason)} == {}
    assert SUCCESSOR.fullmatch("Use Creator.about. Stays until 2027-12-31.")
    assert not SUCCESSOR.fullmatch("No longer supported")
