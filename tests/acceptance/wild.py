"""Documents of our schema near its limits, from a seed."""

import random

from graphql import get_named_type, is_leaf_type
from graphql.type import (
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_required_argument,
    is_required_input_field,
)

import resolvers
from graph.schema import executable

CORE = executable(resolvers.schema())


class Document:
    """Fields, fragments, aliases, arguments, lists, directives."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.fragments, self.left, self.aliases = {}, self.chance.choice((100, 400, 1_500)), 90
        self.fan = self.chance.choice((2, 5, 12, 30))
        self.directives, self.spread = self.chance.choice(((0, 0.1), (0.2, 0.5), (0.02, 0.02)))

    def text(self):
        kind = self.chance.choice(("query", "query", "query", "mutation"))
        root = CORE.query_type if kind == "query" else CORE.mutation_type
        body = self.object(root, self.chance.randint(3, 13), most=10)
        defined = "".join(f"fragment {name} {body}" for name, body in self.fragments.items())
        return f"{kind}{body}{defined}"

    def object(self, kind, depth, most=None):
        if not hasattr(kind, "fields"):
            return ""
        fields = [
            name
            for name, field in kind.fields.items()
            if depth > 1 or is_leaf_type(get_named_type(field.type))
        ]
        count = min(self.chance.randint(1, self.fan), most or self.fan)
        asked = [
            self.field(kind, self.chance.choice(fields), depth)
            for _ in range(count)
            if fields and self.left > 0
        ]
        return "{" + (" ".join(asked) or "__typename") + "}"

    def field(self, kind, name, depth):
        field, alias = kind.fields[name], ""
        self.left -= 1
        if self.chance.random() < self.spread:
            return self.fragment(kind, name, depth)
        if self.aliases > 0 and self.chance.random() < 0.7:
            self.aliases -= 1
            alias = f"a{self.aliases}:"
        switch = "@include(if:true)" if self.chance.random() < self.directives else ""
        return f"{alias}{name}{self.arguments(field)}{switch}{self.object(get_named_type(field.type), depth - 1)}"

    def fragment(self, kind, name, depth):
        alike = [known for known, body in self.fragments.items() if body.startswith(f"on {kind.name}{{")]
        if alike and self.chance.random() < 0.7:
            return f"...{self.chance.choice(alike)}"
        spread, self.spread = self.spread, 0.0
        body = f"on {kind.name}{{{self.field(kind, name, depth)} {self.field(kind, name, depth)}}}"
        self.spread, known = spread, f"f{len(self.fragments)}"
        self.fragments[known] = body
        return f"...{known}"

    def arguments(self, field):
        given = [
            f"{name}:{self.value(argument.type)}"
            for name, argument in field.args.items()
            if is_required_argument(argument) or self.chance.random() < 0.3
        ]
        return f"({','.join(given)})" if given else ""

    def value(self, kind):
        kind = get_nullable_type(kind)
        if is_list_type(kind):
            return f"[{' '.join(self.value(kind.of_type) for _ in range(self.chance.choice((1, 3, 100))))}]"
        if is_enum_type(kind):
            return self.chance.choice(list(kind.values))
        if is_input_object_type(kind):
            fields = [
                f"{name}:{self.value(field.type)}"
                for name, field in kind.fields.items()
                if is_required_input_field(field) or self.chance.random() < 0.2
            ]
            return "{" + " ".join(fields) + "}"
        return {"Int": str(self.chance.choice((1, 20, 100))), "Boolean": "true"}.get(
            kind.name, '"2026-01-01T00:00:00Z"'
        )
