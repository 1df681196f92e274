"""`@requiresScope`: what a key or token must carry, on fields and on types."""

from enum import Enum

import strawberry
from strawberry.schema_directive import Location


@strawberry.enum(description="What a key or token may do. A _WRITE scope includes its _READ.")
class Scope(Enum):
    CREATORS_READ = strawberry.enum_value(
        "CREATORS_READ", description="Read creators, their stats, history and syncs."
    )
    CREATORS_WRITE = strawberry.enum_value(
        "CREATORS_WRITE", description="Connect, sync and disconnect creators."
    )
    VIDEOS_READ = strawberry.enum_value("VIDEOS_READ", description="Read videos of connected creators.")
    VIDEOS_FETCH = strawberry.enum_value(
        "VIDEOS_FETCH", description="Look up public videos by their address."
    )
    USAGE_READ = strawberry.enum_value("USAGE_READ", description="Read what was used, by whom and when.")
    KEYS_READ = strawberry.enum_value("KEYS_READ", description="List keys and members, never secrets.")
    KEYS_WRITE = strawberry.enum_value("KEYS_WRITE", description="Make, rotate, change and revoke keys.")
    TOKENS_WRITE = strawberry.enum_value("TOKENS_WRITE", description="Make access tokens for browsers.")
    WEBHOOKS_WRITE = strawberry.enum_value("WEBHOOKS_WRITE", description="Manage webhooks.")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    name="requiresScope",
    description=(
        "The scope that a key or token must carry for the field, or, on a type, for any path that leads to it. "
        "A _WRITE scope includes its _READ."
    ),
)
class RequiresScope:
    scope: Scope = strawberry.directive_field(name="scope")
