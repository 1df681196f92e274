"""The public graphql-http audit suite, SHOULDs counted. `make conformance` installs it from its pinned lock."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

SUITE = Path(__file__).parents[2] / "bench" / "conformance"


async def test_all_audits_of_the_graphql_http_suite_pass(service):
    node = shutil.which("node")
    if node is None or not (SUITE / "node_modules" / "graphql-http").is_dir():
        pytest.skip("needs node and `make conformance`, which installs the suite")
    process = await asyncio.create_subprocess_exec(
        node, "audit.mjs", f"{service.url}/graphql", service.test, cwd=SUITE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    results = json.loads(out)
    assert [audit for audit in results if audit["status"] != "ok"] == []
    assert len(results) == 61
