"""What was used: shapes only."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry

from graph.cost import Cost
from graph.scalars import BigInt, DateTime
from graph.scopes import RequiresScope, Scope
from graph.types.account import Member
from graph.types.node import read_by_parent
from graph.types.ordering import Granularity

UsageFrom = Annotated[
    DateTime | None,
    strawberry.argument(name="from", description="Not before; without it, the start of this month."),
]
UsageTo = Annotated[DateTime | None, strawberry.argument(description="Before; without it, now.")]
Top = Annotated[int | None, strawberry.argument(description="How many, 1 to 100, most first.")]

if TYPE_CHECKING:
    from graph.types.api_key import ApiKey


@strawberry.enum(description="What was unusual.")
class AnomalyKind(Enum):
    NEW_COUNTRY = strawberry.enum_value("NEW_COUNTRY", description="A country never seen for this key.")
    NEW_NETWORK = strawberry.enum_value("NEW_NETWORK", description="A network never seen for this key.")
    REQUEST_SPIKE = strawberry.enum_value(
        "REQUEST_SPIKE", description="Far more requests than at this hour on other days."
    )
    ERROR_SPIKE = strawberry.enum_value(
        "ERROR_SPIKE", description="Far more errors than at this hour on other days."
    )
    RETIRED_KEY_USED = strawberry.enum_value(
        "RETIRED_KEY_USED", description="A retiring or revoked key was presented."
    )
    ROTATION_OVERDUE = strawberry.enum_value(
        "ROTATION_OVERDUE", description="The key should have been rotated."
    )
    MAKER_LEFT = strawberry.enum_value("MAKER_LEFT", description="Who made the key has left the account.")
    KEY_IN_BROWSER = strawberry.enum_value("KEY_IN_BROWSER", description="A server key came from a browser.")


@strawberry.type(description="Sums of one step of time; empty steps are there too.")
class UsageBucket:
    at: DateTime = strawberry.field(description="Start of the step.")
    requests: BigInt = strawberry.field(description="Operations.")
    credits: BigInt = strawberry.field(description="Credits charged.")
    errors: BigInt = strawberry.field(description="Operations that failed.")
    rate_limited: BigInt = strawberry.field(description="Operations refused by a rate limit.")


@strawberry.type(description="Sums of one key.")
class KeyUsage:
    api_key: Annotated["ApiKey", strawberry.lazy("graph.types.api_key")] = strawberry.field(
        description="Which key."
    )
    requests: BigInt = strawberry.field(description="Operations.")
    credits: BigInt = strawberry.field(description="Credits charged.")
    errors: BigInt = strawberry.field(description="Operations that failed.")


@strawberry.type(description="Sums of one member's keys.")
class MemberUsage:
    member: Member = strawberry.field(description="Whose keys.")
    requests: BigInt = strawberry.field(description="Operations.")
    credits: BigInt = strawberry.field(description="Credits charged.")
    errors: BigInt = strawberry.field(description="Operations that failed.")


@strawberry.type(description="Sums of one field of the schema.")
class FieldUsage:
    field: str = strawberry.field(description="Schema coordinate: Query.creators")
    calls: BigInt = strawberry.field(description="How often it was delivered.")
    credits: BigInt = strawberry.field(description="Credits it was charged.")


@strawberry.type(description="Sums of one country.")
class CountryUsage:
    country: str | None = strawberry.field(
        description="ISO 3166-1 alpha-2, or null where the address tells none."
    )
    requests: BigInt = strawberry.field(description="Operations.")


@strawberry.type(description="Something unusual.")
class UsageAnomaly:
    kind: AnomalyKind = strawberry.field(description="What.")
    at: DateTime = strawberry.field(description="When.")
    api_key: Annotated["ApiKey", strawberry.lazy("graph.types.api_key")] = strawberry.field(
        description="Which key."
    )
    detail: str = strawberry.field(description="In words.")


@strawberry.type(
    description="What was used in a stretch of time.",
    directives=[Cost(weight="1"), RequiresScope(scope=Scope.USAGE_READ)],
)
class Usage:
    from_: DateTime = strawberry.field(name="from", description="Not before.")
    to: DateTime = strawberry.field(description="Before.")
    requests: BigInt = strawberry.field(description="Operations.")
    credits: BigInt = strawberry.field(description="Credits charged.")
    errors: BigInt = strawberry.field(description="Operations that failed.")
    rate_limited: BigInt = strawberry.field(description="Operations refused by a rate limit.")
    last_used_at: DateTime | None = strawberry.field(description="The last operation in this time.")

    @strawberry.field(description="Sums a day (or hour), oldest first, empty steps too: for plots.")
    def buckets(
        self,
        granularity: Annotated[
            Granularity | None, strawberry.argument(description="The step.")
        ] = Granularity.DAY,
    ) -> list[UsageBucket]:
        read_by_parent()

    @strawberry.field(description="Sums a key.")
    def by_key(self, first: Top = 20) -> list[KeyUsage]:
        read_by_parent()

    @strawberry.field(description="Sums a member.")
    def by_member(self, first: Top = 20) -> list[MemberUsage]:
        read_by_parent()

    @strawberry.field(description="Sums a field.")
    def by_field(self, first: Top = 20) -> list[FieldUsage]:
        read_by_parent()

    @strawberry.field(description="Sums a country.")
    def by_country(self, first: Top = 20) -> list[CountryUsage]:
        read_by_parent()

    @strawberry.field(description="What was unusual, newest first.")
    def anomalies(self, first: Top = 20) -> list[UsageAnomaly]:
        read_by_parent()
