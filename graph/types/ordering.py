"""Directions and steps that several lists share."""

from enum import Enum
from typing import Annotated

import strawberry

from graph.scalars import DateTime


@strawberry.enum(description="Which way a list runs.")
class OrderDirection(Enum):
    ASC = strawberry.enum_value(
        "ASC", description="Smallest, oldest or first in the alphabet first; null first."
    )
    DESC = strawberry.enum_value(
        "DESC", description="Largest, newest or last in the alphabet first; null last."
    )


@strawberry.enum(description="The step of a series.")
class Granularity(Enum):
    HOUR = strawberry.enum_value("HOUR", description="One point an hour.")
    DAY = strawberry.enum_value("DAY", description="One point a day, UTC.")


HistoryFrom = Annotated[
    DateTime | None,
    strawberry.argument(name="from", description="Not before; without it, 30 days before `to`."),
]
HistoryTo = Annotated[DateTime | None, strawberry.argument(description="Before; without it, now.")]
Step = Annotated[
    Granularity | None, strawberry.argument(description="One point an hour or a day; at most 1,000 points.")
]
