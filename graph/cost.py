"""`@cost` and `@listSize`: the price of a document before it runs, and of what it returned.

IBM's GraphQL Cost Directive. Weights are decimal text in the schema and whole thousandths of a credit
here, so that sums are exact.
"""

from decimal import Decimal

import strawberry
from strawberry.schema_directive import Location

THOUSANDTHS = 1000


@strawberry.schema_directive(
    locations=[Location.OBJECT, Location.FIELD_DEFINITION],
    name="cost",
    description=(
        "The price, in credits, of one call of a field or of one value of a type (IBM GraphQL Cost Directive "
        "specification; unannotated: 0). An operation costs max(1, ceil(sum of weights of what it returned)); "
        "a few fields are free."
    ),
)
class Cost:
    weight: str = strawberry.directive_field(name="weight")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="How long a list may get, for the static upper bound of an operation's price.",
)
class ListSize:
    assumed_size: int | None = strawberry.directive_field(name="assumedSize", default=strawberry.UNSET)
    slicing_arguments: list[str] | None = strawberry.directive_field(
        name="slicingArguments", default=strawberry.UNSET
    )
    sized_fields: list[str] | None = strawberry.directive_field(name="sizedFields", default=strawberry.UNSET)
    require_one_slicing_argument: bool | None = strawberry.directive_field(
        name="requireOneSlicingArgument", default=True
    )


def connection_size() -> ListSize:
    """The list size of every connection: what `first` or `last` says, else 20."""
    return ListSize(
        assumed_size=20,
        slicing_arguments=["first", "last"],
        sized_fields=["edges", "nodes"],
        require_one_slicing_argument=False,
    )


def thousandths(weight: str) -> int:
    return int(Decimal(weight) * THOUSANDTHS)


def credits(thousandths: int) -> int:
    """What a sum of weights costs: at least 1, rounded up."""
    return max(1, -(-thousandths // THOUSANDTHS))
