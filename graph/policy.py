"""What the schema's directives say, as tables: read off once, when the schema is built."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLObjectType, GraphQLSchema

from graph.cost import Cost, ListSize, thousandths
from graph.scopes import RequiresScope

FREE = frozenset(
    {"Query.viewer", "Query.plans", "Query.price", "Query.rateLimit", "Mutation.disconnectCreator"}
)

# What a token held to certain creators may not ask, whatever its scopes: it would tell of others.
NOT_FOR_SOME_CREATORS = frozenset(
    {
        "Mutation.connectCreator",
        "Mutation.completeConnect",
        "Query.connectAttempt",
        "Subscription.connectAttemptUpdated",
        "Query.usage",
        "Query.apiKey",
        "Query.apiKeys",
        "Account.members",
        "ApiKey",
        "Usage",
    }
)


# What tells of charges: it reads one thing before its own operation is charged, and another after.
TELLS_OF_CHARGES = frozenset({"ApiKey", "Credits", "Price", "Usage"})


@dataclass(frozen=True)
class Policy:
    """By coordinate (`Type` or `Type.field`): thousandths of a credit, scope, and which fields are paged."""

    weights: Mapping[str, int]
    scopes: Mapping[str, str]
    paged: frozenset[str]


def read_policy(schema: GraphQLSchema) -> Policy:
    weights: dict[str, int] = {}
    scopes: dict[str, str] = {}
    paged: set[str] = set()
    for coordinate, directive in _directives(schema):
        if isinstance(directive, Cost):
            weights[coordinate] = thousandths(directive.weight)
        elif isinstance(directive, RequiresScope):
            scopes[coordinate] = directive.scope.name
        elif isinstance(directive, ListSize):
            paged.add(coordinate)
    return Policy(weights, scopes, frozenset(paged))


def _directives(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            yield from ((kind.name, directive) for directive in _declared(kind))
            for name, field in kind.fields.items():
                yield from ((f"{kind.name}.{name}", directive) for directive in _declared(field))


def _declared(definition: Any) -> Any:
    declared = definition.extensions.get("strawberry-definition")
    return (declared.directives or ()) if declared else ()
