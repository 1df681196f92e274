"""Every path of the schema, from each root to each type and field with a scope: refused whole where it is missing."""

from dataclasses import dataclass

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLObjectType,
    get_named_type,
    is_non_null_type,
)

import resolvers
from graph import admission, ids, running
from graph import quote as quoting
from services import callers, errors, key_terms

ENGINE = resolvers.engine()
SCOPES = ENGINE.policy.scopes
LONGEST = 9  # selections below each other; a type comes once a path, so that paths end
NOBODY = "0" * 32


@dataclass(frozen=True)
class Path:
    root: str
    steps: tuple[tuple[str, str], ...]  # what stands in the document, and the type it leads to
    scopes: frozenset[str]

    def document(self, style):
        """plain; every level in an inline fragment; the last in a named one."""
        inner, fragment = "__typename", ""
        for n, (text, type_name) in reversed(list(enumerate(self.steps))):
            if style == "inline":
                inner = f"... on {type_name} {{ {inner} }}"
            if style == "named" and n == len(self.steps) - 1:
                fragment, inner = f" fragment F on {type_name} {{ {inner} }}", "...F"
            inner = f"{text} {{ {inner} }}"
        return f"{self.root.lower()} {{ {inner} }}{fragment}"


def literal(kind):
    """Anything that the type takes."""
    if is_non_null_type(kind):
        return literal(kind.of_type)
    if isinstance(kind, GraphQLList):
        return f"[{literal(kind.of_type)}]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return f"{{{given(kind.fields)}}}"
    return {"Int": "1", "Float": "1.0", "Boolean": "true", "ID": f'"crt_{NOBODY}"', "URL": '"https://a.example/"',
            "DateTime": '"2026-11-20T00:00:00Z"', "BigInt": '"1"'}.get(kind.name, '"x"')  # fmt: skip


def given(arguments):
    required = {name: a for name, a in arguments.items() if is_non_null_type(a.type)}
    return ", ".join(f"{name}: {literal(a.type)}" for name, a in required.items())


def walk(kind, root, steps, scopes, seen):
    """All paths from here on that need something more than those they begin with."""
    for name, field in kind.fields.items():
        target = get_named_type(field.type)
        needed = scopes | ({SCOPES[f"{kind.name}.{name}"]} if f"{kind.name}.{name}" in SCOPES else set())
        arguments = given(field.args)
        text = f"{name}({arguments})" if arguments else name
        if not isinstance(target, GraphQLObjectType | GraphQLInterfaceType):
            continue
        if isinstance(target, GraphQLInterfaceType):
            for found in ENGINE.core.get_possible_types(target):
                id = f'"{ids.PREFIXES[found.name]}_{NOBODY}"'
                text = f"{name}(ids: [{id}])" if "ids" in field.args else f"{name}(id: {id})"
                yield from step(
                    found, root, (*steps, (f"{text} {{ ... on {found.name}", found.name)), needed, seen
                )
        else:
            yield from step(target, root, (*steps, (text, target.name)), needed, seen)


def step(target, root, steps, scopes, seen):
    if target.name in seen or len(steps) > LONGEST:
        return
    needed = scopes | {
        SCOPES[name] for name in (target.name, target.name.removesuffix("Connection")) if name in SCOPES
    }
    if needed:
        yield Path(root, steps, frozenset(needed))
    yield from walk(target, root, steps, needed, seen | {target.name})


def closed(text):
    """An inline fragment of an interface opened one brace more."""
    return text + " }" * (text.count("{") - text.count("}"))


def paths(root):
    return list(walk(ENGINE.core.type_map[root], root, (), frozenset(), frozenset()))


def quote(text):
    operation = ENGINE.documents.operation(text, None)
    return quoting.of(ENGINE.policy, operation, operation.declared.read({}))


def without(scope):
    """Every scope but this one and its _WRITE."""
    return [held for held in key_terms.SCOPES if held not in {scope, scope.replace("_READ", "_WRITE")}]


def documents(path):
    for style in ("plain", "inline", "named"):
        text = path.document(style)
        if "fragment F" in text:
            body, _, fragment = text.partition(" fragment F")
            yield closed(body) + " fragment F" + fragment
        else:
            yield closed(text)


@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_every_path_to_a_scoped_type_needs_its_scope_however_it_is_written(root):
    found = paths(root)
    for path in found:
        for text in documents(path):
            needed = quote(text)
            assert needed.scopes >= path.scopes, text
            for scope in path.scopes:
                caller = callers.Caller.__new__(callers.Caller)
                object.__setattr__(caller, "scopes", frozenset(without(scope)))
                with pytest.raises(errors.Forbidden) as refused:
                    admission.check_scopes(caller, needed)
                assert scope in refused.value.extra["missing"], text
    # No scope of the schema is left out: each is met on some path of some root.
    expected = {scope for name, scope in SCOPES.items() if name.startswith(f"{root}.")}
    assert {scope for path in found for scope in path.scopes} >= expected
    assert len(found) > {"Query": 100, "Mutation": 20, "Subscription": 5}[root]


def test_the_walk_meets_every_scoped_coordinate():
    everything = [
        text
        for root in ("Query", "Mutation", "Subscription")
        for path in paths(root)
        for text in documents(path)
    ]
    for coordinate in SCOPES:
        type_name, _, field = coordinate.partition(".")
        assert any(f" {field or ''}" in text for text in everything), coordinate
        if not field:
            assert any(type_name in text for text in everything), coordinate


async def test_over_http_each_path_is_403_and_nothing_runs(service, monkeypatch):
    async def never(*_arguments):
        raise AssertionError("It ran.")

    monkeypatch.setattr(running, "by_core", never)
    monkeypatch.setattr(running, "read", never)
    lacking = {scope: (await service.key(scopes=without(scope))).secret for scope in key_terms.SCOPES}
    before = await service.counts("usage_events", "anomalies")
    tried = set()
    for root in ("Query", "Mutation"):
        for path in paths(root):
            if len(path.steps) > 5:
                continue
            text = next(documents(path))
            for scope in path.scopes:
                answer = await service.ask(text, key=lacking[scope])
                assert (answer.status, answer.code, answer.reason) == (403, "FORBIDDEN", "SCOPE"), (
                    text,
                    answer.body,
                )
                assert scope in answer.errors[0]["extensions"]["missing"], text
                assert "data" not in answer.body
                tried.add(scope)
    assert tried == set(SCOPES.values())
    await service.settled()
    assert await service.counts("usage_events", "anomalies") == before
