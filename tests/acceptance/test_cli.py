"""The operator's commands: with --json one value on stdout and nothing else, so that scripts can drive them."""

import json
import logging

import pytest
import structlog
from typer.testing import CliRunner

from server import cli

NOBODY = "key_" + "0" * 32


@pytest.fixture
def shell(address, tmp_path, monkeypatch):
    """Run a command as a shell would; answers its exit code, stdout and stderr."""
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", address)
    monkeypatch.setenv("CREATOR_GRAPH_DATA_DIR", str(tmp_path / "data"))
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()
    runner = CliRunner()

    def command(*arguments):
        result = runner.invoke(cli.app, arguments)
        return result.exit_code, result.stdout, result.stderr

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


@pytest.fixture
def run(shell):
    """The same with `--json`; answers the exit code, the value and stderr's."""

    def command(*arguments):
        code, out, err = shell(*arguments, "--json")
        said = json.loads(err) if err and code == 1 and "{" in err else None
        return code, json.loads(out) if out else None, said

    return command


def ok(answer):
    code, out, err = answer
    assert (code, err) == (0, None), answer
    return out


def refused(answer, error):
    code, out, err = answer
    assert (code, out) == (1, None), answer
    assert (err["error"]["code"], bool(err["error"]["message"])) == (error, True), answer


def test_accounts_are_made_changed_and_shown(run):
    made = ok(run("accounts", "create", "--name", "MetriqLab", "--plan", "basic", "--credits", "777"))
    assert made.keys() == {"id", "name", "liveKey", "testKey"}
    assert made["id"].startswith("acc_")
    assert made["liveKey"]["secret"].startswith("sk_live_")
    assert made["testKey"]["secret"].startswith("sk_test_")
    changed = ok(run(
        "accounts", "set", "MetriqLab", "--return-url", "https://a.example/x", "--return-url", "https://b.example/",
        "--requests-per-minute", "0", "--test-requests-per-minute", "7", "--max-websockets", "3", "--plan", "pro",
        "--credits", "1000", "--cancel",
    ))  # fmt: skip
    shown = ok(run("accounts", "show", made["id"]))
    assert shown == changed
    assert shown.pop("canceledAt")
    assert shown == {
        "id": made["id"], "name": "MetriqLab", "plan": "pro", "monthlyCredits": 1000, "requestsPerMinute": 0,
        "testRequestsPerMinute": 7, "maxWebsockets": 3, "returnUrls": ["https://a.example/x", "https://b.example/"],
    }  # fmt: skip
    assert ok(run("accounts", "set", "MetriqLab", "--uncancel"))["canceledAt"] is None


def test_keys_are_made_listed_rotated_and_revoked(run):
    ok(run("accounts", "create", "--name", "MetriqLab"))
    made = ok(run(
        "keys", "create", "--account", "MetriqLab", "--mode", "test", "--name", "ci", "--scopes",
        "creators_read,VIDEOS_READ", "--allowed-ips", "127.0.0.1,2001:db8::/32", "--expires-at", "2099-01-01",
    ))  # fmt: skip
    assert made.keys() == {"id", "secret", "name", "mode", "hint", "scopes"}
    assert (made["mode"], made["scopes"]) == ("test", ["CREATORS_READ", "VIDEOS_READ"])
    assert made["hint"] == f"sk_test_…{made['secret'][-4:]}"
    everything = ok(run("keys", "create", "--account", "MetriqLab", "--name", "all"))
    assert (everything["mode"], len(everything["scopes"])) == ("live", 9)
    rotated = ok(run("keys", "rotate", "--account", "MetriqLab", made["id"]))
    assert rotated["secret"] != made["secret"]
    kept = ok(run("keys", "rotate", "--account", "MetriqLab", rotated["id"], "--overlap-seconds", "60"))
    assert ok(run("keys", "revoke", "--account", "MetriqLab", everything["id"])) == {
        "id": everything["id"], "status": "REVOKED",
    }  # fmt: skip
    listed = {key["id"]: key for key in ok(run("keys", "list", "--account", "MetriqLab"))}
    assert len(listed) == 6
    assert listed[made["id"]]["status"] == listed[everything["id"]]["status"] == "REVOKED"
    assert (listed[rotated["id"]]["status"], listed[kept["id"]]["status"]) == ("RETIRING", "ACTIVE")
    assert listed[kept["id"]]["allowedIps"] == ["127.0.0.1/32", "2001:db8::/32"]
    assert not any("secret" in key for key in listed.values())


def test_credits_are_granted_shown_and_audited(run):
    ok(run("accounts", "create", "--name", "MetriqLab"))
    granted = ok(run("credits", "grant", "MetriqLab", "500", "--note", "sorry"))
    assert (granted["limit"], granted["used"], granted["remaining"]) == (1500, 0, 1500)
    shown = ok(run("credits", "show", "MetriqLab"))
    assert [(entry["kind"], entry["amount"], entry["note"]) for entry in shown["ledger"]] == [
        ("grant", 500, "sorry"), ("grant", 1000, "opening balance"),
    ]  # fmt: skip
    assert ok(run("credits", "audit")) == []


def ledger_of(run):
    rows = ok(run("credits", "show", "MetriqLab"))["ledger"]
    return [(row["kind"], row["amount"], row["key"], row["note"]) for row in rows]


def test_balances_are_set_right_by_hand_and_every_change_is_a_ledger_row(run, shell):
    ok(run("accounts", "create", "--name", "MetriqLab", "--credits", "100"))
    key = ok(run("keys", "create", "--account", "MetriqLab", "--name", "k", "--monthly-credits", "50"))["id"]
    for arguments, remaining in (
        (("adjust", "MetriqLab", "-30", "--note", "counted twice"), 70),
        (("adjust", "--note", "and back", "MetriqLab", "-20"), 50),
        (("adjust", "MetriqLab", "5", "--note", "up"), 55),
        (("refund", "MetriqLab", "7", "--note", "an outage"), 62),
        (("refund", "MetriqLab", "3", "--note", "its outage", "--key", key), 65),
        (("grant", "MetriqLab", "35", "--note", "sorry"), 100),
        (("grant", "MetriqLab", "1"), 101),
    ):
        assert ok(run("credits", *arguments))["remaining"] == remaining, arguments
    assert ledger_of(run) == [
        ("grant", 1, None, None), ("grant", 35, None, "sorry"), ("refund", 3, key, "its outage"),
        ("refund", 7, None, "an outage"), ("adjustment", 5, None, "up"), ("adjustment", -20, None, "and back"),
        ("adjustment", -30, None, "counted twice"), ("grant", 100, None, "opening balance"),
    ]  # fmt: skip
    code, said, _ = shell("credits", "show", "MetriqLab")
    assert (code, said.split("\n")[2].split()) == (0, ["remaining", "101"])
    assert ["adjustment", "-30", "–", "counted", "twice"] in [line.split()[2:] for line in said.splitlines()]
    assert shell("credits", "audit") == (0, "Every balance is the sum of its ledger rows.\n", "")


def test_a_wrong_change_of_a_balance_says_what_to_do_and_changes_nothing(run, shell):
    ok(run("accounts", "create", "--name", "MetriqLab", "--credits", "100"))
    ok(run("accounts", "create", "--name", "Other"))
    foreign = ok(run("keys", "list", "--account", "Other"))[0]["id"]
    why, huge = ("--note", "why"), str(10**16)
    before = ledger_of(run)
    for arguments, code, remedy in (
        (("adjust", "MetriqLab", "-101", *why), "BAD_USER_INPUT", "Take at most 100."),
        (("adjust", "MetriqLab", "0", *why), "BAD_USER_INPUT", "Give how many credits more, or less"),
        (("adjust", "MetriqLab", huge, *why), "BAD_USER_INPUT", "Give how many credits more, or less"),
        (("adjust", "MetriqLab", "1", "--note", " "), "BAD_USER_INPUT", "Say why"),
        (("adjust", "nobody", "1", *why), "NOT_FOUND", "Check the id"),
        (("refund", "MetriqLab", "0", *why), "BAD_USER_INPUT", "Give how many more."),
        (("refund", "MetriqLab", huge, *why), "BAD_USER_INPUT", "Give how many more."),
        (("refund", "MetriqLab", "1", "--note", ""), "BAD_USER_INPUT", "Say why"),
        (("refund", "MetriqLab", "1", *why, "--key", foreign), "NOT_FOUND", "Check the id"),
        (("refund", "MetriqLab", "1", *why, "--key", "nonsense"), "BAD_USER_INPUT", ""),
        (("grant", "MetriqLab", "0"), "BAD_USER_INPUT", "Give how many more."),
        (("grant", "nobody", "1"), "NOT_FOUND", "Check the id"),
        (("grant", "MetriqLab", "-5"), "BAD_USER_INPUT", "adjust"),
    ):
        status, _, said = run("credits", *arguments)
        assert (status, said["error"]["code"]) == (1, code), arguments
        assert remedy in said["error"].get("remedy", ""), arguments
    for arguments in (("adjust", "MetriqLab", "5"), ("refund", "MetriqLab", "5"), ("adjust", "MetriqLab", "few", *why), ("adjust", "MetriqLab", "5", *why, "--nothing")):  # fmt: skip
        code, out, said = shell("credits", *arguments)
        assert (code, out, "Usage: " in said) == (2, "", True), arguments
    assert ledger_of(run) == before
    assert ok(run("credits", "audit")) == []


def test_the_schema_and_the_tables(run):
    assert ok(run("schema"))["schema"].startswith('"""')
    assert ok(run("migrate")) == {"migrated": True}


def test_wrong_input_ends_with_1_and_says_why_as_json_on_stderr(run):
    ok(run("accounts", "create", "--name", "MetriqLab"))
    key = ("--account", "MetriqLab", "--name", "k")
    for arguments, code in (
        (("accounts", "create", "--name", "MetriqLab"), "CONFLICT"),
        (("accounts", "create", "--name", ""), "BAD_USER_INPUT"),
        (("accounts", "create", "--name", "x", "--plan", "gold"), "BAD_USER_INPUT"),
        (("accounts", "create", "--name", "x", "--credits", "-1"), "BAD_USER_INPUT"),
        (("accounts", "create", "--name", "x", "--email", "nonsense"), "BAD_USER_INPUT"),
        (("accounts", "show", "nobody"), "NOT_FOUND"),
        (("accounts", "show", "acc_" + "0" * 32), "NOT_FOUND"),
        (("accounts", "set", "nobody", "--plan", "pro"), "NOT_FOUND"),
        (("accounts", "set", "MetriqLab", "--return-url", "javascript:alert(1)"), "BAD_USER_INPUT"),
        (("accounts", "set", "MetriqLab", "--requests-per-minute", "-1"), "BAD_USER_INPUT"),
        (("keys", "create", *key, "--mode", "both"), "BAD_USER_INPUT"),
        (("keys", "create", *key, "--scopes", "EVERYTHING"), "BAD_USER_INPUT"),
        (("keys", "create", *key, "--allowed-ips", "nonsense"), "BAD_USER_INPUT"),
        (("keys", "create", *key, "--expires-at", "2001-01-01"), "BAD_USER_INPUT"),
        (("keys", "create", "--account", "nobody", "--name", "k"), "NOT_FOUND"),
        (("keys", "list", "--account", "nobody"), "NOT_FOUND"),
        (("keys", "revoke", "--account", "MetriqLab", "nonsense"), "BAD_USER_INPUT"),
        (("keys", "revoke", "--account", "MetriqLab", NOBODY), "NOT_FOUND"),
        (("keys", "rotate", "--account", "MetriqLab", NOBODY), "NOT_FOUND"),
        (("credits", "grant", "MetriqLab", "0"), "BAD_USER_INPUT"),
        (("credits", "show", "nobody"), "NOT_FOUND"),
        (("demo", "--account", "nobody"), "NOT_FOUND"),
        (("demo", "--account", "MetriqLab", "--mode", "both"), "BAD_USER_INPUT"),
    ):
        refused(run(*arguments), code)


def test_a_database_that_is_not_there_or_has_no_tables_is_said(run, postgres, monkeypatch):
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", postgres)
    refused(run("accounts", "show", "x"), "UNAVAILABLE")
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    refused(run("accounts", "show", "x"), "UNAVAILABLE")
    monkeypatch.setenv("CREATOR_GRAPH_PORT", "many")
    code, out, _ = run("accounts", "show", "x")
    assert (code, out) == (2, None)
