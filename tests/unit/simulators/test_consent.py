"""What the consent page promises the app and the creator."""

import re


async def page(tiktok, **query):
    asked = {
        "client_key": "web",
        "response_type": "code",
        "scope": "user.info.basic,video.list",
        "redirect_uri": "https://api.example/connect/tiktok/callback",
        "state": "s",
    } | query
    answer = await tiktok.client.get(
        "/tiktok/v2/auth/authorize/",
        params={name: value for name, value in asked.items() if value is not None},
        allow_redirects=False,
    )
    return answer, await answer.text()


async def test_the_page_names_the_app_the_creators_and_every_scope(tiktok):
    answer, text = await page(tiktok)
    assert answer.status == 200
    assert "Fan &amp; &lt;Co&gt; wants to access" in text
    assert text.count("<option") == 120
    assert set(re.findall(r'name="scope" value="([^"]+)"', text)) == {"user.info.basic", "video.list"}


async def test_the_login_hint_preselects_a_creator(tiktok):
    _, text = await page(tiktok, login_hint="sim.noor")
    assert re.findall(r'value="([^"]+)" selected', text) == ["sim.noor"]
    _, text = await page(tiktok, login_hint='"><script>')
    assert "<script" not in text


async def test_the_page_runs_nothing_and_fetches_nothing(tiktok):
    answer, text = await page(tiktok)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "form-action" not in policy
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", text)


async def test_approving_carries_code_scopes_and_state_to_the_app(tiktok):
    back = tiktok.callback(await tiktok.authorize(ticked=["user.info.basic", "video.list"]))
    assert back.keys() == {"code", "scopes", "state"}
    assert back["scopes"] == "user.info.basic,video.list"
    assert back["state"] == "st&te=1"
    assert "*" in back["code"]
    assert "!" in back["code"]


async def test_the_basic_scope_has_no_toggle(tiktok):
    _, text = await page(tiktok)
    assert 'value="user.info.basic" checked disabled' in text
    assert tiktok.callback(await tiktok.authorize(ticked=[]))["scopes"] == "user.info.basic"
    back = tiktok.callback(await tiktok.authorize(scope="video.list", ticked=[]))
    assert back["error"] == "access_denied"


async def test_denying_carries_access_denied_and_state_to_the_app(tiktok):
    back = tiktok.callback(await tiktok.authorize(decision="deny"))
    assert back["error"] == "access_denied"
    assert back["error_description"]
    assert back["state"] == "st&te=1"
    assert "code" not in back


async def test_a_redirect_uri_that_is_not_exactly_registered_gets_a_page_not_a_redirect(tiktok):
    right = "https://api.example/connect/tiktok/callback"
    for wrong in (
        right + "/",
        right + "?a=1",
        right.upper(),
        "http" + right[5:],
        "https://evil.example/",
        "",
        None,
    ):
        answer, text = await page(tiktok, redirect_uri=wrong)
        assert answer.status == 400
        assert "Location" not in answer.headers
        assert "<code>redirect_uri</code>" in text
    assert (await tiktok.authorize(redirect_uri=right + "/")).status == 400


async def test_an_unknown_app_gets_a_page_not_a_redirect(tiktok):
    answer, text = await page(tiktok, client_key="nobody")
    assert answer.status == 400
    assert "<code>client_key</code>" in text


async def test_a_wrong_request_of_a_known_app_is_carried_back_with_oauth_words(tiktok):
    for wrong, error in (
        ({"scope": "user.info.basic,video.publish"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "0" * 64, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "0" * 64}, "invalid_request"),
    ):
        answer, _ = await page(tiktok, **wrong)
        assert tiktok.callback(answer) | {"error_description": ""} == {
            "error": error,
            "error_description": "",
            "state": "s",
        }


async def test_a_desktop_app_without_a_challenge_is_refused(tiktok):
    answer, text = await page(tiktok, client_key="desktop")
    assert answer.status == 400
    assert "<code>code_challenge</code>" in text
    answer, _ = await page(
        tiktok, client_key="desktop", code_challenge="0" * 64, code_challenge_method="S256"
    )
    assert answer.status == 200


async def test_a_tampered_form_grants_nothing(tiktok):
    assert (await tiktok.authorize(creator="sim.nobody")).status == 400
    assert (await tiktok.authorize(decision="perhaps")).status == 400
    assert (await tiktok.authorize(scope="user.info.basic", ticked=["video.list"])).status == 400


async def test_the_first_page_lists_every_creator(tiktok):
    text = await (await tiktok.client.get("/")).text()
    assert text.count("<tr><td>sim.") == 120
    assert "<i>not html</i>" not in text
