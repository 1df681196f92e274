"""What is bound to a statement's parameters: read from each request, checked on the way."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from graph import pagination
from graph.planner import plan
from graph.planner.mapping import Read, Reader

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # PostgreSQL's


def as_bound(page: plan.Page, value: Any) -> Any:
    if page.order.kind != "instant":
        return value
    # asyncpg writes the smallest datetime as -infinity, which stands for null in an order.
    return (
        datetime.min.replace(tzinfo=UTC)
        if value == pagination.MINUS_INFINITY
        else _EPOCH + timedelta(microseconds=value)
    )


def seed_reader(block: plan.Block, page: plan.Page) -> Reader:
    place = f"{block.coordinate} {page.order_name}"
    return lambda read: pagination.seed(read.account_id, read.livemode, place)


def cursor_reader(block: plan.Block, page: plan.Page, argument: str) -> Callable[[Read], pagination.Position]:
    seed = seed_reader(block, page)
    return lambda read: pagination.decode(
        read.arguments(block.field)[argument], page.order.kind, seed(read), argument
    )


def filter_reader(block: plan.Block, name: str) -> Reader:
    rule = block.kind.filters[name]  # type: ignore[union-attr]
    direct = name in block.kind.filter_arguments  # type: ignore[union-attr]

    def read_value(read: Read) -> Any:
        arguments = read.arguments(block.field)
        return rule.read((arguments if direct else arguments["filter"])[name], name)

    return read_value
