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

# A trailing underscore, because root fields bear the same names.
from resolvers import access_tokens as access_tokens_
from resolvers import account as account_
from resolvers import api_keys as api_keys_
from resolvers import connect as connect_
from resolvers import creators as creators_
from resolvers import disconnect as disconnect_
from resolvers import node as node_
from resolvers import start_sync as start_sync_
from resolvers import subscriptions as subscriptions_
from resolvers import syncs as syncs_
from resolvers import usage as usage_
from resolvers import videos as videos_

READ_CREATORS = RequiresScope(scope=Scope.CREATORS_READ)
WRITE_CREATORS = RequiresScope(scope=Scope.CREATORS_WRITE)
READ_VIDEOS = RequiresScope(scope=Scope.VIDEOS_READ)
READ_KEYS = RequiresScope(scope=Scope.KEYS_READ)
WRITE_KEYS = RequiresScope(scope=Scope.KEYS_WRITE)


@strawberry.type(
    description=(
        "What can be read. An operation costs the sum of what it delivers, at least 1 credit; nothing, where all in it "
        "is free."
    )
)
class Query:
    node = strawberry.field(node_.node, description="Any object by its global id; null where there is none.")
    nodes = strawberry.field(
        node_.nodes, description="Objects by global id, in order; null in place of what is not there."
    )
    viewer = strawberry.field(account_.viewer, description="Who is asking. Free.")
    creator = strawberry.field(creators_.creator, description="One creator.", directives=[READ_CREATORS])
    creator_by = strawberry.field(
        creators_.creator_by,
        description="By the platform's names or the partner's own: exactly one of the three.",
        directives=[READ_CREATORS],
    )
    creators = strawberry.field(
        creators_.creators,
        description="All connected creators.",
        directives=[READ_CREATORS, connection_size()],
    )
    video = strawberry.field(videos_.video, description="One video.", directives=[READ_VIDEOS])
    videos = strawberry.field(
        videos_.videos,
        description="Over all connected creators: 'our 20 most watched videos this month'.",
        directives=[READ_VIDEOS, connection_size()],
    )
    sync = strawberry.field(syncs_.sync, description="One sync.", directives=[READ_CREATORS])
    connect_attempt = strawberry.field(
        syncs_.connect_attempt,
        description="How a connect begun with connectCreator stands.",
        directives=[READ_CREATORS],
    )
    account = strawberry.field(account_.account, description="The account that pays.")
    plans = strawberry.field(account_.plans, description="What accounts may have, smallest first. Free.")
    api_key = strawberry.field(api_keys_.api_key, description="One key.", directives=[READ_KEYS])
    api_keys = strawberry.field(
        api_keys_.api_keys,
        description="The account's keys, newest first.",
        directives=[READ_KEYS, connection_size()],
    )
    usage = strawberry.field(
        usage_.usage, description="What was used.", directives=[RequiresScope(scope=Scope.USAGE_READ)]
    )
    credits = strawberry.field(
        account_.credits, description="The cheapest smoke test of a key: costs 1 credit."
    )
    rate_limit = strawberry.field(account_.rate_limit, description="How fast this key may ask. Free.")
    price = strawberry.field(
        account_.price, description="What an operation would cost, without running it. Free."
    )


@strawberry.type(
    description="What can be changed. Each field is one transaction, its charge included: at least 1 credit."
)
class Mutation:
    connect_creator = strawberry.field(
        connect_.connect_creator,
        description="Begin to connect a creator: where to send their browser.",
        directives=[WRITE_CREATORS],
    )
    complete_connect = strawberry.field(
        connect_.complete_connect,
        description="For apps that receive the platform's redirect themselves. Single use.",
        directives=[WRITE_CREATORS],
    )
    sync_creator = strawberry.field(
        start_sync_.sync_creator,
        description="Read a creator's stats and videos from the platform now.",
        directives=[WRITE_CREATORS, Cost(weight="10")],
    )
    disconnect_creator = strawberry.field(
        disconnect_.disconnect_creator,
        description="Revoke the grant at the platform and erase all that was read of the creator. Free.",
        directives=[WRITE_CREATORS],
    )
    fetch_video = strawberry.field(
        videos_.fetch_video,
        description="What the platform tells anyone about a public video.",
        directives=[RequiresScope(scope=Scope.VIDEOS_FETCH), Cost(weight="2")],
    )
    create_api_key = strawberry.field(
        api_keys_.create_api_key,
        description="Make a key. Its secret is shown this once.",
        directives=[WRITE_KEYS],
    )
    rotate_api_key = strawberry.field(
        api_keys_.rotate_api_key,
        description="A new secret at once. The old one stops at once, or after overlapSeconds.",
        directives=[WRITE_KEYS],
    )
    update_api_key = strawberry.field(
        api_keys_.update_api_key, description="Change a key.", directives=[WRITE_KEYS]
    )
    revoke_api_key = strawberry.field(
        api_keys_.revoke_api_key, description="End a key, at once.", directives=[WRITE_KEYS]
    )
    create_access_token = strawberry.field(
        access_tokens_.create_access_token,
        description="A short-lived JWT for browsers, so that no key reaches them.",
        directives=[RequiresScope(scope=Scope.TOKENS_WRITE)],
    )


@strawberry.type(
    description="What can be followed live. Each event costs what the same selection costs as a query."
)
class Subscription:
    sync_progress = strawberry.subscription(
        subscriptions_.sync_progress, description="A sync as it goes on.", directives=[READ_CREATORS]
    )
    connect_attempt_updated = strawberry.subscription(
        subscriptions_.connect_attempt_updated,
        description="A connect as it goes on.",
        directives=[READ_CREATORS],
    )
    creator_updated = strawberry.subscription(
        subscriptions_.creator_updated,
        description="Fires when a sync has changed a creator.",
        directives=[READ_CREATORS],
    )


def schema() -> strawberry.Schema:
    """The whole contract."""
    nodes = [
        creator_types.Creator,
        video_types.Video,
        sync_types.Sync,
        account_types.Account,
        key_types.ApiKey,
    ]
    return build_schema(Query, Mutation, Subscription, nodes)


def engine(*, compiles: bool = True) -> Engine:
    return build_engine(schema(), compiles=compiles)
