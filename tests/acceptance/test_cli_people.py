"""The operator's commands for people, their keys and the service's own signing keys."""

import json
import logging
from datetime import UTC, datetime

import pytest
import structlog
from typer.testing import CliRunner

from server import cli


@pytest.fixture
def run(address, tmp_path, monkeypatch):
    """Run a command with --json; answers what it printed, or the code of its refusal."""
    monkeypatch.setenv("CREATOR_GRAPH_DATABASE_URL", address)
    monkeypatch.setenv("CREATOR_GRAPH_DATA_DIR", str(tmp_path / "data"))
    root = logging.getLogger()
    handlers, level, config = root.handlers[:], root.level, structlog.get_config()

    def command(*arguments):
        result = CliRunner().invoke(cli.app, [*arguments, "--json"])
        if result.exit_code:
            assert not result.stdout
            return json.loads(result.stderr)["error"]["code"]
        return json.loads(result.stdout)

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**config)


IN = ("--account", "MetriqLab")


@pytest.mark.parametrize(
    ("plan", "numbers"),
    [("sandbox", (1_000, 60, 30, 1)), ("basic", (50_000, 300, 60, 5)), ("pro", (500_000, 1_200, 120, 25)), ("ultra", (5_000_000, 6_000, 300, 100))],
)  # fmt: skip
def test_an_account_of_every_plan_has_its_numbers_and_a_key_of_each_mode(run, plan, numbers):
    made = run("accounts", "create", "--name", "MetriqLab", "--plan", plan)
    shown = run("accounts", "show", "MetriqLab")
    assert (
        shown["monthlyCredits"],
        shown["requestsPerMinute"],
        shown["testRequestsPerMinute"],
        shown["maxWebsockets"],
    ) == numbers
    keys = run("keys", "list", *IN)
    assert {(key["mode"], key["status"], key["owner"]) for key in keys} == {
        ("live", "ACTIVE", "SERVICE"),
        ("test", "ACTIVE", "SERVICE"),
    }
    assert {made["liveKey"]["id"], made["testKey"]["id"]} == {key["id"] for key in keys}


def test_without_a_plan_an_account_is_on_the_free_one(run):
    run("accounts", "create", "--name", "MetriqLab")
    assert run("accounts", "show", "MetriqLab")["plan"] == "sandbox"


def test_members_are_added_listed_changed_and_removed(run):
    run("accounts", "create", "--name", "MetriqLab", "--email", "ada@example.com")
    bob = run("members", "add", *IN, "--email", "Bob@Example.com", "--role", "admin")
    assert (bob["email"], bob["role"]) == ("bob@example.com", "ADMIN")
    assert bob["id"].startswith("mem_")
    run("members", "add", *IN, "--email", "eve@example.com")
    assert [(m["email"], m["role"]) for m in run("members", "list", *IN)] == [
        ("ada@example.com", "OWNER"), ("bob@example.com", "ADMIN"), ("eve@example.com", "MEMBER"),
    ]  # fmt: skip
    assert run("members", "set", *IN, "bob@example.com", "--role", "member")["role"] == "MEMBER"
    assert run("members", "add", *IN, "--email", "bob@example.com") == "CONFLICT"
    assert run("members", "add", *IN, "--email", "nonsense") == "BAD_USER_INPUT"
    assert run("members", "add", *IN, "--email", "x@example.com", "--role", "king") == "BAD_USER_INPUT"
    assert run("members", "set", *IN, bob["id"], "--role", "king") == "BAD_USER_INPUT"
    assert run("members", "remove", *IN, "nobody@example.com") == "NOT_FOUND"
    assert run("members", "list", "--account", "nobody") == "NOT_FOUND"
    assert run("members", "remove", *IN, bob["id"])["email"] == "bob@example.com"
    assert len(run("members", "list", *IN)) == 2


def test_an_account_keeps_one_owner(run):
    run("accounts", "create", "--name", "MetriqLab", "--email", "ada@example.com")
    assert run("members", "remove", *IN, "ada@example.com") == "CONFLICT"
    assert run("members", "set", *IN, "ada@example.com", "--role", "admin") == "CONFLICT"
    run("members", "add", *IN, "--email", "bob@example.com", "--role", "owner")
    assert run("members", "remove", *IN, "ada@example.com")["role"] == "OWNER"
    assert run("members", "remove", *IN, "bob@example.com") == "CONFLICT"


def test_who_leaves_takes_their_own_keys_along_and_the_accounts_are_due_at_once(run):
    run("accounts", "create", "--name", "MetriqLab")
    bob = run("members", "add", *IN, "--email", "bob@example.com")
    personal = run("keys", "create", *IN, "--name", "laptop", "--member", "bob@example.com")
    service = run("keys", "create", *IN, "--name", "server", "--member", bob["id"], "--service")
    retiring = run(
        "keys",
        "rotate",
        *IN,
        run("keys", "create", *IN, "--name", "old", "--member", bob["id"])["id"],
        "--overlap-seconds",
        "60",
    )
    listed = {key["id"]: key for key in run("keys", "list", *IN)}
    assert (listed[personal["id"]]["owner"], listed[personal["id"]]["createdBy"]) == ("MEMBER", bob["id"])
    assert (listed[service["id"]]["owner"], listed[service["id"]]["createdBy"]) == ("SERVICE", bob["id"])
    gone = run("members", "remove", *IN, "bob@example.com")
    assert set(gone["revokedKeys"]) == {personal["id"], retiring["id"], listed[retiring["id"]]["replaces"]}
    assert gone["keysToRotate"] == [service["id"]]
    listed = {key["id"]: key for key in run("keys", "list", *IN)}
    assert {listed[id]["status"] for id in gone["revokedKeys"]} == {"REVOKED"}
    assert listed[service["id"]]["status"] == "ACTIVE"
    assert datetime.fromisoformat(listed[service["id"]]["rotationDueAt"]) <= datetime.now(UTC)
    assert run("keys", "create", *IN, "--name", "k", "--member", "bob@example.com") == "NOT_FOUND"
    new = run("keys", "rotate", *IN, service["id"])
    again = {key["id"]: key for key in run("keys", "list", *IN)}[new["id"]]
    assert datetime.fromisoformat(again["rotationDueAt"]) > datetime.now(UTC)


def test_a_key_is_changed_where_it_is_named_and_nowhere_else(run):
    run("accounts", "create", "--name", "MetriqLab", "--plan", "basic")
    key = run(
        "keys",
        "create",
        *IN,
        "--name",
        "ci",
        "--requests-per-minute",
        "10",
        "--monthly-credits",
        "100",
        "--expires-at",
        "2099-01-01",
    )
    before = next(one for one in run("keys", "list", *IN) if one["id"] == key["id"])
    assert (before["requestsPerMinute"], before["monthlyCredits"]) == (10, 100)
    assert run("keys", "update", *IN, key["id"]) == before
    changed = run(
        "keys",
        "update",
        *IN,
        key["id"],
        "--name",
        "build",
        "--scopes",
        "creators_read",
        "--allowed-ips",
        "10.0.0.0/8,2001:db8::1",
    )
    assert changed == {
        **before,
        "name": "build",
        "scopes": ["CREATORS_READ"],
        "allowedIps": ["10.0.0.0/8", "2001:db8::1/128"],
    }
    freed = run(
        "keys",
        "update",
        *IN,
        key["id"],
        "--allowed-ips",
        "",
        "--requests-per-minute",
        "0",
        "--monthly-credits",
        "0",
        "--no-expiry",
    )
    assert (freed["allowedIps"], freed["requestsPerMinute"], freed["monthlyCredits"], freed["expiresAt"]) == (
        [],
        None,
        None,
        None,
    )
    for wrong in (("--requests-per-minute", "301"), ("--monthly-credits", "50001"), ("--allowed-ips", "0.0.0.0/0"), ("--allowed-ips", "x"),
                  ("--scopes", ""), ("--scopes", "x"), ("--name", ""), ("--expires-at", "2001-01-01")):  # fmt: skip
        assert run("keys", "update", *IN, key["id"], *wrong) == "BAD_USER_INPUT", wrong
    run("keys", "revoke", *IN, key["id"])
    assert run("keys", "update", *IN, key["id"], "--name", "again") == "CONFLICT"
    assert run("keys", "update", *IN, "key_" + "0" * 32, "--name", "x") == "NOT_FOUND"


def test_signing_keys_are_listed_and_rotated(run):
    assert run("signing", "list") == []
    first = run("signing", "rotate")
    assert (first["status"], first["endsAt"]) == ("SIGNING", None)
    second = run("signing", "rotate", "--overlap-seconds", "3600")
    third = run("signing", "rotate", "--overlap-seconds", "0")
    listed = run("signing", "list")
    assert [(key["kid"], key["status"]) for key in listed] == [
        (third["kid"], "SIGNING"), (second["kid"], "ENDED"), (first["kid"], "ENDED"),
    ]  # fmt: skip
    assert run("signing", "rotate", "--overlap-seconds", "-1") == "BAD_USER_INPUT"
    assert all(key.keys() == {"kid", "status", "createdAt", "endsAt"} for key in listed)
