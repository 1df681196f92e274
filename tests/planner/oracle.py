"""The naive way to answer: every row in memory, graphql-core field by field, pages cut in Python.

Shares nothing with the planner but the schema's types, so that an answer on which both agree is right.
"""

# ruff: noqa: N802 -- resolvers bear the names of their fields: Type_field

import base64
import json
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from graphql import GraphQLObjectType, GraphQLResolveInfo, execute, parse

from services.platforms import coverage

TABLES = (
    "accounts",
    "plans",
    "members",
    "api_keys",
    "creators",
    "grants",
    "videos",
    "syncs",
    "creator_stats",
    "video_stats",
    "usage_events",
    "anomalies",
)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
PREFIX = {"Creator": "crt", "Video": "vid", "Sync": "syn", "ApiKey": "key", "Account": "acc", "Member": "mem"}
TABLE = {"Creator": "creators", "Video": "videos", "Sync": "syncs", "ApiKey": "api_keys"}
KINDS = {
    "Query.creators": "Creator",
    "Query.videos": "Video",
    "Query.apiKeys": "ApiKey",
    "Creator.videos": "Video",
    "Creator.syncs": "Sync",
}
DEFAULTS = {"Creator": "CONNECTED_AT", "Video": "PUBLISHED_AT", "Sync": "QUEUED_AT", "ApiKey": "CREATED_AT"}
TIMED = {"CONNECTED_AT", "SYNCED_AT", "PUBLISHED_AT", "QUEUED_AT", "CREATED_AT"}
ROWS_KEPT = timedelta(days=90)
FAR = datetime(2050, 1, 1, tzinfo=UTC)


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def order_value(order: str, row: dict[str, Any]) -> Any:
    """What an order compares: never null; text as its bytes, instants as microseconds since 2000."""
    value = row[order.lower()]
    if order == "USERNAME":
        return value.encode()
    if order in TIMED:
        return -(2**63) if value is None else (value - EPOCH) // timedelta(microseconds=1)
    return -1 if value is None else value


def cursor(account_id: UUID, livemode: bool, coordinate: str, order: str, row: dict[str, Any]) -> str:
    """A cursor, byte by byte as the contract of `graph.pagination` has it."""
    value = order_value(order, row)
    packed = (
        value
        if isinstance(value, bytes)
        else struct.pack(">d" if order == "ENGAGEMENT_RATE" else ">q", value)
    )
    body = packed + row["id"].bytes
    salt = account_id.bytes + (b"L" if livemode else b"T") + f"{coordinate} {order}".encode()
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body) ^ zlib.crc32(salt))[1:]).decode()


@dataclass
class Oracle:
    core: Any  # a schema of the oracle's own: its resolvers are replaced
    tables: dict[str, list[dict[str, Any]]]
    account_id: UUID
    livemode: bool
    allowed: tuple[UUID, ...] | None
    now: datetime

    @staticmethod
    async def read(connection: Any, account_id: UUID | None = None) -> dict[str, list[dict[str, Any]]]:
        """All rows of all tables, or one account's."""
        tables = {}
        for name in TABLES:
            whose = "id" if name == "accounts" else "account_id"
            only = f"where {whose} = '{account_id}'" if account_id and name != "plans" else ""
            tables[name] = [
                dict(row)
                for row in await connection.fetch(f"select * from {name} {only} order by tableoid, ctid")
            ]
        for rows in tables.values():
            for row in rows:
                row.update(
                    {name: UUID(bytes=value.bytes) for name, value in row.items() if isinstance(value, UUID)}
                )
        return tables

    def answer(self, text: str, variables: dict[str, Any]) -> Any:
        for kind in self.core.type_map.values():
            if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
                for name, definition in kind.fields.items():
                    definition.resolve = self.resolver(kind.name, name)
        result = execute(self.core, parse(text), variable_values=variables)
        assert not result.errors, result.errors
        return result.data

    def resolver(self, type_name: str, name: str) -> Callable[..., Any]:
        special = getattr(self, f"{type_name}_{name}", None)
        if special:
            return lambda source, info, **given: special(source, **given)
        if f"{type_name}.{name}" in KINDS:
            return lambda source, info, **given: self.connection(f"{type_name}.{name}", source, given)
        return lambda source, info, **given: self.plain(type_name, name, source, info)

    def plain(self, type_name: str, name: str, source: dict[str, Any], _info: GraphQLResolveInfo) -> Any:
        if name == "id":
            return f"{PREFIX[type_name]}_{source['id'].hex}"
        if name in source:
            return source[name]
        return source[snake(name)]

    # -- rows

    def rows(self, type_name: str) -> list[dict[str, Any]]:
        return [
            {**row, "": type_name}
            for row in self.tables[TABLE[type_name]]
            if row["account_id"] == self.account_id
            and row["livemode"] == self.livemode
            and self.visible(type_name, row)
        ]

    def visible(self, type_name: str, row: dict[str, Any]) -> bool:
        if row.get("gone_at") is not None:
            return False
        owner = {"Creator": "id", "Video": "creator_id", "Sync": "creator_id"}.get(type_name)
        return self.allowed is None or owner is None or row[owner] in self.allowed

    def one(self, type_name: str, id: UUID | None) -> dict[str, Any] | None:
        return next((row for row in self.rows(type_name) if row["id"] == id), None)

    def connection(self, coordinate: str, source: Any, given: dict[str, Any]) -> dict[str, Any]:
        kind = KINDS[coordinate]
        chosen = given.get("orderBy")
        order, down = (
            (chosen["field"].value, chosen["direction"].value == "DESC") if chosen else (DEFAULTS[kind], True)
        )
        rows = [
            row
            for row in self.rows(kind)
            if coordinate.startswith("Query") or row["creator_id"] == source["id"]
        ]
        rows = [row for row in rows if self.matches(kind, row, {**given, **(given.get("filter") or {})})]
        rows.sort(key=lambda row: (order_value(order, row), row["id"].bytes), reverse=down)
        cursors = [cursor(self.account_id, self.livemode, coordinate, order, row) for row in rows]
        start, end = self.bounds(order, down, rows, given)
        first, last = given.get("first"), given.get("last")
        if last is not None:
            page = range(max(start, end - last), max(start, end))
        else:
            page = range(start, max(start, min(end, start + (20 if first is None else first))))
        found = [rows[n] for n in page]
        # Whether something lies beyond a cursor is told where one was given; else only beyond the page's cut.
        before_exists = given.get("after") is not None and start > 0
        after_exists = given.get("before") is not None and end < len(rows)
        info = {
            "hasNextPage": after_exists or (last is None and page.stop < end),
            "hasPreviousPage": before_exists or (last is not None and page.start > start),
            "startCursor": cursors[page.start] if found else None,
            "endCursor": cursors[page.stop - 1] if found else None,
        }
        edges = [{"cursor": cursors[n], "node": rows[n]} for n in page]
        return {"edges": edges, "nodes": found, "pageInfo": info, "totalCount": len(rows)}

    def bounds(
        self, order: str, down: bool, rows: list[dict[str, Any]], given: dict[str, Any]
    ) -> tuple[int, int]:
        """Where the rows between the cursors begin and end."""
        start, end = 0, len(rows)
        for n, row in enumerate(rows):
            place = (order_value(order, row), row["id"].bytes)
            for argument in ("after", "before"):
                if given.get(argument) is None:
                    continue
                mark = self.place(given[argument], order)
                beyond = place < mark if down else place > mark
                if argument == "after" and not beyond:
                    start = n + 1
                if argument == "before" and (place == mark or beyond):
                    end = min(end, n)
        return start, end

    def place(self, text: str, order: str) -> tuple[Any, bytes]:
        data = base64.b64decode(text)[:-3]
        value, id = data[:-16], data[-16:]
        if order == "USERNAME":
            return value, id
        return struct.unpack(">d" if order == "ENGAGEMENT_RATE" else ">q", value)[0], id

    def matches(self, kind: str, row: dict[str, Any], given: dict[str, Any]) -> bool:
        tests: dict[str, Callable[[Any], bool]] = {
            "platform": lambda v: self.platform(kind, row) in [p.value for p in v],
            "externalId": lambda v: row["external_id"] in v,
            "reference": lambda v: row["reference"] in v,
            "username": lambda v: row["username"] in v,
            "grantStatus": lambda v: self.Creator_grant(row)["status"] in [s.value for s in v],
            "search": lambda v: self.found(kind, row, v),
            "followersMin": lambda v: row["followers"] is not None and row["followers"] >= v,
            "followersMax": lambda v: row["followers"] is not None and row["followers"] <= v,
            "syncedBefore": lambda v: row["synced_at"] is None or row["synced_at"] < v,
            "publishedAfter": lambda v: row["published_at"] >= v,
            "publishedBefore": lambda v: row["published_at"] < v,
            "viewsMin": lambda v: row["views"] is not None and row["views"] >= v,
            "creatorIds": lambda v: f"crt_{row['creator_id'].hex}" in v,
            "mode": lambda v: row["livemode"] == (v.value == "LIVE"),
            "status": lambda v: self.ApiKey_status(row) in [s.value for s in v],
        }
        return all(test(given[name]) for name, test in tests.items() if given.get(name) is not None)

    def platform(self, kind: str, row: dict[str, Any]) -> str:
        owner = (
            row
            if kind == "Creator"
            else next(c for c in self.tables["creators"] if c["id"] == row["creator_id"])
        )
        return str(owner["platform"])

    def found(self, kind: str, row: dict[str, Any], wanted: str) -> bool:
        names = ("username", "display_name", "bio") if kind == "Creator" else ("title", "description")
        words = re.findall(r"[^\W_]+", " ".join(row[name] or "" for name in names).lower())
        return all(any(word.startswith(part.lower()) for word in words) for part in wanted.split())

    # -- fields that are not a column of their own row

    def Query_node(self, _source: Any, id: str) -> Any:
        return next(
            (
                row
                for name, p in PREFIX.items()
                if name in TABLE and id.startswith(p)
                for row in self.rows(name)
                if row["id"].hex == id[4:]
            ),
            None,
        )

    def Query_nodes(self, source: Any, ids: list[str]) -> Any:
        return [self.Query_node(source, id) for id in ids]

    Query_creator = Query_video = Query_sync = Query_apiKey = Query_node

    def Query_plans(self, _source: Any) -> Any:
        return sorted(self.tables["plans"], key=lambda row: row["rank"])

    def Query_account(self, _source: Any) -> Any:
        return next(row for row in self.tables["accounts"] if row["id"] == self.account_id)

    def Account_plan(self, source: Any) -> Any:
        plan = next(row for row in self.tables["plans"] if row["name"] == source["plan"])
        own = {
            name: value
            for name, value in source.items()
            if name in plan and name != "name" and value is not None
        }
        return {**plan, **own, "api_access": plan["api_access"] and source["canceled_at"] is None}

    def Account_members(self, source: Any) -> Any:
        rows = [row for row in self.tables["members"] if row["account_id"] == source["id"]]
        return sorted(rows, key=lambda row: (row["joined_at"], row["id"].bytes))

    def Query_creatorBy(self, _source: Any, platform: Any, **given: Any) -> Any:
        wanted = {snake(name): value for name, value in given.items() if value is not None}
        rows = [
            r for r in self.rows("Creator") if r["platform"] == platform.value and wanted.items() <= r.items()
        ]
        return max(rows, key=lambda row: (row["connected_at"], row["id"].bytes), default=None)

    def Creator_stats(self, source: Any) -> Any:
        return source

    def Creator_grant(self, source: Any) -> Any:
        return next(row for row in self.tables["grants"] if row["creator_id"] == source["id"])

    def Creator_missingMetrics(self, source: Any) -> Any:
        granted = set(self.Creator_grant(source)["scopes"])
        reasons = ((row, self.missing(source, row, granted)) for row in coverage.COVERAGE)
        return [
            {
                "field": row.field,
                "reason": reason,
                "unlockedBy": list(row.scopes[:1]) if reason == "SCOPE_NOT_GRANTED" else [],
            }
            for row, reason in reasons
            if reason
        ]

    def missing(self, source: Any, row: Any, granted: set[str]) -> str | None:
        kind, _, name = row.field.partition(".")
        if row.platform != source["platform"] or (kind != "Video" and source[snake(name)] is not None):
            return None
        if not row.scopes:
            return "UNSUPPORTED_BY_PLATFORM"
        if not granted & set(row.scopes):
            return "SCOPE_NOT_GRANTED"
        if (kind == "Video" or name == "engagementRate") and source["synced_at"] is None:
            return "NOT_SYNCED_YET"
        if kind != "CreatorStats":
            return None
        return "HIDDEN_BY_CREATOR" if row.hideable else "NOT_TOLD_BY_PLATFORM"

    def Video_creator(self, source: Any) -> Any:
        return self.one("Creator", source["creator_id"])

    Sync_creator = Video_creator

    def Creator_history(self, source: Any, **given: Any) -> Any:
        return self.history(
            [row for row in self.tables["creator_stats"] if row["creator_id"] == source["id"]], given
        )

    def Video_history(self, source: Any, **given: Any) -> Any:
        return self.history(
            [row for row in self.tables["video_stats"] if row["video_id"] == source["id"]], given
        )

    def history(self, rows: list[dict[str, Any]], given: dict[str, Any]) -> Any:
        to = given.get("to") or self.now
        since = given.get("from") or to - timedelta(days=30)
        hourly = given.get("granularity") is not None and given["granularity"].value == "HOUR"
        steps: dict[datetime, dict[str, Any]] = {}
        for row in sorted(rows, key=lambda row: row["at"]):
            if since <= row["at"] < to:
                step = row["at"].replace(minute=0, second=0, microsecond=0)
                steps[step if hourly else step.replace(hour=0)] = row
        return [{**row, "at": step} for step, row in sorted(steps.items())]

    def Sync_progress(self, source: Any) -> float:
        if source["status"] in {"SUCCEEDED", "PARTIAL"}:
            return 1.0
        if source["started_at"] is None:
            return 0.0
        seen: int = source["videos_seen"]
        return min(0.99, seen / max(source["videos_expected"] or 0, seen, 1))

    def Sync_error(self, source: Any) -> Any:
        names = {"code": "error_code", "message": "error_message", "retryAt": "error_retry_at"}
        return (
            {name: source[column] for name, column in names.items()}
            if source["error_code"] is not None
            else None
        )

    def ApiKey_mode(self, source: Any) -> str:
        return "LIVE" if source["livemode"] else "TEST"

    def ApiKey_status(self, source: Any) -> str:
        if source["revoked_at"] is not None:
            return "REVOKED"
        if any(source[name] is not None and source[name] < FAR for name in ("expires_at", "retires_at")):
            return "EXPIRED"
        return "ACTIVE" if source["retiring_since"] is None else "RETIRING"

    def ApiKey_lastUsedIp(self, source: Any) -> str | None:
        return None if source["last_used_ip"] is None else str(source["last_used_ip"]).split("/")[0]

    def ApiKey_createdBy(self, source: Any) -> Any:
        members = self.tables["members"]
        return next(
            (r for r in members if r["id"] == source["created_by"] and r["account_id"] == self.account_id),
            None,
        )

    def ApiKey_replaces(self, source: Any) -> Any:
        return self.one("ApiKey", source["replaces"])

    def ApiKey_replacedBy(self, source: Any) -> Any:
        return self.one("ApiKey", source["replaced_by"])

    # -- usage: row by row, whatever is summed by the hour

    def Query_usage(self, _source: Any, **given: Any) -> Any:
        return self.usage(None, given)

    def ApiKey_usage(self, source: Any, **given: Any) -> Any:
        return self.usage(source["id"], given)

    def usage(self, key_id: UUID | None, given: dict[str, Any]) -> Any:
        until = given.get("to") or self.now
        since = given.get("from") or min(until, self.now).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        oldest = (self.now - ROWS_KEPT).replace(hour=0, minute=0, second=0, microsecond=0)
        # Of what is older than rows are kept, whole hours are told.
        since = hour(since) if since < oldest else since
        until = hour(until + timedelta(hours=1, microseconds=-1)) if until < oldest else until
        odd, rows = (
            [
                row
                for row in self.tables[table]
                if row["account_id"] == self.account_id
                and row["livemode"] == self.livemode
                and key_id in {None, row["key_id"]}
                and since <= row["at"] < until
            ]
            for table in ("anomalies", "usage_events")
        )
        last = max((row["at"] for row in rows), default=None)
        return {"from": since, "to": until, "rows": rows, "odd": odd, "last_used_at": last, **sums(rows)}

    def Usage_buckets(self, source: Any, granularity: Any = None) -> Any:
        hourly = granularity is not None and granularity.value == "HOUR"
        at = hour(source["from"]) if hourly else hour(source["from"]).replace(hour=0)
        buckets = []
        while at < source["to"]:
            end = at + (timedelta(hours=1) if hourly else timedelta(days=1))
            buckets.append({"at": at, **sums([row for row in source["rows"] if at <= row["at"] < end])})
            at = end
        return buckets

    def most_first(self, groups: dict[Any, list[Any]], order: Callable[[Any], Any], first: int | None) -> Any:
        found = [{"": name, "of": rows, **sums(rows)} for name, rows in groups.items() if name is not None]
        found.sort(key=lambda row: (-row["requests"], -row["credits"], order(row[""])))
        return found[: 20 if first is None else first]

    def Usage_byKey(self, source: Any, first: int | None = 20) -> Any:
        return self.most_first(
            grouped(source["rows"], lambda row: row["key_id"]), lambda who: who.bytes, first
        )

    def Usage_byMember(self, source: Any, first: int | None = 20) -> Any:
        def maker(row: Any) -> Any:
            key = self.one("ApiKey", row["key_id"])
            member = key and self.ApiKey_createdBy(key)
            return member and member["id"]

        return self.most_first(grouped(source["rows"], maker), lambda who: who.bytes, first)

    def Usage_byCountry(self, source: Any, first: int | None = 20) -> Any:
        groups = grouped(source["rows"], lambda row: row["country"])
        found = [{"country": name, "requests": len(rows)} for name, rows in groups.items()]
        found.sort(key=lambda row: (-row["requests"], row["country"] is None, row["country"]))
        return found[: 20 if first is None else first]

    def Usage_byField(self, source: Any, first: int | None = 20) -> Any:
        told: dict[str, list[int]] = {}
        for row in source["rows"]:
            for name, (calls, *shares) in json.loads(row["coordinates"]).items():
                sum_of = told.setdefault(name, [0, 0])
                sum_of[0], sum_of[1] = sum_of[0] + calls, sum_of[1] + sum(shares)
        found = [
            {"field": name, "calls": calls, "credits": (thousandths + 500) // 1000}
            for name, (calls, thousandths) in told.items()
        ]
        found.sort(key=lambda row: (-row["calls"], -row["credits"], row["field"]))
        return found[: 20 if first is None else first]

    def Usage_anomalies(self, source: Any, first: int | None = 20) -> Any:
        found = sorted(source["odd"], key=lambda row: (row["at"], row["id"]), reverse=True)
        return found[: 20 if first is None else first]

    def KeyUsage_apiKey(self, source: Any) -> Any:
        return self.one("ApiKey", source[""])

    def MemberUsage_member(self, source: Any) -> Any:
        return next(row for row in self.tables["members"] if row["id"] == source[""])

    def UsageAnomaly_apiKey(self, source: Any) -> Any:
        return self.one("ApiKey", source["key_id"])


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def grouped(rows: list[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def sums(rows: list[Any]) -> dict[str, int]:
    return {
        "requests": len(rows),
        "credits": sum(row["credits"] for row in rows),
        "errors": sum(row["code"] not in {"OK", "RATE_LIMITED"} for row in rows),
        "rate_limited": sum(row["code"] == "RATE_LIMITED" for row in rows),
    }
