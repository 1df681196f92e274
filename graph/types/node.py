"""What every object with an id shares."""

from typing import Any, NoReturn

import strawberry


def read_by_parent() -> NoReturn:
    """The body of every nested field: the plan of the root field has read its value already."""
    raise AssertionError("a nested field was resolved outside its plan")


@strawberry.interface(description="Anything with a global id: refetch it with node or nodes.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="Global id: a prefix that tells the type, and 32 hex digits."
    )

    @classmethod
    def resolve_type(cls, value: Any, *_: Any) -> str:
        """The planner says which type it read."""
        name: str = value[""]
        return name


class Planned:
    """A type whose values are plain data from the planner, never instances."""

    @classmethod
    def is_type_of(cls, _value: Any, _info: Any) -> bool:
        return True
