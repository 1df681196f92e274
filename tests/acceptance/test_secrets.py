"""Nothing that opens anything stands in clear: not in the database, not in a log."""

import contextlib
import io
import logging
import sys
from urllib.parse import parse_qsl, urlsplit

import structlog

from server import logs
from services import grants


@contextlib.contextmanager
def logging_as_served(level="debug"):
    """All logs as `serve` writes them, caught."""
    root = logging.getLogger()
    before, was, config, stderr = root.handlers[:], root.level, structlog.get_config(), sys.stderr
    sys.stderr = caught = io.StringIO()
    try:
        logs.configure(level)
        structlog.configure(cache_logger_on_first_use=False)
        yield caught
    finally:
        sys.stderr = stderr
        root.handlers[:] = before
        root.setLevel(was)
        structlog.configure(**config)


async def test_no_key_token_state_or_code_stands_in_clear_in_the_database_or_the_logs(service):
    secrets: dict[str, str] = {"live key": service.live, "test key": service.test}
    with logging_as_served() as caught:
        for place in ({"headers": {"X-API-Key": service.test}}, {"headers": {"Authorization": f"Bearer {service.test}"}},
                      {"path": f"/graphql?api_key={service.test}"}, {"path": f"/graphql?apiKey={service.live}"}):  # fmt: skip
            assert (await service.send(json={"query": "{ credits { remaining } }"}, **place)).status == 200
        secrets["wrong key"] = service.test[:-1] + "!"
        await service.send(path=f"/graphql?api_key={secrets['wrong key']}", json={"query": "{"})
        await service.ask("{ nope }", key=service.live, headers={"X-Request-Id": "x"})
        made = await service.data(
            'mutation { createApiKey(input: {name: "k", mode: TEST}) { secret } }', key=service.test
        )
        secrets["made key"] = made["createApiKey"]["secret"]
        token = (await service.data("mutation { createAccessToken(input: {}) { token } }"))[
            "createAccessToken"
        ]["token"]
        secrets["token for browsers"] = token
        for place in ({"headers": {"Authorization": f"Bearer {token}"}}, {"path": f"/graphql?access_token={token}"},
                      {"path": f"/graphql?jwtKey={token}"}, {"path": f"/graphql?api_key={token}"}):  # fmt: skip
            await service.send(json={"query": "{ viewer { kind } }"}, **place)

        begun = await service.begin(returnUrl="https://partner.example/done", reference="r")
        secrets["state"] = begun["state"]
        location = await service.decide(begun["authUrl"], "sim.twenty")
        secrets["code"] = dict(parse_qsl(urlsplit(location).query))["code"]
        service.work()
        landed = await service.land(location)
        creator_id = landed.query["creator"]
        attempt = await service.data(
            "query($s: String!) { connectAttempt(state: $s) { sync { id } } }", {"s": begun["state"]}
        )
        await service.synced(attempt["connectAttempt"]["sync"]["id"])
        denied = await service.begin()
        await service.land(await service.decide(denied["authUrl"], "sim.single", "deny"))
        await service.land(location)
        service.fault("oauth/token", "status_500", times=3)
        failed = await service.connect("sim.quiet")
        assert failed["status"] == "FAILED"
        service.fault("user/info", "half_json", times=1)
        await service.connect("sim.quiet")

        services = service.house.services
        held = [
            await grants.read(
                services.database, services.vault, grants.Whose(row["account_id"], False, row["creator_id"])
            )
            for row in (await service.tables_of("grants"))
        ]
        assert held
        for n, one in enumerate(held):
            secrets[f"access token {n}"] = one.tokens.access_token
            secrets[f"refresh token {n}"] = one.tokens.refresh_token
        service.fault("oauth/revoke", "status_500", times=50)
        gone = (await service.disconnect(creator_id)).data["disconnectCreator"]
        assert gone["revocation"] == "PENDING_RETRY"
        with contextlib.suppress(ConnectionError):
            await service.send(headers={"X-API-Key": service.test * 200})
        dump = await service.dump()
        await service.rest()
        log = caught.getvalue()
    assert log.count("request_id") > 10
    assert all(secrets.values())
    for name, secret in secrets.items():
        for table, text in dump.items():
            assert secret not in text, (name, table)
        assert secret not in log, name
        assert secret[:-7] not in log, name
    assert "live-app-secret" not in log
    assert (service.data_dir / "secret_key").read_text() not in log
    assert (service.data_dir / "secret_key").stat().st_mode & 0o777 == 0o600


async def test_a_body_that_cannot_be_decoded_is_refused_without_filling_the_log(service):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Connection": "close"}
    with logging_as_served("info") as caught:
        for key, status in (("wrong", 401), (service.test, 400)):
            more = headers | {"X-API-Key": key}
            async with service.http.post(f"{service.url}/graphql", data=b"no gzip", headers=more) as answer:
                assert answer.status == status
                assert (await answer.json())["errors"]
    lines = caught.getvalue().splitlines()
    assert [line for line in lines if '"level": "error"' in line or "Traceback" in line] == []
    assert len(lines) == 2  # a refusal each, as any other
