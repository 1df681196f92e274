"""Keys: shapes only. No type here can hold a secret but the payload that shows it once."""

from enum import Enum

import strawberry

from graph.pagination import PageInfo
from graph.scalars import BigInt, DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.account import Account, Member
from graph.types.node import Node, Planned, read_by_parent
from graph.types.usage import Usage, UsageFrom, UsageTo


@strawberry.enum(description="Which of the two worlds a key sees.")
class KeyMode(Enum):
    LIVE = strawberry.enum_value("LIVE", description="Real creators; charged.")
    TEST = strawberry.enum_value("TEST", description="Simulated creators; never charged.")


@strawberry.enum(description="Whether a key works.")
class KeyStatus(Enum):
    ACTIVE = strawberry.enum_value("ACTIVE", description="It works.")
    RETIRING = strawberry.enum_value("RETIRING", description="It was rotated and works until retiresAt.")
    EXPIRED = strawberry.enum_value("EXPIRED", description="Its time is over.")
    REVOKED = strawberry.enum_value("REVOKED", description="It was revoked.")


@strawberry.enum(description="Whose a key is.")
class KeyOwner(Enum):
    MEMBER = strawberry.enum_value("MEMBER", description="Personal: ends when its maker leaves.")
    SERVICE = strawberry.enum_value("SERVICE", description="Of the account: stands.")


@strawberry.type(
    description="An API key. ids read key_<32 hex>. The secret itself is shown once, by the mutation that made it.",
    directives=[RequiresScope(scope=Scope.KEYS_READ)],
)
class ApiKey(Planned, Node):
    name: str = strawberry.field(description="What it is for.")
    mode: KeyMode = strawberry.field(description="Which world it sees.")
    hint: str = strawberry.field(
        description="What the secret begins with and its last four characters: sk_live_…f456"
    )
    status: KeyStatus = strawberry.field(description="Whether it works.")
    scopes: list[Scope] = strawberry.field(description="What it may do.")
    allowed_ips: list[str] = strawberry.field(description="CIDR ranges; empty: any address.")
    created_at: DateTime = strawberry.field(description="When it was made.")
    expires_at: DateTime | None = strawberry.field(description="When it ends; null: it does not.")
    rotation_due_at: DateTime = strawberry.field(description="90 days after creation: time to rotate.")
    last_used_at: DateTime | None = strawberry.field(description="When it was last used, to the minute.")
    last_used_ip: str | None = strawberry.field(description="From where it was last used.")
    last_used_country: str | None = strawberry.field(description="ISO 3166-1 alpha-2, where known.")
    owner: KeyOwner = strawberry.field(description="Whose it is.")
    created_by: Member | None = strawberry.field(description="Who made it; null once they left.")
    requests_per_minute: int | None = strawberry.field(description="Below the plan's, where set.")
    monthly_credits: BigInt | None = strawberry.field(description="Below the plan's, where set.")
    retires_at: DateTime | None = strawberry.field(
        description="When a RETIRING key stops; null: when it is revoked."
    )
    replaces: "ApiKey | None" = strawberry.field(description="The key it was rotated from.")
    replaced_by: "ApiKey | None" = strawberry.field(description="The key it was rotated to.")

    @strawberry.field(description="What was done with this key; this month unless said.")
    def usage(self, from_: UsageFrom = strawberry.UNSET, to: UsageTo = strawberry.UNSET) -> Usage:
        read_by_parent()


@strawberry.type(description="One key in a page.")
class ApiKeyEdge:
    cursor: str = strawberry.field(description="Where this entry stands in the list.")
    node: ApiKey = strawberry.field(description="The key.")


@strawberry.type(description="A page of keys.")
class ApiKeyConnection:
    edges: list[ApiKeyEdge] = strawberry.field(description="Entries with their cursors.")
    nodes: list[ApiKey] = strawberry.field(description="The entries alone.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")


@strawberry.enum(description="What kind of credential is asking.")
class CredentialKind(Enum):
    API_KEY = strawberry.enum_value("API_KEY", description="A key.")
    ACCESS_TOKEN = strawberry.enum_value("ACCESS_TOKEN", description="A short-lived token made from a key.")


@strawberry.type(description="Who is asking, and what they may.")
class Viewer:
    account: Account = strawberry.field(description="The account that pays.")
    kind: CredentialKind = strawberry.field(description="What kind of credential this is.")
    key_name: str = strawberry.field(
        description="Name of the key, or of the token's parent key; hint and name are enough to know it by."
    )
    key_hint: str = strawberry.field(description="Hint of that key.")
    mode: KeyMode = strawberry.field(description="Which world it sees.")
    scopes: list[Scope] = strawberry.field(description="What it may do.")
    allowed_creators: list[strawberry.ID] | None = strawberry.field(description="Null: all.")
    expires_at: DateTime | None = strawberry.field(description="When it ends; null: it does not.")
