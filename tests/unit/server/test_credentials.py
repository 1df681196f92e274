"""The precedence table: each place good, bad, empty or absent, in every combination, and each of them twice."""

import itertools

from multidict import CIMultiDict, MultiDict

from server import credentials

STATES = (None, "", "   ", "good", "bad")


def find(headers=(), query=()):
    return credentials.find(CIMultiDict(headers), MultiDict(query))


def test_the_first_place_that_is_not_empty_decides_in_every_combination():
    for states in itertools.product(STATES, repeat=4):
        key, bearer, api_key, camel = states
        headers, query = [], []
        if key is not None:
            headers.append(("x-Api-KEY", key))
        if bearer is not None:
            headers.append(("Authorization", f"Bearer {bearer}"))
        if api_key is not None:
            query.append(("api_key", api_key))
        if camel is not None:
            query.append(("apiKey", camel))
        expected = next((state for state in states if state and state.strip()), None)
        found = find(headers, query)
        assert found.secret == expected, states
        assert found.in_query == (expected is not None and not any(s and s.strip() for s in (key, bearer)))


def test_of_a_place_that_is_there_twice_the_first_that_is_not_empty_counts():
    for first, second in itertools.product(("", "one"), ("", "two")):
        expected = first or second or None
        assert find([("X-API-Key", first), ("x-api-key", second)]).secret == expected
        assert (
            find([("Authorization", f"Bearer {first}"), ("authorization", f"Bearer {second}")]).secret
            == expected
        )
        assert find(query=[("api_key", first), ("api_key", second)]).secret == expected
        assert find(query=[("apiKey", second), ("api_key", first)]).secret == expected
    assert find([("Authorization", "Basic Zm9v"), ("Authorization", "Bearer one")]).secret == "one"


def test_any_other_scheme_is_ignored_and_so_is_a_bare_value():
    for line in (
        "Basic one",
        "one",
        "Digest one",
        "BearerX one",
        "Bearer",
        "Bearer ",
        "Token one",
        "bearer\tone",
        "",
    ):
        assert find([("Authorization", line)]).secret is None, line
        assert find([("Authorization", line)], [("api_key", "two")]).secret == "two"
    for line in ("bearer one", "BEARER one", "Bearer   one ", " Bearer one"):
        assert find([("Authorization", line)]).secret == "one", line


def test_what_only_sockets_and_streams_may_put_into_the_address_is_not_read_here():
    for name in ("access_token", "jwtKey", "API_KEY", "Apikey", "key", "token"):
        assert find(query=[(name, "one")]).secret is None, name


def test_connection_init_has_the_order_of_a_request_however_its_names_are_written():
    bearer = {"Authorization": "Bearer two"}
    for name in ("apiKey", "X-API-Key", "x-api-key"):
        for payload in (bearer | {name: " one "}, {name: "one"} | bearer):
            assert credentials.of_init(payload).secret == "one", payload
        for empty in ("", "  ", None, 1):
            assert credentials.of_init(bearer | {name: empty}).secret == "two", (name, empty)
    assert credentials.of_init({"authorization": "bearer two"}).secret == "two"
    assert credentials.of_init({"Authorization": "Basic two"}).secret is None


def test_a_credential_shows_no_secret():
    assert "one" not in repr(find([("X-API-Key", "one")]))
