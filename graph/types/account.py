"""Who pays and who asks: shapes only."""

from enum import Enum

import strawberry

from graph.scalars import URL, BigInt, DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.node import Node, Planned


@strawberry.enum(description="What a member may do in the account.")
class MemberRole(Enum):
    OWNER = strawberry.enum_value("OWNER", description="Everything, the plan too.")
    ADMIN = strawberry.enum_value("ADMIN", description="Members and all keys.")
    MEMBER = strawberry.enum_value("MEMBER", description="Their own keys.")


@strawberry.type(description="A person of the account.", directives=[RequiresScope(scope=Scope.KEYS_READ)])
class Member:
    id: strawberry.ID = strawberry.field(description="mem_<32 hex>.")
    email: str = strawberry.field(description="How they are reached.")
    role: MemberRole = strawberry.field(description="What they may do.")
    joined_at: DateTime = strawberry.field(description="Since when.")


@strawberry.type(description="What an account may have. Numbers are the account's own where it has its own.")
class Plan:
    name: str = strawberry.field(description="sandbox, basic, pro or ultra.")
    api_access: bool = strawberry.field(description="Whether live keys work; a canceled account's do not.")
    monthly_credits: BigInt = strawberry.field(description="Credits a calendar month (UTC).")
    requests_per_minute: int = strawberry.field(description="Live requests a minute and key; 0: unlimited.")
    test_requests_per_minute: int = strawberry.field(
        description="Test requests a minute and key; 0: unlimited."
    )
    max_websockets: int = strawberry.field(description="Open sockets; 0: unlimited.")


@strawberry.type(description="The paying customer. ids read acc_<32 hex>.")
class Account(Planned, Node):
    name: str = strawberry.field(description="The account's name.")
    plan: Plan = strawberry.field(description="What it may have.")
    return_urls: list[URL] = strawberry.field(
        description="Where connectCreator may send a creator back to: exact matches."
    )
    members: list[Member] = strawberry.field(
        description="The account's people, longest first.", directives=[RequiresScope(scope=Scope.KEYS_READ)]
    )


@strawberry.type(description="What the account may still spend this month.")
class Credits:
    limit: BigInt = strawberry.field(description="The plan's credits plus grants, this month.")
    used: BigInt = strawberry.field(description="Spent this month.")
    remaining: BigInt = strawberry.field(description="Left this month, before the answer that tells it.")
    reset_at: DateTime = strawberry.field(description="When the month ends, UTC.")


@strawberry.type(description="How fast this key may ask.")
class RateLimit:
    limit: int = strawberry.field(description="Requests a minute; 0: unlimited.")
    remaining: int = strawberry.field(description="How many would pass at once, now.")
    reset_at: DateTime = strawberry.field(description="When the whole limit is there again.")
