"""What a browser brings back from a platform's consent page: believed alike for all of them."""

import pytest

from services.platforms import base, instagram, tiktok, youtube

APP = base.App("client", "secret", "https://auth.example", "https://api.example")
CONNECTORS = [
    pytest.param(tiktok.TikTok, "", id="tiktok"),
    pytest.param(youtube.YouTube, "", id="youtube"),
    pytest.param(instagram.Instagram, "#_", id="instagram"),
]


@pytest.mark.parametrize(("kind", "tail"), CONNECTORS)
def test_the_callback_gives_the_code_whatever_else_it_brings(kind, tail):
    connector = kind(APP, None)
    for code in ("a*b!", "4/0A-b", "AQabc", "x" * 2048):
        for end in {"", tail}:
            query = [("state", "s"), ("code", code + end), ("scopes", "user.info.basic"), ("scope", "email")]
            assert connector.parse_callback(query) == code


@pytest.mark.parametrize(("kind", "tail"), CONNECTORS)
def test_a_callback_with_an_error_is_refused_even_with_a_code(kind, tail):
    for error, failure in (
        ("access_denied", base.Denied),
        ("access_denied" + tail, base.Denied),
        ("server_error", base.Transient),
        ("temporarily_unavailable", base.Transient),
        ("invalid_scope", base.ProviderBug),
        ("access_token_invalid", base.ProviderBug),
        ("<script>", base.ProviderBug),
    ):
        query = [("error", error), ("error_description", "no"), ("code", "c"), ("state", "s")]
        with pytest.raises(failure) as caught:
            kind(APP, None).parse_callback(query)
        assert type(caught.value) is failure
        assert "<" not in str(caught.value)


@pytest.mark.parametrize(("kind", "tail"), CONNECTORS)
def test_a_callback_without_one_usable_code_or_with_a_repeated_key_is_refused(kind, tail):
    for query in (
        [("state", "s")],
        [("code", tail), ("state", "s")],
        [("code", "a"), ("code", "b")],
        [("code", "a"), ("state", "s"), ("state", "t")],
        [("error", "access_denied"), ("error", "server_error")],
        [("code", "x" * 2049)],
    ):
        with pytest.raises(base.ProviderBug):
            kind(APP, None).parse_callback(query)
