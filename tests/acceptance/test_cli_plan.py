"""`creator-graph plan`: what people read, what scripts read, and refused as the API refuses."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from graph.planner import tree
from server import cli

CASES = Path(__file__).parents[1] / "planner"
CREATOR, VIDEO = "crt_" + "0" * 31 + "1", "vid_" + "0" * 31 + "1"
GIVEN = {"creator": CREATOR, "video": VIDEO, "username": "anna", "platform": "TIKTOK"}
SECTIONS = ("plan", "SQL", "assembler", "EXPLAIN")


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Run `plan` over a text as a shell would; answers exit code, stdout and stderr."""
    monkeypatch.setenv("CREATOR_GRAPH_DATA_DIR", str(tmp_path / "none"))
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()

    def command(text, *options):
        path = tmp_path / "query.graphql"
        path.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(cli.app, ["plan", str(path), *options])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


def test_sql_is_broken_into_lines_and_nothing_but_space_changes():
    for path in sorted(CASES.glob("*.sql")):
        for text in path.read_text(encoding="utf-8").split("\n;\n"):
            told = tree.sql(text)
            assert "".join(told.split()) == "".join(text.split())
            literals = r"'(?:[^']|'')*'"
            assert re.findall(literals, told) == re.findall(literals, text)
            assert tree.sql(told) == told
            assert len(told.splitlines()) > 5
    odd = "SELECT ' FROM ( ' || \"a ( FROM\" AS x FROM t WHERE f(a, ' ''quoted'' , ') AND EXTRACT(year FROM t.x) = 1"
    assert tree.sql(odd) == odd.replace(" AS x FROM t WHERE", " AS x\nFROM t\nWHERE")


def test_every_case_is_told_with_its_sql_and_explained_by_the_database(plan, path, address, monkeypatch):
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", address)
    for case in sorted(CASES.glob("*.graphql")):
        text = case.read_text(encoding="utf-8")
        for only_there in (r"query \(\$before: String!\) |, before: \$before", r'from: "2025[^"]*",? ?'):
            text = re.sub(only_there, "", text)
        given = {name: value for name, value in GIVEN.items() if f"${name}:" in text}
        code, out, err = plan(text, "--variables", json.dumps(given), "--json")
        assert (code, err) == (0, ""), case.name
        told = json.loads(out)
        assert (told["kind"], told["path"]) == ("query", path), case.name
        statements = [statement for root in told["roots"] for statement in root["statements"]]
        assert statements, case.name
        for one in statements:
            assert one["tree"], case.name
            assert "def run(" in one["assembler"], case.name
            assert any("rows=" in line for line in one["explain"]), case.name


def test_people_read_a_tree_the_sql_the_assembler_and_what_postgresql_does(plan, path, address, monkeypatch):
    text = (CASES / "main_nested_read.graphql").read_text(encoding="utf-8")
    code, out, _ = plan(text)
    assert code == 0
    assert f"query  {path} path; 1 to 4 credits; needs CREATORS_READ, VIDEOS_READ" in out
    assert "creators.edges.node.videos.edges.node: 6 at most, 0.6 credits" in out
    assert "│     └─ videos: Creator.videos: a page of 2 Video, first by PUBLISHED_AT DESC" in out
    assert "\n      WHERE t2.account_id = $1::UUID AND t2.livemode = $2::BOOLEAN\n" in out
    assert "$3 = 4" in out  # one more than the page, to see whether there is a next
    assert [line for line in out.splitlines() if line in SECTIONS] == list(SECTIONS)
    assert out.rstrip().endswith("not asked: no database is configured")
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", address)
    assert CliRunner().invoke(cli.app, ["accounts", "create", "--name", "Shop"]).exit_code == 0
    code, out, _ = plan(text, "--account", "Shop", "--analyze")
    assert code == 0
    assert re.search(r"\(actual .*rows=", out), out
    assert "Execution Time" in out
    assert "00000000-0000-0000-0000-000000000000" not in out
    assert "not asked" in plan(text, "--no-explain")[1]


def test_variables_operations_and_what_resolvers_answer_themselves(plan, tmp_path):
    text = """query A($n: Int) { creators(first: $n) { nodes { id } } v: viewer { mode } __typename }
      mutation B { syncCreator(input: {id: "x"}) { joined } } subscription C { creatorUpdated { id } }
      query D($ids: [ID!]!) { nodes(ids: $ids) { id } }"""
    (tmp_path / "given.json").write_text('{"n": 7}', encoding="utf-8")
    code, out, _ = plan(text, "--operation", "A", "--variables", f"@{tmp_path / 'given.json'}", "--json")
    told = json.loads(out)
    assert (code, told["operation"], told["path"], told["price"]["most"]) == (0, "A", "ordinary", 7)
    assert [(root["key"], root["planned"], len(root["statements"])) for root in told["roots"]] == [
        ("creators", True, 1), ("v", False, 0), ("__typename", False, 0),
    ]  # fmt: skip
    assert "v  viewer: answered by its resolver" in plan(text, "--operation", "A")[1]
    for name, said in (("B", "mutation"), ("C", "subscription")):
        code, out, _ = plan(text, "--operation", name)
        assert (code, f"a {said}, done by its resolver" in out) == (0, True), out
    ids = json.dumps({"ids": [CREATOR, VIDEO, CREATOR]})
    code, out, _ = plan(text, "--operation", "D", "--variables", ids)
    assert [f"nodes: statement {n} of 2" in out for n in (1, 2)] == [True, True]


BAD = (
    ("{ creators { nodes { id } ", {}),
    ("{ creators { nodes { nope } } nope }", {}),
    ("query A { viewer { mode } } query B { viewer { mode } }", {}),
    ("{ " + " ".join(f"a{n}: viewer {{ mode }}" for n in range(101)) + " }", {}),
    ("{ creators(first: 101) { nodes { id } } }", {}),
    ("query ($n: Int!) { creators(first: $n) { nodes { id } } }", {"n": "many"}),
    ("query ($n: Int!) { creators(first: $n) { nodes { id } } }", {}),
    ('{ creator(id: "vid_1") { id } }', {}),
    ('{ creators(after: "nonsense") { nodes { id } } }', {}),
    ("query ($x: String) { creatorBy(platform: TIKTOK, username: $x) { id } }", {"x": "\x00"}),
    ("{ creatorBy(platform: TIKTOK) { id } }", {}),
    ("{ apiKeys(mode: TEST) { nodes { id } } }", {}),
    ('{ usage(from: "2020-01-01T00:00:00Z") { buckets { at } } }', {}),
)  # fmt: skip


async def test_what_the_api_refuses_is_refused_with_the_same_code_and_words(plan, service):
    codes = set()
    for text, given in BAD:
        answer = await service.ask(text, given, key=service.live)
        status, out, err = await asyncio.to_thread(plan, text, "--variables", json.dumps(given), "--json")
        assert (status, out) == (1, ""), (text, out)
        said = json.loads(err)["error"]
        assert said["code"] == answer.code, text
        assert answer.errors[0]["message"] in said["message"], text
        codes.add(said["code"])
    assert codes >= {
        "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED", "OPERATION_RESOLUTION_FAILURE", "QUERY_TOO_COMPLEX",
        "BAD_USER_INPUT", "FORBIDDEN",
    }  # fmt: skip
    status, _, err = await asyncio.to_thread(plan, BAD[1][0])
    assert (status, err.splitlines()) == (1, [
        "1:22: Cannot query field 'nope' on type 'Creator'.",
        "1:31: Cannot query field 'nope' on type 'Query'. (GRAPHQL_VALIDATION_FAILED)",
    ])  # fmt: skip


def test_wrong_options_say_what_to_do(plan):
    text = "{ creators { totalCount } }"
    for options, said in (
        (("--variables", "{"), "Give them as JSON"),
        (("--variables", "[]"), "must be a JSON object"),
        (("--variables", "@nowhere.json"), "Give them as JSON"),
        (("--account", "Shop"), "CREATOR_GRAPH_DATABASE_URL"),
        (("--analyze",), "CREATOR_GRAPH_DATABASE_URL"),
    ):
        code, out, err = plan(text, *options)
        assert (code, out, said in err) == (1, "", True), err
