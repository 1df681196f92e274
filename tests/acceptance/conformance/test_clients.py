"""Real clients, from their pinned packages, against the real service. `make conformance` installs and runs them.

Each script tries named checks and prints what became of each; what it printed is kept in results/ for the table.
"""

import asyncio
import json
import os
import shutil
from pathlib import Path

import pytest

from services import trusted

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PACKAGES, PYTHON, RESULTS = HERE / "node_modules", HERE / "python" / "bin", HERE / "results"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None or not PACKAGES.is_dir(),
    reason="needs node, and `make conformance`, which installs the clients",
)
needs_python = pytest.mark.skipif(
    not (PYTHON / "st").is_file(), reason="needs `make conformance`, which installs the clients"
)
SCHEMATHESIS_SECONDS = os.environ.get("SCHEMATHESIS_SECONDS")


async def ran(*command, seconds=60, cwd=HERE, env=None):
    """Exit code, output, complaints."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=cwd, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(seconds):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def tried(suite, *command):
    """Every check of a script, and none failed."""
    code, out, err = await ran(*command)
    assert code == 0, err or out
    return kept(suite, json.loads(out))


def kept(suite, results):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{suite}.json").write_text(json.dumps(results))
    assert results
    failed = [one for one in results if one["status"] != "ok"]
    assert not failed, "\n".join(f"{one['name']}: {one['reason']}" for one in failed)
    return results


async def facts(service, **more):
    creator = await service.connected("sim.twenty")
    return json.dumps({"url": f"{service.url}/graphql", "key": service.test, "creator": creator} | more)


@needs_node
async def test_all_audits_of_the_graphql_http_suite_pass(service):
    results = await tried("graphql-http", NODE, "audit.mjs", f"{service.url}/graphql", service.test)
    assert len(results) == 61


@needs_node
@pytest.mark.parametrize("suite", ["apollo", "urql", "graphql_ws", "graphql_sse"])
async def test_a_javascript_client_works_at_first_try(service, suite):
    await tried(suite, NODE, f"{suite}.mjs", await facts(service))


@needs_node
async def test_relays_compiler_takes_the_schema_and_its_runtime_runs_what_it_made(service, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "compiled").mkdir()
    (tmp_path / "persisted.json").write_text("{}")
    shutil.copy(HERE / "relay" / "Page.js", tmp_path / "src")
    shutil.copy(HERE / "relay" / "relay.config.json", tmp_path)
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    code, out, err = await ran(
        NODE, PACKAGES / "relay-compiler" / "cli.js", "relay.config.json", cwd=tmp_path
    )
    assert code == 0, out + err
    documents = json.loads((tmp_path / "persisted.json").read_text())
    async with service.database.write() as session:
        for id, text in documents.items():
            assert await trusted.store(session, service.account.id, "Page.js", text) == f"sha256:{id}"
    await service.connected("sim.single")
    await tried("relay", NODE, "relay.mjs", await facts(service, compiled=str(tmp_path / "compiled")))


@needs_node
async def test_code_generated_from_the_schema_compiles(service, tmp_path):
    given = {"schema": str(ROOT / "schema.graphql"), "out": str(tmp_path)}
    await tried("codegen", NODE, "codegen.mjs", await facts(service, **given))


@needs_python
async def test_the_python_client_works_at_first_try(service):
    await tried("gql", PYTHON / "python", "gql_client.py", await facts(service))


@needs_python
@pytest.mark.by_hand
@pytest.mark.skipif(not SCHEMATHESIS_SECONDS, reason="`make conformance` lets schemathesis run for a minute")
async def test_schemathesis_finds_no_server_error(service, tmp_path):
    things = await service.things(service.test)
    ids = [things["crt"], things["vid"], things["syn"], things["key"], "crt_" + "0" * 32, "", "\u202e"]
    report, seconds = tmp_path / "report.json", int(SCHEMATHESIS_SECONDS)
    code, out, err = await ran(
        PYTHON / "st", "run", f"{service.url}/graphql", "--header", f"X-API-Key: {service.test}",
        "--checks", "no_fault_of_ours,response_schema_conformance", "--max-time", seconds, "--warnings", "off",
        "--report", "json", "--report-json-path", report, seconds=seconds * 3, cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE), "CONFORMANCE_IDS": json.dumps(ids)},
    )  # fmt: skip
    assert code == 0, out + err
    told = json.loads(report.read_text())
    assert told["operations"]["tested"] == told["operations"]["total"] > 20
    fields, cases = told["operations"]["tested"], told["test_cases"]["generated"]
    name = f"every one of {fields} root fields, for {seconds} s: no fault of the service, answers as the schema says"
    kept("schemathesis", [{"name": name, "status": "ok", "count": cases}])


def test_the_page_tells_the_versions_that_are_pinned():
    told = (ROOT / "docs" / "conformance.md").read_text()
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
    for name in (
        "@apollo/client",
        "@urql/core",
        "graphql-http",
        "graphql-sse",
        "graphql-ws",
        "relay-compiler",
    ):
        assert f"{name} {pinned[name]}" in told, "run `make conformance`"
    for line in (HERE / "requirements.in").read_text().splitlines():
        if "==" in line:
            name, _, version = line.partition("==")
            assert f"{name.partition('[')[0]} {version}" in told, "run `make conformance`"
