"""Prices and scopes in words, in the descriptions that introspection answers: it carries no directives.

Every explorer shows them there, beside fields and types. The printed schema has the directives themselves.
"""

from decimal import Decimal

from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from graph import cost
from graph.policy import FREE, Policy

CONNECTION = "Connection"


def attach(core: GraphQLSchema, policy: Policy) -> None:
    """Let the descriptions of an executable schema tell what its policy asks; once a schema."""
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for name, field in kind.fields.items():
                tag = _of_field(policy, f"{kind.name}.{name}", field)
                field.description = _with(field.description, tag)
            own = _tag(policy.weights.get(kind.name, 0), policy.scopes.get(kind.name))
            kind.description = _with(kind.description, own)


def _of_field(policy: Policy, coordinate: str, field: GraphQLField) -> str:
    """A field costs what stands on it, else what stands on what it delivers; a mutation at least 1 credit."""
    name = get_named_type(field.type).name
    delivered = name.removesuffix(CONNECTION)
    each = name != delivered or is_list_type(get_nullable_type(field.type))
    weight = policy.weights.get(coordinate, 0)
    if coordinate.startswith("Mutation.") and coordinate not in FREE:
        weight = cost.credits(weight) * cost.THOUSANDTHS
    scope = policy.scopes.get(coordinate) or policy.scopes.get(delivered)
    return _tag(weight, scope) if weight else _tag(policy.weights.get(delivered, 0), scope, each=each)


def _tag(weight: int, scope: str | None, *, each: bool = False) -> str:
    """As Markdown: `1 credit` each, needs `CREATORS_READ`."""
    number = Decimal(weight) / cost.THOUSANDTHS
    price = f"`{number} {'credit' if number == 1 else 'credits'}`{' each' if each else ''}"
    told = [price if weight else "", f"needs `{scope}`" if scope else ""]
    return ", ".join(filter(None, told))


def _with(description: str | None, tag: str) -> str | None:
    """Behind the first paragraph: explorers show that one alone in lists."""
    if not tag:
        return description
    first, rest, others = (description or "").partition("\n\n")
    return f"{first} ({tag})".lstrip() + rest + others
