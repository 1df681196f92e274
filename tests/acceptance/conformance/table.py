"""docs/conformance.md from what the last `make conformance` tried: python table.py."""

import json
import re
import textwrap
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "conformance.md"
SUITES = {
    "graphql-http": ("the GraphQL-over-HTTP audits, SHOULDs counted", ["graphql-http"]),
    "relay": ("Relay: its compiler on `schema.graphql`, its runtime on what that made", ["relay-compiler", "relay-runtime"]),
    "apollo": ("Apollo Client", ["@apollo/client"]),
    "urql": ("urql", ["@urql/core", "@urql/exchange-persisted"]),
    "graphql_ws": ("graphql-ws, over WebSocket", ["graphql-ws"]),
    "graphql_sse": ("graphql-sse, over server-sent events", ["graphql-sse"]),
    "codegen": ("graphql-js, and graphql-code-generator with TypeScript's strict checks", ["graphql", "@graphql-codegen/typescript", "@graphql-codegen/typescript-operations", "typescript"]),
    "gql": ("Python's gql, with aiohttp and websockets", ["gql"]),
    "schemathesis": ("schemathesis, operations made at random", ["schemathesis"]),
}  # fmt: skip
HEAD = """# Clients and public suites, tried for real

Each talks to the real service with its worker, its database and the simulated platforms, from packages pinned with hashes.
`make conformance` installs them in an ignored folder, runs all and writes this page; `make test` runs what is installed,
schemathesis apart.

| what | pinned | checks | passed |
|---|---|---|---|
"""
TAIL = """
Not offered, on purpose: graphql-sse's "single connection" mode, the older WebSocket protocol of the name `graphql-ws`,
arrays of operations, `@defer` and `@stream`.
"""


def versions():
    """Name to pinned version, of both languages."""
    found = json.loads((HERE / "package.json").read_text())["dependencies"]
    pins = re.findall(r"^([\w.-]+)(?:\[.*\])?==(\S+)$", (HERE / "requirements.in").read_text(), re.MULTILINE)
    return found | dict(pins)


def page(results, day):
    pinned, lines, lists = versions(), [], []
    for suite, (what, packages) in SUITES.items():
        checks = results[suite]
        tried = sum(check.get("count", 1) for check in checks)
        passed = sum(check.get("count", 1) for check in checks if check["status"] == "ok")
        told = ", ".join(f"{name} {pinned[name]}" for name in packages)
        lines.append(f"| {what} | {told} | {tried:,} | {passed:,} |\n")
        if suite != "graphql-http":  # too many to list
            told = f"- **{what}**: " + "; ".join(check["name"] for check in checks) + "."
            lists.append(textwrap.fill(told, 120, subsequent_indent="  ", break_on_hyphens=False) + "\n")
    return HEAD + "".join(lines) + f"\nRun of {day}. What was tried:\n\n" + "".join(lists) + TAIL


if __name__ == "__main__":
    found = {suite: json.loads((HERE / "results" / f"{suite}.json").read_text()) for suite in SUITES}
    PAGE.write_text(page(found, datetime.now(UTC).date()))
