"""Single values a platform sent become storable ones, or None."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platforms import values

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(anything)
def test_no_reader_ever_raises_and_all_text_can_be_stored(value):
    for read in (
        values.text,
        values.count,
        values.flag,
        values.url,
        values.moment,
        values.token,
        values.code,
    ):
        found = read(value)
        if isinstance(found, str):
            assert "\x00" not in found
            found.encode()
    values.message(value).encode()
    values.end(datetime(2026, 1, 1, tzinfo=UTC), value)


def test_nul_and_lone_surrogates_are_taken_out_and_pairs_kept():
    assert values.text(json.loads(r'"a\u0000b\ud800c\ud83d\ude00"')) == "abc\U0001f600"


@pytest.mark.parametrize("value", [True, -1, 1.0, "7", None, 2**63])
def test_what_is_no_count_is_none_and_never_zero(value):
    assert values.count(value) is None


def test_zero_and_the_largest_int8_are_counts():
    assert [values.count(0), values.count(2**63 - 1)] == [0, 2**63 - 1]


@pytest.mark.parametrize(
    "value", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[", "", 5]
)
def test_only_http_urls_with_a_host_are_kept(value):
    assert values.url(value) is None


def test_a_moment_is_aware_and_ends_with_the_year_9999():
    assert values.moment(1_699_990_000) == datetime(2023, 11, 14, 19, 26, 40, tzinfo=UTC)
    assert values.moment(253_402_300_800) is None


@pytest.mark.parametrize("value", ["", "a b", "a\r\nX: y", "ä", "x" * 5000, None, 7])
def test_a_token_that_cannot_go_into_a_header_is_none(value):
    assert values.token(value) is None


def test_messages_lose_whatever_could_be_a_secret_or_a_url():
    told = values.message("Code abcDEF0123456789abcDEF\nof https://host.example/?token=abc is\x00 expired")
    assert told == "Code […] of […] is expired"
