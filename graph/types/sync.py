"""Syncs: shapes only."""

from enum import Enum

import strawberry

from graph.pagination import PageInfo
from graph.scalars import DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.creator import Creator
from graph.types.node import Node, Planned


@strawberry.enum(
    description="How a sync stands. PARTIAL: some pages or items could not be read; nothing was marked as gone."
)
class SyncStatus(Enum):
    QUEUED = strawberry.enum_value("QUEUED", description="Waiting for a worker.")
    RUNNING = strawberry.enum_value("RUNNING", description="Being read, or waiting to go on.")
    SUCCEEDED = strawberry.enum_value("SUCCEEDED", description="Everything was read.")
    PARTIAL = strawberry.enum_value(
        "PARTIAL", description="Some pages or items could not be read; nothing was marked as gone."
    )
    FAILED = strawberry.enum_value("FAILED", description="The platform refused; see error.")
    CANCELED = strawberry.enum_value("CANCELED", description="Ended before it was done.")


@strawberry.enum(description="What asked for a sync.")
class SyncTrigger(Enum):
    MANUAL = strawberry.enum_value("MANUAL", description="syncCreator.")
    CONNECT = strawberry.enum_value("CONNECT", description="The creator connected.")
    SCHEDULED = strawberry.enum_value("SCHEDULED", description="It was time.")
    STALE = strawberry.enum_value("STALE", description="Somebody read old data.")
    WEBHOOK = strawberry.enum_value("WEBHOOK", description="The platform said that something changed.")


@strawberry.type(description="Why something did not work, in the service's own codes.")
class SyncError:
    code: str = strawberry.field(
        description="A stable code, as in errors[].extensions.code or the platform's reason."
    )
    message: str = strawberry.field(description="What happened, in words.")
    retry_at: DateTime | None = strawberry.field(description="When it is tried again; null: it is not.")


@strawberry.type(
    description="One reading of a creator's stats and videos from the platform. ids read syn_<32 hex>.",
    directives=[RequiresScope(scope=Scope.CREATORS_READ)],
)
class Sync(Planned, Node):
    creator: Creator = strawberry.field(description="Who is read.")
    status: SyncStatus = strawberry.field(description="How it stands.")
    trigger: SyncTrigger = strawberry.field(description="What asked for it.")
    progress: float = strawberry.field(description="0 to 1.")
    videos_seen: int = strawberry.field(description="Videos the platform showed so far.")
    videos_added: int = strawberry.field(description="Videos that were new.")
    videos_updated: int = strawberry.field(description="Known videos whose facts or numbers had changed.")
    attempts: int = strawberry.field(description="How often a worker took it up.")
    error: SyncError | None = strawberry.field(description="What went wrong last, if anything.")
    queued_at: DateTime = strawberry.field(description="When it was asked for.")
    started_at: DateTime | None = strawberry.field(description="When a worker first took it up.")
    finished_at: DateTime | None = strawberry.field(description="When it ended.")


@strawberry.type(description="One sync in a page.")
class SyncEdge:
    cursor: str = strawberry.field(description="Where this entry stands in the list.")
    node: Sync = strawberry.field(description="The sync.")


@strawberry.type(description="A page of syncs.")
class SyncConnection:
    edges: list[SyncEdge] = strawberry.field(description="Entries with their cursors.")
    nodes: list[Sync] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
