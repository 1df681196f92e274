"""Connecting and disconnecting: inputs and payloads."""

from enum import Enum

import strawberry

from graph.scalars import URL, DateTime
from graph.types.creator import Creator, Platform
from graph.types.sync import Sync, SyncError


@strawberry.enum(description="How a connect stands.")
class ConnectAttemptStatus(Enum):
    PENDING = strawberry.enum_value("PENDING", description="The creator has not decided yet.")
    CONNECTED = strawberry.enum_value("CONNECTED", description="The creator agreed and is stored.")
    DENIED = strawberry.enum_value("DENIED", description="The creator said no.")
    FAILED = strawberry.enum_value("FAILED", description="The platform refused; see error.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Nobody decided within ten minutes.")


@strawberry.enum(description="What became of the grant at the platform.")
class RevocationStatus(Enum):
    REVOKED = strawberry.enum_value("REVOKED", description="The platform confirmed.")
    ALREADY_REVOKED = strawberry.enum_value("ALREADY_REVOKED", description="It was dead there already.")
    PENDING_RETRY = strawberry.enum_value(
        "PENDING_RETRY", description="The platform is away; tried again for 7 days."
    )


@strawberry.type(description="A connect that was begun.")
class ConnectAttempt:
    status: ConnectAttemptStatus = strawberry.field(description="How it stands.")
    platform: Platform = strawberry.field(description="Where the creator was sent.")
    creator: Creator | None = strawberry.field(description="Who connected.")
    sync: Sync | None = strawberry.field(description="The first reading.")
    error: SyncError | None = strawberry.field(description="Why it failed.")
    expires_at: DateTime = strawberry.field(description="When the address stops working.")


@strawberry.input(description="Which platform, and where to go afterwards.")
class ConnectCreatorInput:
    platform: Platform = strawberry.field(description="Where the creator is at home.")
    return_url: URL | None = strawberry.field(
        default=strawberry.UNSET,
        description="Where the creator's browser goes after the platform; must be on the account's allow-list.",
    )
    reference: str | None = strawberry.field(
        default=strawberry.UNSET, description="The partner's own id for this creator."
    )
    redirect_uri: URL | None = strawberry.field(
        default=strawberry.UNSET,
        description="The app's own redirect, registered at the platform and in the account's returnUrls; "
        "the app then finishes with completeConnect.",
    )


@strawberry.type(description="Where to send the creator.")
class ConnectCreatorPayload:
    auth_url: URL = strawberry.field(
        description="The platform's consent page: open it in a popup or redirect to it."
    )
    state: str = strawberry.field(description="Names this connect in connectAttempt; single use.")
    expires_at: DateTime = strawberry.field(description="When the address stops working.")


@strawberry.input(description="What the platform sent to the app's own redirect.")
class CompleteConnectInput:
    state: str = strawberry.field(description="The state, as it came.")
    code: str = strawberry.field(description="The code, URL-decoded.")


@strawberry.type(description="Who connected.")
class CompleteConnectPayload:
    creator: Creator = strawberry.field(description="The creator.")
    sync: Sync = strawberry.field(description="The first reading, on its way.")


@strawberry.input(description="Which creator to read, and how long to wait.")
class SyncCreatorInput:
    id: strawberry.ID = strawberry.field(description="The creator.")
    wait_seconds: int = strawberry.field(
        default=0, description="Answer when the sync has ended, or after so long (0 to 10)."
    )


@strawberry.type(description="The sync that was begun or joined.")
class SyncCreatorPayload:
    sync: Sync = strawberry.field(description="The sync.")
    joined: bool = strawberry.field(
        description="True when a sync of this creator was already running: that one is answered, for 0 credits."
    )


@strawberry.input(description="Which creator to disconnect.")
class DisconnectCreatorInput:
    id: strawberry.ID = strawberry.field(description="The creator.")


@strawberry.type(description="Counts of what was erased.")
class Erasure:
    creators: int = strawberry.field(description="Creators.")
    videos: int = strawberry.field(description="Videos.")
    history_points: int = strawberry.field(description="Readings of creators and videos.")
    syncs: int = strawberry.field(description="Syncs.")
    tokens: int = strawberry.field(description="Platform tokens.")
    stored_answers: int = strawberry.field(
        description="Idempotency records and job payloads that spoke of the creator."
    )


@strawberry.type(description="What a disconnect did.")
class DisconnectCreatorPayload:
    disconnected: bool = strawberry.field(description="True.")
    disconnected_id: strawberry.ID = strawberry.field(description="The id that no longer exists.")
    revocation: RevocationStatus = strawberry.field(description="What became of the grant at the platform.")
    erased: Erasure = strawberry.field(description="What was erased.")
    receipt: str = strawberry.field(
        description="Signed (JWT, verifiable with /.well-known/jwks.json) statement of what was erased and when."
    )
