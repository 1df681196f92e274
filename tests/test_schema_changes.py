"""What was promised to clients still holds: against the newest tag's schema, or the first contract where there is none."""

import re
import subprocess
from datetime import date
from pathlib import Path

from graphql import (
    REMOVE,
    GraphQLSchema,
    Visitor,
    build_ast_schema,
    build_schema,
    is_interface_type,
    is_object_type,
    parse,
    print_ast,
    visit,
)
from graphql.utilities import BreakingChange, find_schema_changes

ROOT = Path(__file__).parents[1]
CONTRACT = (ROOT / "tests" / "contract.graphql").read_text()
STAYS_UNTIL = re.compile(r"Stays until (\d{4}-\d{2}-\d{2})")


def promised():
    """The schema of the newest tag that this commit descends from; the contract before there is any."""

    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    tag = git("describe", "--tags", "--abbrev=0").strip()
    return (tag and git("show", f"{tag}:schema.graphql")) or CONTRACT


def breaks(before: str, after: str, today: date) -> list[str]:
    """What clients of one schema lose under another, but for what was deprecated until a day that has passed."""
    old, new = standing(before, today), build_schema(after)
    found = [c.description for c in find_schema_changes(old, new) if isinstance(c, BreakingChange)]
    held = scopes(old)
    return found + [
        f"{place} now demands {scope}."
        for place, scope in scopes(new).items()
        if place in held and held[place] != scope
    ]


def standing(text: str, today: date) -> GraphQLSchema:
    """A schema without what may be gone by now, and without the types that nothing else leads to."""

    class Expired(Visitor):
        def enter_field_definition(self, node, *_):
            reason = "".join(
                print_ast(one) for one in node.directives or () if one.name.value == "deprecated"
            )
            until = STAYS_UNTIL.search(reason)
            return REMOVE if until and date.fromisoformat(until[1]) < today else None

        enter_enum_value_definition = enter_input_value_definition = enter_field_definition

    schema = build_ast_schema(visit(parse(text), Expired()))
    kwargs = schema.to_kwargs()
    kwargs["types"] = [kind for kind in kwargs["types"] if is_object_type(kind) and kind.interfaces]
    return GraphQLSchema(**kwargs)


def scopes(schema: GraphQLSchema) -> dict[str, str | None]:
    """Which scope each type and field demands: to demand another is to refuse who was let in."""
    found = {}
    for name, kind in schema.type_map.items():
        if is_object_type(kind) or is_interface_type(kind):
            found[name] = _scope(kind.ast_node)
            found |= {f"{name}.{key}": _scope(field.ast_node) for key, field in kind.fields.items()}
    return found


def _scope(node):
    demands = [one for one in (node and node.directives) or () if one.name.value == "requiresScope"]
    return demands[0].arguments[0].value.value if demands else None


def test_nothing_that_was_promised_is_taken_away():
    now = (ROOT / "schema.graphql").read_text()
    today = date.today()  # noqa: DTZ011 -- days are enough
    assert breaks(promised(), now, today) == []


def test_what_takes_something_away_is_seen():
    demanded = "sync(id: ID!): Sync @requiresScope(scope: CREATORS_READ)"
    for old, new in (
        ("  bio: String\n", ""),
        ("  views: BigInt\n", "  views: Int\n"),
        ("  username: String!\n", "  username: String\n"),
        ("{ TIKTOK ", "{ "),
        ("  returnUrl: URL\n", "  returnUrl: URL!\n"),
        ("syncs(first: Int, ", "syncs("),
        ("type Creator implements Node ", "type Creator "),
        ("  verified: Boolean\n", "  verified: Boolean @requiresScope(scope: VIDEOS_READ)\n"),
        (demanded, demanded.replace("_READ", "_WRITE")),
    ):
        assert old in CONTRACT
        assert breaks(CONTRACT, CONTRACT.replace(old, new, 1), date(2026, 1, 1)), old


def test_what_adds_is_no_break():
    more = CONTRACT.replace(
        "  bio: String\n", '  bio: String @deprecated(reason: "Use about.")\n  about: String\n'
    )
    assert breaks(CONTRACT, more.replace("{ TIKTOK ", "{ SNAPCHAT TIKTOK "), date(2026, 1, 1)) == []


def test_what_was_deprecated_may_go_after_its_day_and_not_before():
    reason = '@deprecated(reason: "Use standing. Stays until 2027-06-30.")'
    before = CONTRACT.replace("  grant: Grant!\n", f"  grant: Grant! {reason}\n", 1)
    assert before != CONTRACT
    after = CONTRACT.replace("  grant: Grant!\n", "", 1)
    after = re.sub(r'"""[^"]*"""\ntype Grant \{.*?\n\}\n', "", after, flags=re.DOTALL)
    assert "type Grant " not in after
    assert breaks(before, after, date(2027, 7, 1)) == []
    assert breaks(before, after, date(2027, 6, 30))
