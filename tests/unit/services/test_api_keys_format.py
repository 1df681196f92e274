"""A key's form: told from a typo without a database, and shown by nothing but the moment it is made."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import api_keys, errors, key_format, key_terms

HEX = "0123456789abcdef" * 3
LIVE, TEST = "sk_" + "live_", "sk_" + "test_"
modes = st.sampled_from(["LIVE", "TEST"])


@pytest.mark.parametrize(
    ("body", "check"),
    # 123456789 is CRC32's own vector (cbf43926); the last begins with zeros, which stay.
    [("123456789", "3jZRME"), ("", "000000"), (TEST + "0" * 46 + "69", "002Sjy"), (LIVE + HEX, "0pfKTJ")],
)
def test_the_checksum_is_crc32_in_base_62_padded_to_six(body, check):
    assert key_format.checksum(body) == check
    value = sum(key_format.BASE62.index(digit) * 62**place for place, digit in enumerate(reversed(check)))
    assert value == zlib.crc32(body.encode())


@given(modes, st.sampled_from(["sk", "cg", "acme_graph"]))
def test_a_minted_key_has_the_documented_form(mode, prefix):
    secret = key_format.mint(mode, prefix)
    head = f"{prefix}_{mode.lower()}_"
    assert secret.startswith(head)
    body, check = secret[len(head) :].split("_")
    assert len(body) == 48
    assert set(body) <= set("0123456789abcdef")
    assert check == key_format.checksum(secret.rpartition("_")[0])
    assert key_format.looks_valid(secret, prefix)
    assert not key_format.looks_valid(secret, "other")


@given(modes, st.data())
def test_any_single_typo_is_told(mode, data):
    secret = key_format.mint(mode)
    place = data.draw(st.integers(0, len(secret) - 1))
    other = data.draw(st.characters().filter(lambda character: character != secret[place]))
    assert not key_format.looks_valid(secret[:place] + other + secret[place + 1 :])


@given(st.text(max_size=80))
def test_garbage_is_no_key(text):
    assert not key_format.looks_valid(text)
    assert len(key_format.digest(text)) == 32


@pytest.mark.parametrize("change", [" {}", "{} ", "{}\n", "{}0", "x{}"])
def test_a_key_with_anything_around_it_is_no_key(change):
    assert not key_format.looks_valid(change.format(key_format.mint("LIVE")))


def test_a_live_key_does_not_become_a_test_key_by_its_name():
    assert not key_format.looks_valid(key_format.mint("LIVE").replace("_live_", "_test_"))


def test_the_hint_shows_what_it_begins_with_and_four_characters():
    body = LIVE + HEX
    secret = f"{body}_{key_format.checksum(body)}"
    assert key_format.hint(secret) == f"{LIVE}…{secret[-4:]}"


def test_no_new_key_prints_its_secret():
    secret = key_format.mint("LIVE")
    made = api_keys.NewKey(
        id=None, secret=secret, name="n", mode="LIVE", hint=key_format.hint(secret), scopes=()
    )
    assert secret not in repr(made)
    assert secret not in f"{made} {made!s}"
    assert secret.split("_")[2] not in repr(made)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x00b", "a\u202eb", "\u2028", "\ud800"])
def test_a_name_is_1_to_100_plain_characters(name):
    with pytest.raises(errors.BadUserInput, match="name"):
        key_terms.name(name)


def test_names_in_any_script_are_taken():
    assert key_terms.name(" 分析 Ключ 👩‍💻 ") == "分析 Ключ 👩‍💻"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("2001:DB8::1/32", "2001:db8::/32"),
        ("::ffff:203.0.113.7", "203.0.113.7/32"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
    ],
)
def test_ranges_are_kept_in_one_form(given, kept):
    assert key_terms.allowed_ips([given, given]) == (kept,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nowhere",
        "1.2.3",
        "1.2.3.4/33",
        "0.0.0.0/0",
        "::/0",
        "::ffff:0:0/96",
        "fe80::1%eth0",
        "10.0.0.0/8,::1",
    ],
)
def test_a_range_that_is_none_or_is_everything_is_refused_with_the_reason(text):
    with pytest.raises(errors.BadUserInput, match=r"`allowedIps`: .* (is not|covers|names)"):
        key_terms.allowed_ips([text])


def test_a_hundred_ranges_and_no_more():
    ranges = [f"10.0.{n}.0/24" for n in range(101)]
    assert len(key_terms.allowed_ips(ranges[:100])) == 100
    with pytest.raises(errors.BadUserInput, match="at most 100"):
        key_terms.allowed_ips(ranges)


@pytest.mark.parametrize("scopes", [[], ["ALL"], ["CREATORS_READ", "creators_read"]])
def test_only_the_nine_scopes(scopes):
    with pytest.raises(errors.BadUserInput, match="KEYS_WRITE"):
        key_terms.scopes(scopes)


@given(st.sets(st.sampled_from(key_terms.SCOPES)), st.sampled_from(key_terms.SCOPES))
def test_a_write_scope_covers_its_read_and_nothing_else_does(held, wanted):
    expected = wanted in held or (wanted.endswith("_READ") and f"{wanted[:-5]}_WRITE" in held)
    assert key_terms.covers(frozenset(held), wanted) == expected
