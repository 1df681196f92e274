"""Who takes part: how each is started, and how it wants to be asked."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.bed import OUT, Bed, Tenant
from bench.operations import Operation, Want

HERE = Path(__file__).parent
PEERS = HERE / "peers"
PYTHON = str(PEERS / "python" / "bin" / "python")
POOL = "8"
OURS = "ours"
UNMETERED = "ours, metering off"
POSTGRAPHILE = "PostGraphile 5"
MERCURIUS = "Mercurius jit"
SQLALCHEMY = "Strawberry + SQLAlchemy"
ASYNCPG = "Strawberry + asyncpg"
ARIADNE = "Ariadne"
HANDWRITTEN = ("hand-written rows", "hand-written concat", "hand-written json")


@dataclass(frozen=True)
class Contender:
    """A server. It reads the contract's documents over /graphql; the account comes as a plain header."""

    name: str
    command: tuple[str, ...]
    variant: str = ""
    ours_alone: bool = False

    @property
    def slug(self) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())

    def env(self, bed: Bed) -> dict[str, str]:
        return {
            "BENCH_DATABASE": bed.address,
            "BENCH_PORT": "{port}",
            "BENCH_POOL": POOL,
            "BENCH_VARIANT": self.variant,
            "BENCH_SCHEMA": str(HERE / "contenders" / "schema.graphql"),
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
        }

    def offers(self, operation: Operation) -> bool:
        return self.ours_alone or not operation.ours_alone

    def path(self, operation: Operation) -> str:
        return "/graphql"

    def header(self, tenant: Tenant) -> tuple[str, str]:
        return ("X-Account", tenant.id)

    def body(self, operation: Operation, want: Want, tenant: Tenant, cursor: str | None) -> dict[str, Any]:
        variables = {**want.variables, "after": cursor} if cursor else want.variables
        return {"query": operation.document, "variables": variables}


@dataclass(frozen=True)
class Ours(Contender):
    """The product as it is served: keys, scopes, credits, limits, usage and its log."""

    ours_alone: bool = True

    def env(self, bed: Bed) -> dict[str, str]:
        return {
            "CREATOR_GRAPH_DATABASE_URL": bed.address,
            "CREATOR_GRAPH_PORT": "{port}",
            "CREATOR_GRAPH_DATA_DIR": str(OUT / "house"),
            "PYTHONPATH": str(HERE.parent),
            "BENCH_VARIANT": self.variant,
        }

    def header(self, tenant: Tenant) -> tuple[str, str]:
        return ("Authorization", f"Bearer {tenant.secret}")


@dataclass(frozen=True)
class Handwritten(Contender):
    """No GraphQL: a path an operation, the variables are the body."""

    def path(self, operation: Operation) -> str:
        return f"/{operation.name}"

    def body(self, operation: Operation, want: Want, tenant: Tenant, cursor: str | None) -> dict[str, Any]:
        return {**want.variables, "after": cursor}


@dataclass(frozen=True)
class PostGraphile(Contender):
    """Its own schema, made from the tables; aliases give the answer the contract's names."""

    documents: Mapping[str, str] = field(default_factory=dict, hash=False)

    def body(self, operation: Operation, want: Want, tenant: Tenant, cursor: str | None) -> dict[str, Any]:
        variables: dict[str, Any] = {**want.variables, "account": tenant.id, "after": cursor}
        if "id" in variables:
            variables["id"] = str(UUID(variables["id"].removeprefix("crt_")))
        return {"query": self.documents[operation.name], "variables": variables}


def _python(script: str) -> tuple[str, ...]:
    return (PYTHON, str(HERE / "contenders" / script))


def _node(script: str) -> tuple[str, ...]:
    return (str(node()), str(PEERS / "node" / script))


def node() -> Path:
    """npm's own Node: PostGraphile 5 needs 22 or newer."""
    found = sorted((PEERS / "node" / "node_modules").glob("node-linux-*/bin/node"))
    return found[0] if found else Path("node")


def _documents() -> dict[str, str]:
    """One file, an operation a part: `# name` and its document."""
    parts = ("\n" + (HERE / "contenders" / "postgraphile.graphql").read_text()).split("\n# ")[1:]
    return {name: document.strip() for name, _, document in (part.partition("\n") for part in parts)}


def contenders() -> dict[str, Contender]:
    """Everyone, by name, in the order in which they run."""
    ours = (sys.executable, str(HERE / "contenders" / "ours.py"))
    everyone = (
        Ours(OURS, (sys.executable, "-m", "server", "serve")),
        Ours(UNMETERED, ours),
        PostGraphile(POSTGRAPHILE, _node("postgraphile.mjs"), documents=_documents()),
        Contender(MERCURIUS, _node("mercurius.mjs")),
        Contender(SQLALCHEMY, _python("strawberry_sqlalchemy.py")),
        Contender(ASYNCPG, _python("strawberry_asyncpg.py")),
        Contender(ARIADNE, _python("ariadne_asyncpg.py")),
        *(Handwritten(name, _python("handwritten.py"), name.rpartition(" ")[2]) for name in HANDWRITTEN),
    )
    return {contender.name: contender for contender in everyone}
