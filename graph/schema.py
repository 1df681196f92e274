"""The schema: roots passed in from above, our scalars, and nested fields that read what the planner put there."""

from dataclasses import dataclass, field
from typing import Any

import strawberry
from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema, is_input_object_type
from strawberry.schema.config import StrawberryConfig

from graph import in_time, price_tags
from graph.documents import Documents
from graph.introspection import Kept
from graph.policy import Policy, read_policy
from graph.scalars import SCALARS
from graph.types.node import Node


@dataclass(frozen=True)
class Engine:
    """A schema ready to be asked: what its directives say, the documents it has seen, what it told of itself."""

    schema: strawberry.Schema
    core: GraphQLSchema
    policy: Policy
    documents: Documents
    compiles: bool
    introspected: Kept = field(default_factory=Kept)


def build_schema(query: type, mutation: type, subscription: type, types: list[Any]) -> strawberry.Schema:
    """Bind the roots. Nested fields need no resolvers: their values come with the root's plan."""
    schema = strawberry.Schema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        types=[Node, *types],
        config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
    )
    _read_by_response_key(executable(schema))
    _tell_one_of_of_all(executable(schema))
    return schema


def build_engine(schema: strawberry.Schema, *, compiles: bool = True) -> Engine:
    """`compiles`: whether planned operations take the compiled path."""
    core = executable(schema)
    policy = read_policy(core)
    price_tags.attach(core, policy)
    in_time.hold(core)
    engine = Engine(schema, core, policy, Documents(core), compiles)
    core.extensions.update(policy=policy, engine=engine)  # where resolvers find them
    return engine


def executable(schema: strawberry.Schema) -> GraphQLSchema:
    """graphql-core's own schema under Strawberry's (a private attribute: pinned, and tested)."""
    core: GraphQLSchema = schema._schema  # noqa: SLF001
    return core


def _response_value(source: Any, info: GraphQLResolveInfo[Any], **_arguments: Any) -> Any:
    return source[info.path.key]


def _is_one_of(kind: Any, _info: GraphQLResolveInfo[Any]) -> bool | None:
    return kind.is_one_of if is_input_object_type(kind) else None


def _tell_one_of_of_all(core: GraphQLSchema) -> None:
    """graphql-core's own answer: Strawberry's, put in its place, breaks at lists and non-nulls."""
    introspected = core.type_map["__Type"]
    if isinstance(introspected, GraphQLObjectType):
        introspected.fields["isOneOf"].resolve = _is_one_of


def _read_by_response_key(core: GraphQLSchema) -> None:
    roots = {core.query_type, core.mutation_type, core.subscription_type}
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLObjectType) and kind not in roots and not kind.name.startswith("__"):
            for field in kind.fields.values():
                field.resolve = _response_value
