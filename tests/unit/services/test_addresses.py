"""The client's address cannot be made up by the client."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from services import addresses

TRUSTED = [addresses.network(text) for text in ("10.0.0.0/8", "2001:db8:aaaa::/48")]
ip = ipaddress.ip_address


def seen(peer, *lines):
    return addresses.client_ip(peer, CIMultiDict(lines), TRUSTED)


@given(st.text(max_size=60), st.sampled_from(["X-Forwarded-For", "Forwarded"]))
def test_a_peer_that_is_no_trusted_proxy_is_the_client_whatever_it_sends(text, header):
    assert seen("198.51.100.9", (header, text)) == ip("198.51.100.9")


@given(st.lists(st.text(max_size=20), max_size=5))
def test_what_a_client_writes_itself_never_moves_its_address(written):
    line = ", ".join([*written, "203.0.113.5"])
    assert seen("10.0.0.1", ("X-Forwarded-For", line)) == ip("203.0.113.5")


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("192.0.2.66, 203.0.113.5", "203.0.113.5"),
        ("203.0.113.5, 10.1.2.3, 10.9.9.9", "203.0.113.5"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("[2001:db8::5]:4711", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        ("192.0.2.66, unknown, 10.2.2.2", "10.2.2.2"),
        ("192.0.2.66, unknown", "10.0.0.1"),
        ("", "10.0.0.1"),
        (" , ,", "10.0.0.1"),
    ],
)
def test_the_right_most_untrusted_hop_is_the_client(line, client):
    assert seen("10.0.0.1", ("X-Forwarded-For", line)) == ip(client)


@pytest.mark.parametrize(
    ("line", "client"),
    [
        ("for=203.0.113.5", "203.0.113.5"),
        ("For=192.0.2.66, FOR=203.0.113.5;proto=https;by=10.0.0.1", "203.0.113.5"),
        ('proto=https;for="[2001:db8::5]:4711"', "2001:db8::5"),
        ('for=203.0.113.5, for="[2001:db8:aaaa::1]"', "203.0.113.5"),
        ("for=192.0.2.66, for=_hidden", "10.0.0.1"),
        ("for=192.0.2.66, proto=https", "10.0.0.1"),
    ],
)
def test_the_standard_header_says_the_same(line, client):
    assert seen("10.0.0.1", ("Forwarded", line)) == ip(client)


def test_lines_of_a_header_are_read_as_one():
    assert seen(
        "10.0.0.1", ("X-Forwarded-For", "192.0.2.66"), ("x-forwarded-for", "203.0.113.5, 10.0.0.2")
    ) == ip("203.0.113.5")


def test_a_header_that_the_proxy_only_passed_on_does_not_help_a_liar():
    honest = ("X-Forwarded-For", "203.0.113.5")
    assert seen("10.0.0.1", honest, ("Forwarded", "for=192.0.2.66")) == ip("10.0.0.1")
    assert seen("10.0.0.1", honest, ("Forwarded", "for=203.0.113.5")) == ip("203.0.113.5")


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("::ffff:198.51.100.9", "198.51.100.9"),
        ("fe80::1%eth0", "fe80::1"),
        (None, "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_peers_of_any_kind_of_socket_have_an_address(peer, client):
    assert seen(peer) == ip(client)
