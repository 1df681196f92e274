"""The table of contents: every root field, and the resolver that answers it."""

import strawberry

from graph.cost import Cost, connection_size
from graph.schema import Engine, build_engine, build_schema
from graph.scopes import RequiresScope, Scope
from graph.types import account as account_types
from graph.types import api_key as key_types
from graph.types import creator as creator_types
from graph.types import sync as sync_types
from graph.types import video as video_types
from resolvers import (
    access_tokens,
    account,
    api_keys,
    connect,
    creators,
    disconnect,
    node,
    start_sync,
    subscriptions,
    syncs,
    usage,
    videos,
)

READ_CREATORS = RequiresScope(scope=Scope.CREATORS_READ)
WRITE_CREATORS = RequiresScope(scope=Scope.CREATORS_WRITE)
READ_VIDEOS = RequiresScope(scope=Scope.VIDEOS_READ)
READ_KEYS = RequiresScope(scope=Scope.KEYS_READ)
WRITE_KEYS = RequiresScope(scope=Scope.KEYS_WRITE)


@strawberry.type(description="What can be read.")
class Query:
    node = strawberry.field(node.node, description="Any object by its global id; null where there is none.")
    nodes = strawberry.field(node.nodes, description="Objects by global id, in order; null in place of what is not there.")
    viewer = strawberry.field(account.viewer, description="Who is asking. Free.")
    creator = strawberry.field(creators.creator, description="One creator.", directives=[READ_CREATORS])
    creator_by = strawberry.field(
        creators.creator_by,
        description="By the platform's names or the partner's own: exactly one of the three.",
        directives=[READ_CREATORS],
    )
    creators = strawberry.field(
        creators.creators, description="All connected creators.", directives=[READ_CREATORS, connection_size()]
    )
    video = strawberry.field(videos.video, description="One video.", directives=[READ_VIDEOS])
    videos = strawberry.field(
        videos.videos,
        description="Over all connected creators: 'our 20 most watched videos this month'.",
        directives=[READ_VIDEOS, connection_size()],
    )
    sync = strawberry.field(syncs.sync, description="One sync.", directives=[READ_CREATORS])
    connect_attempt = strawberry.field(
        syncs.connect_attempt, description="How a connect begun with connectCreator stands.", directives=[READ_CREATORS]
    )
    account = strawberry.field(account.account, description="The account that pays.")
    plans = strawberry.field(account.plans, description="What accounts may have, smallest first. Free.")
    api_key = strawberry.field(api_keys.api_key, description="One key.", directives=[READ_KEYS])
    api_keys = strawberry.field(
        api_keys.api_keys, description="The account's keys, newest first.", directives=[READ_KEYS, connection_size()]
    )
    usage = strawberry.field(
        usage.usage, description="What was used.", directives=[RequiresScope(scope=Scope.USAGE_READ)]
    )
    credits = strawberry.field(account.credits, description="The cheapest smoke test of a key: costs 1 credit.")
    rate_limit = strawberry.field(account.rate_limit, description="How fast this key may ask. Free.")
    price = strawberry.field(account.price, description="What an operation would cost, without running it. Free.")


@strawberry.type(description="What can be changed. Each field is one transaction, its charge included.")
class Mutation:
    connect_creator = strawberry.field(
        connect.connect_creator,
        description="Begin to connect a creator: where to send their browser.",
        directives=[WRITE_CREATORS],
    )
    complete_connect = strawberry.field(
        connect.complete_connect,
        description="For apps that receive the platform's redirect themselves. Single use.",
        directives=[WRITE_CREATORS],
    )
    sync_creator = strawberry.field(
        start_sync.sync_creator,
        description="Read a creator's stats and videos from the platform now.",
        directives=[WRITE_CREATORS, Cost(weight="10")],
    )
    disconnect_creator = strawberry.field(
        disconnect.disconnect_creator,
        description="Revoke the grant at the platform and erase all that was read of the creator. Free.",
        directives=[WRITE_CREATORS],
    )
    fetch_video = strawberry.field(
        videos.fetch_video,
        description="What the platform tells anyone about a public video.",
        directives=[RequiresScope(scope=Scope.VIDEOS_FETCH), Cost(weight="2")],
    )
    create_api_key = strawberry.field(
        api_keys.create_api_key, description="Make a key. Its secret is shown this once.", directives=[WRITE_KEYS]
    )
    rotate_api_key = strawberry.field(
        api_keys.rotate_api_key,
        description="A new secret at once. The old one stops at once, or after overlapSeconds.",
        directives=[WRITE_KEYS],
    )
    update_api_key = strawberry.field(api_keys.update_api_key, description="Change a key.", directives=[WRITE_KEYS])
    revoke_api_key = strawberry.field(api_keys.revoke_api_key, description="End a key, at once.", directives=[WRITE_KEYS])
    create_access_token = strawberry.field(
        access_tokens.create_access_token,
        description="A short-lived JWT for browsers, so that no key reaches them.",
        directives=[RequiresScope(scope=Scope.TOKENS_WRITE)],
    )


@strawberry.type(description="What can be followed live.")
class Subscription:
    sync_progress = strawberry.subscription(
        subscriptions.sync_progress, description="A sync as it goes on.", directives=[READ_CREATORS]
    )
    connect_attempt_updated = strawberry.subscription(
        subscriptions.connect_attempt_updated, description="A connect as it goes on.", directives=[READ_CREATORS]
    )
    creator_updated = strawberry.subscription(
        subscriptions.creator_updated, description="Fires when a sync has changed a creator.", directives=[READ_CREATORS]
    )


def schema() -> strawberry.Schema:
    """The whole contract."""
    nodes = [creator_types.Creator, video_types.Video, sync_types.Sync, account_types.Account, key_types.ApiKey]
    return build_schema(Query, Mutation, Subscription, nodes)


def engine() -> Engine:
    return build_engine(schema())
