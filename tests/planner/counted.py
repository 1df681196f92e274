"""The naive reader, counting what it gives out: a price is made of what stands in the answer, place by place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLObjectType, get_named_type

from tests.planner.oracle import KINDS, Oracle

THOUSANDTHS = {"Creator": 1_000, "Video": 100, "Usage": 1_000}
FREE = {"plans"}


@dataclass
class Counted(Oracle):
    """`delivered`: by coordinate, how many and their thousandths; `paid`: whether anything asked has a price."""

    delivered: dict[str, tuple[int, int]] = field(default_factory=dict)
    paid: bool = False
    edges: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, text: str, variables: dict[str, Any]) -> Any:
        self.delivered, self.paid, self.edges = {}, False, []
        data = super().answer(text, variables)
        for edge in self.edges:  # it costs its node, asked for or not
            self.add(edge["of"], max(1, edge["nodes"]), THOUSANDTHS.get(KINDS[edge["of"]], 0))
        return data

    @property
    def price(self) -> int:
        whole = sum(thousandths for _, thousandths in self.delivered.values())
        return max(1, -(-whole // 1000)) if self.paid else 0

    def add(self, coordinate: str, count: int, weight: int) -> None:
        if count:
            before = self.delivered.get(coordinate, (0, 0))
            self.delivered[coordinate] = before[0] + count, before[1] + count * weight

    def connection(self, coordinate: str, source: Any, given: dict[str, Any]) -> dict[str, Any]:
        return {**super().connection(coordinate, source, given), "of": coordinate}

    def resolver(self, type_name: str, name: str) -> Callable[..., Any]:
        found, coordinate = super().resolver(type_name, name), f"{type_name}.{name}"
        kind = get_named_type(self.core.type_map[type_name].fields[name].type)
        if type_name.endswith("Connection"):
            return lambda source, info, **given: self.of_page(name, source, found(source, info, **given))
        if type_name.endswith("Edge") and name == "node":
            return lambda source, info, **given: self.of_edge(source, found(source, info, **given))
        if coordinate in KINDS or not hasattr(kind, "fields"):
            return lambda source, info, **given: self.asked(type_name, name, found(source, info, **given))
        return lambda source, info, **given: self.of_field(kind, coordinate, found(source, info, **given))

    def asked(self, type_name: str, name: str, value: Any) -> Any:
        self.paid = self.paid or (type_name == "Query" and name not in FREE)
        return value

    def of_page(self, name: str, source: Any, value: Any) -> Any:
        coordinate = source["of"]
        if name == "nodes":
            self.add(coordinate, len(value), THOUSANDTHS.get(KINDS[coordinate], 0))
        if name != "edges":
            return value
        edges = [{**edge, "of": coordinate, "nodes": 0} for edge in value]
        self.edges += edges
        return edges

    @staticmethod
    def of_edge(edge: Any, value: Any) -> Any:
        edge["nodes"] += 1
        return value

    def of_field(self, kind: Any, coordinate: str, value: Any) -> Any:
        """Objects: every entry of a list, what a root names, and what has a price wherever it stands."""
        type_name, _, name = coordinate.partition(".")
        self.asked(type_name, name, value)
        listed = isinstance(value, list)
        for entry in value if listed else [value]:
            whose = kind.name if isinstance(kind, GraphQLObjectType) else entry and entry[""]
            weight = THOUSANDTHS.get(whose, 0)
            if entry is not None and (listed or weight or type_name == "Query"):
                self.add(coordinate, 1, weight)
        return value
