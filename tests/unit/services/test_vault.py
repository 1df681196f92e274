"""Sealed values open only in their place, under a known key, and unaltered."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import vault

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
PLACE = "grant:acc:crt:access"
box = vault.Vault([NEW, OLD])


@given(st.text(), st.text(min_size=1))
def test_what_was_sealed_opens_in_its_place(plaintext, place):
    assert box.open(box.seal(plaintext, place), place) == plaintext


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_a_sealed_value_moved_to_another_place_does_not_open(plaintext, place, other):
    if place != other:
        with pytest.raises(vault.Unopenable):
            box.open(box.seal(plaintext, place), other)


@given(st.text(min_size=1), st.data())
def test_a_value_with_any_bit_changed_does_not_open(plaintext, data):
    sealed = bytearray(box.seal(plaintext, PLACE))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(vault.Unopenable):
        box.open(bytes(sealed), PLACE)


@given(st.binary(max_size=64))
def test_garbage_and_cut_values_do_not_open(garbage):
    header = box.seal("", PLACE)[:5]
    for value in (garbage, header + garbage):
        with pytest.raises(vault.Unopenable):
            box.open(value, PLACE)


def test_the_same_text_never_seals_alike():
    assert box.seal("a", PLACE) != box.seal("a", PLACE)


def test_a_value_of_the_old_key_opens_after_rotation():
    sealed = vault.Vault([OLD]).seal("token", PLACE)
    assert box.open(sealed, PLACE) == "token"


def test_a_value_of_a_dropped_key_says_so():
    with pytest.raises(vault.Unopenable, match="not among"):
        vault.Vault([NEW]).open(vault.Vault([OLD]).seal("token", PLACE), PLACE)


def test_a_secret_without_a_place_is_refused():
    with pytest.raises(ValueError, match="bound"):
        box.seal("token", "")


def test_digests_depend_on_key_purpose_and_text_and_their_border():
    seen = {
        box.digest("ab", "c"),
        box.digest("b", "ca"),
        box.digest("ab", "d"),
        vault.Vault([OLD]).digest("ab", "c"),
    }
    assert len(seen) == 4
    assert box.digest("ab", "c") == box.digest("ab", "c")


def test_a_digest_is_found_again_after_rotation():
    before = vault.Vault([OLD]).digest("tiktok:oid", "tombstone")
    assert before in box.digests("tiktok:oid", "tombstone")
    assert box.digests("x", "y")[0] == box.digest("x", "y")


def test_settings_take_base64_of_either_alphabet():
    key = bytes([255] * 32)
    sealed = vault.Vault([key]).seal("token", PLACE)
    for text in (
        base64.b64encode(key),
        base64.urlsafe_b64encode(key),
        base64.b64encode(key).rstrip(b"=") + b"\n",
    ):
        assert vault.Vault.from_settings([text.decode()]).open(sealed, PLACE) == "token"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([], "at least one"),
        (["c2hvcnQtYnV0LXNlY3JldA=="], "key 1 has 16 bytes"),
        ([base64.b64encode(NEW).decode(), "not base64 at all!"], "key 2 is not base64"),
        ([base64.b64encode(OLD).decode()] * 2, "twice"),
    ],
)
def test_bad_settings_name_the_place_and_never_the_key(keys, words):
    with pytest.raises(ValueError, match=words) as caught:
        vault.Vault.from_settings(keys)
    assert not any(key in str(caught.value) for key in keys)


def test_a_key_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        vault.Vault([b"short"])


def test_a_vaults_keys_are_in_no_repr():
    assert "digest" not in repr(box._current)
    assert repr(OLD)[2:10] not in repr(box)
