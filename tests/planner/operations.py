"""Operations of every form the schema allows: nested lists, aliases, merged fields, fragments, variables, switches."""

import json
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from graphql import GraphQLObjectType, get_named_type, is_leaf_type
from graphql.type import get_nullable_type, is_list_type

ROOTS = (
    *("creators",) * 4, "videos", "videos", "creator", "creatorBy", "video", "sync", "node", "nodes", "account", "plans",
)  # fmt: skip
NOT_FOR_SOME = ("apiKey", "apiKeys", "usage", "usage")
PREFIXES = {"creator": "Creator", "video": "Video", "sync": "Sync", "apiKey": "ApiKey"}
WORDS = ("alpha", "be", "zulu", "nothing", "")


@dataclass
class Writer:
    """`random`: chance, drawn; `oracle`: the rows to ask for; `make_cursor`: how it makes one."""

    random: Any
    core: Any
    oracle: Any
    make_cursor: Any
    now: Any
    count: int = 0
    fragments: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    weighty: int = 12
    hourly: bool = True  # whether no usage field asks for more hours than there may be buckets

    def operation(self) -> tuple[str, dict[str, Any]]:
        roots = " ".join(self.root() for _ in range(self.random.randint(1, 3)))
        body = " ".join(["{", roots, "}", *self.fragments])
        used = set(re.findall(r"\$(v\d+)", body))
        declared = [text for text in self.declared if text[1:].split(":")[0] in used]
        head = f"query Q({', '.join(declared)})" if declared else "query Q"
        return f"{head} {body}", {name: value for name, value in self.variables.items() if name in used}

    def chance(self, share: float) -> bool:
        return self.random.chance(share)

    def alias(self) -> str:
        self.count += 1
        return f"a{self.count}"

    def value(self, kind: str, value: Any, *, enum: bool = False) -> str:
        """A value as a literal, or through a variable."""
        if self.chance(0.3):
            name = f"v{len(self.variables)}"
            self.variables[name] = value
            self.declared.append(f"${name}: {kind}")
            return f"${name}"
        return str(value) if enum else json.dumps(value, ensure_ascii=False)

    def switch(self) -> str:
        if not self.chance(0.06):
            return ""
        name = f"v{len(self.variables)}"
        self.variables[name] = self.chance(0.6)
        self.declared.append(f"${name}: Boolean!")
        return f" @{self.random.choice(('skip', 'include'))}(if: ${name})"

    def root(self) -> str:
        roots = ROOTS if self.oracle.allowed is not None else ROOTS + NOT_FOR_SOME
        name = self.random.choice(roots)
        definition = self.core.query_type.fields[name]
        arguments = self.arguments("Query", name)
        if name in {"node", "nodes"}:
            body = " ".join(
                f"... on {kind} {{ {self.selection(self.core.type_map[kind], 2, aliased=True)} }}"
                for kind in self.kinds()
            )
            return f"{self.alias()}: {name}{arguments} {{ __typename {body} }}"
        return f"{self.alias()}: {name}{arguments} {{ {self.selection(get_named_type(definition.type), 6)} }}"

    def selection(self, kind: GraphQLObjectType, depth: int, *, aliased: bool = False) -> str:
        leaves = [name for name in kind.fields if is_leaf_type(get_named_type(kind.fields[name].type))]
        nests = [name for name in kind.fields if name not in leaves]
        chosen = self.random.sample(leaves, min(len(leaves), self.random.randint(0, 4)))
        if (
            depth > 0
            and nests
            and self.weighty > 0
            and not self.chance(0.3 if kind.name.endswith("Edge") else 0.1)
        ):
            chosen += self.random.choices(nests, k=self.random.randint(1, 2 if depth > 3 else 1))
        parts = [self.part(kind, name, depth, aliased=aliased) for name in chosen]
        if not parts or self.chance(0.1):
            parts.append("__typename" if not aliased else f"{self.alias()}: __typename")
        return " ".join(self.wrapped(kind, part) for part in parts)

    def several(self, name: str) -> str:
        """An operation of one or two small roots, to be asked with `names` of anyone."""
        declared = {
            "creatorBy": "($platform: Platform!, $username: String!)",
            "account": "",
        }.get(name, "($id: ID!)")
        root = self.small(name)
        again = f" b: {root.partition(': ')[2]}" if self.chance(0.4) else ""  # the same statement twice
        return f"query Q{declared} {{ {root}{again} }}"

    def names(self, name: str) -> dict[str, Any]:
        """Variables of such an operation."""
        if name == "account":
            return {}
        if name == "creatorBy":
            row = self.row("Creator")
            return {"platform": row["platform"], "username": row["username"]}
        return {"id": self.id(PREFIXES.get(name))}

    def small(self, name: str) -> str:
        """A root of a row by itself, and nothing below it that is a list."""
        arguments = {"creatorBy": "(platform: $platform, username: $username)", "account": ""}.get(
            name, "(id: $id)"
        )
        kind = get_named_type(self.core.query_type.fields[name].type)
        if name == "node":
            kinds = [self.core.type_map[kind] for kind in self.kinds()]
            body = " ".join(f"... on {kind.name} {{ {self.lean(kind, aliased=True)} }}" for kind in kinds)
        else:
            body = self.lean(kind)
        return f"{self.alias()}: {name}{arguments} {{ __typename {body} }}"

    def lean(self, kind: GraphQLObjectType, depth: int = 2, *, aliased: bool = False) -> str:
        """Fields that are no lists, some of them objects."""
        fields = {name: definition.type for name, definition in kind.fields.items() if not definition.args}
        leaves = [name for name in fields if is_leaf_type(get_named_type(fields[name]))]
        nests = [
            name
            for name in fields
            if name not in leaves and not is_list_type(get_nullable_type(fields[name]))
        ]
        chosen = self.random.sample(leaves, self.random.randint(1, min(4, len(leaves))))
        if depth and nests and self.chance(0.7):
            chosen.append(self.random.choice(nests))
        parts = []
        for name in chosen:
            alias = f"{self.alias()}: " if aliased or self.chance(0.1) else ""
            inner = get_named_type(fields[name])
            below = "" if is_leaf_type(inner) else f" {{ {self.lean(inner, depth - 1)} }}"
            parts.append(f"{alias}{name}{below}")
        return " ".join(parts)

    def part(self, kind: GraphQLObjectType, name: str, depth: int, *, aliased: bool) -> str:
        definition = kind.fields[name]
        inner = get_named_type(definition.type)
        if is_leaf_type(inner):
            alias = f"{self.alias()}: " if aliased or self.chance(0.1) else ""
            return f"{alias}{name}{self.switch()}"
        listed = bool(definition.args)
        self.weighty -= listed
        alias = f"{self.alias()}: " if listed or self.chance(0.1) else ""
        arguments = self.arguments(kind.name, name) if listed else ""
        asked = f"{alias}{name}{arguments}{self.switch()}"
        times = 1 + self.chance(0.06)  # twice under one key: what is asked below it is merged
        return " ".join(f"{asked} {{ {self.selection(inner, depth - 1)} }}" for _ in range(times))

    def wrapped(self, kind: GraphQLObjectType, part: str) -> str:
        if self.chance(0.06):
            name = f"F{len(self.fragments)}"
            self.fragments.append(f"fragment {name} on {kind.name} {{ {part} }}")
            return f"...{name}{self.switch()}" + (f" ...{name}" if self.chance(0.3) else "")
        if self.chance(0.06):
            return f"...{self.random.choice(('', f' on {kind.name}'))}{self.switch()} {{ {part} }}"
        return part

    # -- arguments

    def arguments(self, type_name: str, name: str) -> str:
        if name in {"plans", "account"}:
            return ""
        if name == "creatorBy":
            row = self.row("Creator")
            by = self.random.choice(("username", "externalId"))
            value = row["username" if by == "username" else "external_id"]
            return f"(platform: {row['platform']}, {by}: {self.value('String', value)})"
        if name in {"node", *PREFIXES} and type_name == "Query":
            return f"(id: {self.value('ID!', self.id(PREFIXES.get(name)))})"
        if name == "nodes":
            return f"(ids: {self.value('[ID!]!', [self.id() for _ in range(self.random.randint(0, 5))])})"
        if name == "history":
            given = self.history()
        elif name == "usage":
            given = self.stretch()
        elif type_name == "Usage":
            given = self.of_usage(name)
        else:
            given = self.page(type_name, name)
        return f"({', '.join(given)})" if given else ""

    def row(self, kind: str) -> Any:
        return self.random.choice(
            self.oracle.rows(kind)
            or [{"id": self.oracle.account_id, "username": "x", "external_id": "x", "platform": "TIKTOK"}]
        )

    def kinds(self) -> tuple[str, ...]:
        """Types of nodes that the caller may ask for."""
        return tuple(PREFIXES.values())[: 4 if self.oracle.allowed is None else 3]

    def id(self, kind: str | None = None) -> str:
        kind = kind or self.random.choice(self.kinds())
        prefix = {"Creator": "crt", "Video": "vid", "Sync": "syn", "ApiKey": "key"}[kind]
        if self.chance(0.3):  # anyone's, of any world
            table = {"Creator": "creators", "Video": "videos", "Sync": "syncs", "ApiKey": "api_keys"}[kind]
            return f"{prefix}_{self.random.choice(self.oracle.tables[table])['id'].hex}"
        return f"{prefix}_{self.row(kind)['id'].hex}"

    def history(self) -> list[str]:
        given = []
        if self.chance(0.4):
            moment = self.now - timedelta(hours=self.random.randint(1, 900))
            given.append(f"from: {self.value('DateTime', moment.isoformat())}")
        if self.chance(0.3):
            given.append(f"to: {self.value('DateTime', self.now.isoformat())}")
        if self.chance(0.5):
            given.append(
                f"granularity: {self.value('Granularity', self.random.choice(('HOUR', 'DAY')), enum=True)}"
            )
        return given

    def stretch(self) -> list[str]:
        """From and to, on the hour and inside one, before the first row and after the last."""
        given = []
        if self.chance(0.6):
            hours = self.random.choice((0.1, 2.5, 3.2, 27, 300.3, 600, 2_700))
            self.hourly = self.hourly and hours < 800
            moment = self.now - timedelta(hours=hours)
            on_the_hour = moment.replace(minute=0, second=0, microsecond=0)
            since = self.random.choice((moment, on_the_hour)).isoformat()
            given.append(f"from: {self.value('DateTime', since)}")
        if self.chance(0.3) and (not given or hours > 1):
            until = self.now + timedelta(hours=self.random.choice((-0.7, 0, 1)))
            given.append(f"to: {self.value('DateTime', until.isoformat())}")
        return given

    def of_usage(self, name: str) -> list[str]:
        if name == "buckets":
            steps = ("HOUR", "DAY") if self.hourly else ("DAY",)
            step = self.value("Granularity", self.random.choice(steps), enum=True)
            return [f"granularity: {step}"] if self.chance(0.6) else []
        first = self.random.choice((1, 2, 3, None))
        return [f"first: {self.value('Int', first)}"] if self.chance(0.5) else []

    def page(self, type_name: str, name: str) -> list[str]:
        kind = {"creators": "Creator", "videos": "Video", "syncs": "Sync", "apiKeys": "ApiKey"}[name]
        orders = {
            "Creator": ("CONNECTED_AT", "SYNCED_AT", "FOLLOWERS", "LIKES", "USERNAME"),
            "Video": ("PUBLISHED_AT", "VIEWS", "LIKES", "COMMENTS", "SHARES", "ENGAGEMENT_RATE"),
            "Sync": ("QUEUED_AT",),
            "ApiKey": ("CREATED_AT",),
        }[kind]
        given, order = [], orders[0]
        size = self.random.choice(("first", "last", None))
        if size:
            given.append(f"{size}: {self.value('Int', self.random.randint(1, 5))}")
        if len(orders) > 1 and self.chance(0.6):
            order = self.random.choice(orders)
            direction = self.random.choice((", direction: ASC", ", direction: DESC", ""))
            given.append(f"orderBy: {{field: {order}{direction}}}")
        for argument in ("after", "before"):
            if self.chance(0.25) and self.oracle.rows(kind):
                text = self.make_cursor(
                    self.oracle.account_id, self.oracle.livemode, f"{type_name}.{name}", order, self.row(kind)
                )
                given.append(f"{argument}: {self.value('String', text)}")
        if kind == "ApiKey":
            given += self.key_filter()
        elif kind != "Sync" and self.chance(0.4):
            given.append(
                f"filter: {{{', '.join(self.creator_filter() if kind == 'Creator' else self.video_filter())}}}"
            )
        return given

    def some(self, choices: list[str]) -> list[str]:
        return self.random.sample(choices, self.random.randint(1, 2))

    def key_filter(self) -> list[str]:
        if self.chance(0.6):
            return []
        return self.some(
            [
                f"mode: {self.value('KeyMode', 'LIVE' if self.oracle.livemode else 'TEST', enum=True)}",
                "status: [ACTIVE, EXPIRED]",
            ]
        )

    def creator_filter(self) -> list[str]:
        row = self.row("Creator")
        return self.some([
            self.random.choice(("platform: [TIKTOK]", "platform: []", "platform: [TIKTOK, YOUTUBE]")),
            f"username: {self.value('[String!]', [row['username'], 'nobody'])}",
            f"externalId: {self.value('[String!]', [row['external_id']])}",
            self.random.choice(("reference: null", "reference: [\"ref '2'\"]")),
            "grantStatus: [ACTIVE]",
            f"search: {self.value('String', self.random.choice(WORDS))}",
            f"followersMin: {self.value('BigInt', 7)}",
            f"followersMax: {self.value('BigInt', 2**53 - 1)}",
            f"syncedBefore: {self.value('DateTime', (self.now - timedelta(hours=3)).isoformat())}",
        ])  # fmt: skip

    def video_filter(self) -> list[str]:
        return self.some([
            f"publishedAfter: {self.value('DateTime', (self.now - timedelta(hours=30)).isoformat())}",
            f"publishedBefore: {self.value('DateTime', (self.now - timedelta(hours=2)).isoformat())}",
            f"search: {self.value('String', self.random.choice(WORDS))}",
            f"viewsMin: {self.value('BigInt', 7)}",
            f"creatorIds: {self.value('[ID!]', [self.id('Creator')])}",
            "platform: [YOUTUBE]",
        ])  # fmt: skip
