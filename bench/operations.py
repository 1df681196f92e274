"""What is asked: the operations in the contract's words, and the really different bodies of each.

A want names its place by page number; each contender's own cursor for it is found by paging (see load.py).
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import asyncpg

from bench.bed import CREATORS, DAYS, VIDEOS, Bed

BODIES = 1_000
SEED = 20
HOT = " (hot account)"

SMALL = """query Small($id: ID!) {
  creator(id: $id) {
    id platform username displayName bio verified
    stats { followers following likes views videoCount engagementRate }
    connectedAt syncedAt
  }
}"""

NESTED = """query Nested($after: String) {
  creators(first: 20, after: $after) {
    edges {
      cursor
      node {
        id platform username displayName stats { followers views }
        videos(first: 10) {
          edges { cursor node { id title url views likes comments shares duration publishedAt } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""

WIDE = """query Wide($after: String) {
  creators(first: 100, after: $after) {
    edges {
      cursor
      node {
        id platform username displayName verified
        stats { followers following likes views videoCount engagementRate }
        connectedAt syncedAt
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""

DEEP = """query Deep($followers: BigInt!, $views: BigInt!, $from: DateTime!, $to: DateTime!) {
  creators(first: 10, filter: {followersMin: $followers}, orderBy: {field: FOLLOWERS, direction: ASC}) {
    edges {
      cursor
      node {
        id username stats { followers likes }
        history(from: $from, to: $to) { at followers likes views }
        videos(first: 5, filter: {viewsMin: $views}, orderBy: {field: VIEWS, direction: DESC}) {
          edges { cursor node { id title views publishedAt } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}"""

TOTAL = """query Total($followers: BigInt!) {
  creators(first: 1, filter: {followersMin: $followers}) { totalCount edges { node { id } } }
}"""

USAGE = """query Usage($from: DateTime!, $to: DateTime!) {
  usage(from: $from, to: $to) { requests credits buckets(granularity: HOUR) { at requests credits errors } }
}"""

# For ours alone: a price that no answer can change, and a far page of a long list.
FIXED = "query Fixed { account { id name plan { name } } }"
PAGE = """query Page($after: String) {
  videos(first: 20, after: $after) {
    edges { cursor node { id title views publishedAt } }
    pageInfo { hasNextPage endCursor }
  }
}"""
BEFORE_LAST_PAGE = "{ videos(last: 21) { edges { cursor } } }"


@dataclass(frozen=True)
class Want:
    """One body: whose, its variables but for the cursor, and the page it stands on."""

    tenant: int
    variables: dict[str, Any] = field(default_factory=dict, hash=False)
    page: int = 0


@dataclass(frozen=True)
class Operation:
    """`pages`: how many pages a tenant's list has; 0: no cursor. `steady`: its answer is always the same."""

    name: str
    document: str
    wants: Callable[[Bed], "list[Want]"] = field(hash=False)
    pages: int = 0
    steady: bool = True
    ours_alone: bool = False


def hot(operation: Operation) -> Operation:
    """The same of one account alone: as many bodies as if it were the only one of the bed."""
    return replace(
        operation,
        name=operation.name + HOT,
        wants=lambda bed: [
            want for want in operation.wants(replace(bed, tenants=bed.tenants[:1])) if want.tenant == 0
        ],
        ours_alone=True,
    )


async def creator_ids(bed: Bed) -> dict[int, list[str]]:
    """Ids (32 hex digits) of every tenant's creators."""
    connection = await asyncpg.connect(bed.address)
    rows = await connection.fetch(
        "select account_id::text as account, id from creators order by account_id, id"
    )
    await connection.close()
    numbers = {tenant.id: n for n, tenant in enumerate(bed.tenants)}
    found: dict[int, list[str]] = {n: [] for n in numbers.values()}
    for row in rows:
        found[numbers[row["account"]]].append(row["id"].hex)
    return found


def operations(ids: dict[int, list[str]]) -> dict[str, Operation]:
    """Every operation by its name."""
    return {
        operation.name: operation
        for operation in (
            Operation("small", SMALL, lambda bed: _small(bed, ids)),
            Operation("nested", NESTED, lambda bed: _pages(bed, CREATORS // 20), CREATORS // 20),
            Operation("wide", WIDE, lambda bed: _pages(bed, CREATORS // 100), CREATORS // 100),
            Operation("deep", DEEP, _deep),
            Operation("totalCount", TOTAL, _total),
            Operation("usage", USAGE, _usage, steady=False, ours_alone=True),
            Operation(
                "fixed", FIXED, lambda bed: [Want(n) for n in range(len(bed.tenants))], ours_alone=True
            ),
            Operation(
                "page 1", PAGE, lambda bed: [Want(n) for n in range(len(bed.tenants))], ours_alone=True
            ),
            Operation("page 1000", PAGE, _far, ours_alone=True),
        )
    }


def shuffled(wants: list[Want]) -> list[Want]:
    """At most BODIES of them, in an order that is the same for all."""
    mixed = list(wants)
    random.Random(SEED).shuffle(mixed)
    return mixed[:BODIES]


def _each(bed: Bed, most: int) -> int:
    """How many bodies a tenant gets."""
    return max(2, min(most, BODIES // len(bed.tenants)))


def _small(bed: Bed, ids: dict[int, list[str]]) -> list[Want]:
    each = _each(bed, CREATORS)
    step = CREATORS // each
    return [Want(tenant, {"id": f"crt_{id}"}) for tenant in ids for id in ids[tenant][: each * step : step]]


def _pages(bed: Bed, pages: int) -> list[Want]:
    each = _each(bed, pages)
    return [Want(tenant, page=page) for tenant in range(len(bed.tenants)) for page in range(each)]


def _followers(n: int, of: int) -> int:
    """Bounds spread as followers are: evenly in their logarithm."""
    return int(1000 * math.exp(8 * n / of))


def _deep(bed: Bed) -> list[Want]:
    each = _each(bed, 20)
    span = {"from": _iso(bed, DAYS), "to": _iso(bed, 0)}
    return [
        Want(tenant, {"followers": _followers(n, each), "views": 500 + 10 * n, **span})
        for tenant in range(len(bed.tenants))
        for n in range(each)
    ]


def _total(bed: Bed) -> list[Want]:
    each = _each(bed, 20)
    return [
        Want(tenant, {"followers": _followers(n, each)})
        for tenant in range(len(bed.tenants))
        for n in range(each)
    ]


def _usage(bed: Bed) -> list[Want]:
    span = {"from": _iso(bed, 1), "to": _iso(bed, -1)}
    return [Want(tenant, span) for tenant in range(len(bed.tenants))]


def _far(bed: Bed) -> list[Want]:
    return [Want(tenant, page=CREATORS * VIDEOS // 20 - 1) for tenant in range(len(bed.tenants))]


def _iso(bed: Bed, days_ago: int) -> str:
    return (bed.day - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
