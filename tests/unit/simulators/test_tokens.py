"""What the token endpoint and revocation promise."""

import pytest

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
# RFC 7636's verifier, hashed the way TikTok hashes it: hex, where the RFC's own challenge is base64url.
CHALLENGE = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"


async def test_the_whole_walk_ends_in_the_creators_data(tiktok):
    pair = await tiktok.connect(creator="sim.ada")
    assert list(pair) == [
        "open_id", "scope", "access_token", "expires_in", "refresh_token", "refresh_expires_in", "token_type",
    ]  # fmt: skip
    assert pair["scope"] == "user.info.basic,user.info.profile,user.info.stats,video.list"
    assert (pair["expires_in"], pair["refresh_expires_in"], pair["token_type"]) == (7200, 15552000, "Bearer")
    assert pair["access_token"].startswith("act.")
    assert pair["refresh_token"].startswith("rft.")
    status, answer = await tiktok.user(pair["access_token"], "open_id,username")
    assert status == 200
    assert answer["data"]["user"] == {"open_id": pair["open_id"], "username": "sim.ada"}


async def test_the_legacy_profile_has_the_older_lifetimes(start):
    pair = await (await start(profile="tiktok-legacy")).connect()
    assert (pair["expires_in"], pair["refresh_expires_in"]) == (86400, 31536000)


async def test_the_scope_is_what_was_granted_not_what_was_asked(tiktok):
    assert (await tiktok.connect(ticked=["user.info.basic"]))["scope"] == "user.info.basic"


async def test_a_spent_code_is_refused(tiktok):
    code = await tiktok.code()
    assert "access_token" in (await tiktok.exchange(code))[1]
    status, answer = await tiktok.exchange(code)
    assert status == 200
    assert answer.keys() == {"error", "error_description", "log_id"}
    assert answer["error"] == "invalid_grant"


async def test_a_code_lives_ten_minutes(tiktok):
    young, old = await tiktok.code(), await tiktok.code()
    tiktok.world.clock.advance(595)
    assert "access_token" in (await tiktok.exchange(young))[1]
    tiktok.world.clock.advance(6)
    assert (await tiktok.exchange(old))[1]["error"] == "invalid_grant"


async def test_a_code_is_only_for_the_app_it_was_given_to(tiktok):
    code = await tiktok.code()
    stolen = {"client_key": "desktop", "client_secret": "desktop-secret"}
    assert (await tiktok.exchange(code, **stolen))[1]["error"] == "invalid_grant"
    assert "access_token" in (await tiktok.exchange(code))[1]


async def test_the_exchange_must_repeat_the_redirect_uri(tiktok):
    code = await tiktok.code()
    answer = (await tiktok.exchange(code, redirect_uri="https://api.example/other"))[1]
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == "Redirect_uri is not matched with the uri when requesting code."


async def test_pkce_is_the_hex_digest(tiktok):
    assert tiktok.challenge(VERIFIER) == CHALLENGE
    code = await tiktok.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    assert "access_token" in (await tiktok.exchange(code, code_verifier=VERIFIER))[1]


@pytest.mark.parametrize("verifier", ["", "x" * 43, VERIFIER + "x", "short", VERIFIER[:-1] + "é"])
async def test_a_wrong_or_absent_verifier_is_refused_whenever_a_challenge_was_sent(tiktok, verifier):
    code = await tiktok.code(code_challenge=CHALLENGE, code_challenge_method="S256")
    answer = (await tiktok.exchange(code, code_verifier=verifier))[1]
    assert answer["error"] == "invalid_request"
    assert answer["error_description"] == "Code verifier or code challenge is invalid."


async def test_the_rfcs_own_base64url_challenge_does_not_pass(tiktok):
    base64url = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    code = await tiktok.code(code_challenge=base64url, code_challenge_method="S256")
    assert (await tiktok.exchange(code, code_verifier=VERIFIER))[1]["error"] == "invalid_request"


async def test_a_refresh_rotates_the_refresh_token(tiktok):
    first = await tiktok.connect()
    _, second = await tiktok.refresh(first["refresh_token"])
    assert second["open_id"] == first["open_id"]
    assert second["scope"] == first["scope"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await tiktok.user(second["access_token"]))[0] == 200


async def test_a_spent_refresh_token_is_refused_and_its_successor_lives(tiktok):
    first = await tiktok.connect()
    _, second = await tiktok.refresh(first["refresh_token"])
    assert (await tiktok.refresh(first["refresh_token"]))[1]["error"] == "invalid_grant"
    assert "access_token" in (await tiktok.refresh(second["refresh_token"]))[1]


async def test_tokens_end_when_they_said_they_would(tiktok):
    pair = await tiktok.connect()
    tiktok.world.clock.advance(7190)
    assert (await tiktok.user(pair["access_token"]))[0] == 200
    tiktok.world.clock.advance(11)
    status, answer = await tiktok.user(pair["access_token"])
    assert (status, answer["error"]["code"]) == (401, "access_token_invalid")
    tiktok.world.clock.advance(15552000)
    assert (await tiktok.refresh(pair["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_a_revoke_kills_every_token_of_the_app_for_the_creator(tiktok):
    one, other, someone = [await tiktok.connect(creator=f"sim.{n}") for n in ("ada", "ada", "noor")]
    answer = await tiktok.revoke(one["access_token"])
    assert (answer.status, await answer.read()) == (200, b"")
    for pair in (one, other):
        assert (await tiktok.user(pair["access_token"]))[1]["error"]["code"] == "access_token_invalid"
        assert (await tiktok.refresh(pair["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await tiktok.user(someone["access_token"]))[0] == 200


async def test_a_revoke_needs_a_living_access_token_under_its_right_name(tiktok):
    pair = await tiktok.connect()
    secrets = {"client_key": "web", "client_secret": "web-secret"}
    answer = await tiktok.client.post(
        "/tiktok/v2/oauth/revoke/", data=secrets | {"access_token": pair["access_token"]}
    )
    assert (await answer.json())["error"] == "invalid_request"
    assert (await (await tiktok.revoke(pair["refresh_token"])).json())["error"] == "invalid_request"
    assert (await tiktok.user(pair["access_token"]))[0] == 200


async def test_a_wrong_client_is_invalid_client_everywhere(tiktok):
    for wrong in ({"client_key": "nobody"}, {"client_secret": "guess"}, {"client_secret": ""}):
        assert (await tiktok.exchange("code", **wrong))[1]["error"] == "invalid_client"
    tiktok.client_secret = "guess"
    assert (await (await tiktok.revoke("act.x")).json())["error"] == "invalid_client"


async def test_malformed_token_requests_are_invalid_request(tiktok):
    assert (await tiktok.token())[1]["error"] == "invalid_request"
    assert (await tiktok.token(grant_type="authorization_code"))[1]["error"] == "invalid_request"
    assert (await tiktok.token(grant_type="refresh_token"))[1]["error"] == "invalid_request"
    assert (await tiktok.token(grant_type="password"))[1]["error"] == "unsupported_grant_type"
    answer = await tiktok.client.post("/tiktok/v2/oauth/token/", json={"client_key": "web"})
    assert (await answer.json())["error"] == "invalid_request"


@pytest.mark.parametrize("status", [200, 400])
async def test_token_errors_come_at_either_status(start, status):
    tiktok = await start(token_error_status=status)
    assert (await tiktok.refresh("rft.unknown"))[0] == status
