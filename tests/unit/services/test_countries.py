"""Countries of addresses: from a file that says so, and from nothing else."""

import importlib.util
import ipaddress
from pathlib import Path

import pytest

from services import countries, errors

pytest.importorskip("maxminddb", reason="maxminddb is not installed.")
spec = importlib.util.spec_from_file_location("mmdb", Path(__file__).parent / "mmdb.py")
mmdb = importlib.util.module_from_spec(spec)
spec.loader.exec_module(mmdb)

NETWORKS = {
    "203.0.113.0/24": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}},
    "198.51.100.0/25": {"registered_country": {"iso_code": "US"}},
    "198.51.100.128/25": {"country": {"iso_code": "fr"}, "registered_country": {"iso_code": "US"}},
    "192.0.2.0/24": {"country": {"names": {"en": "Nowhere"}}},
    "2001:db8::/32": {"country": {"iso_code": "JP"}},
}


def opened(tmp_path, content):
    path = tmp_path / "countries.mmdb"
    path.write_bytes(content)
    return countries.Countries(path)


@pytest.mark.parametrize(
    ("address", "country"),
    [("203.0.113.9", "DE"), ("198.51.100.1", "US"), ("198.51.100.200", "FR"), ("192.0.2.1", None),
     ("8.8.8.8", None), ("2001:db8::7", "JP"), ("2001:db9::7", None), ("127.0.0.1", None), ("::1", None)],
)  # fmt: skip
def test_an_address_is_in_the_country_the_file_says(tmp_path, address, country):
    found = opened(tmp_path, mmdb.database(NETWORKS))
    assert found.of(ipaddress.ip_address(address)) == country
    found.close()


def test_an_ipv6_address_and_a_file_of_ipv4_are_no_failure(tmp_path):
    found = opened(tmp_path, mmdb.database({"203.0.113.0/24": {"country": {"iso_code": "DE"}}}, ip_version=4))
    assert found.of(ipaddress.ip_address("2001:db8::1")) is None
    assert found.of(ipaddress.ip_address("203.0.113.1")) == "DE"
    found.close()


def test_without_a_file_no_country_is_known():
    found = countries.Countries(None)
    assert found.of(ipaddress.ip_address("203.0.113.9")) is None
    found.close()


@pytest.mark.parametrize(
    "record",
    ["text", ["DE"], {"country": "DE"}, {"country": {"iso_code": ["DE"]}}, {"country": {"iso_code": "DEU"}}],
)
def test_a_file_of_something_else_says_nothing(tmp_path, record):
    found = opened(tmp_path, mmdb.database({"203.0.113.0/24": record}))
    assert found.of(ipaddress.ip_address("203.0.113.9")) is None
    found.close()


@pytest.mark.parametrize("content", [b"", b"nonsense", mmdb.MARK, b"\0" * 100 + mmdb.MARK + b"\xff"])
def test_a_file_that_is_no_database_is_said_at_the_start(tmp_path, content):
    with pytest.raises(errors.BadUserInput, match="CREATOR_GRAPH_GEOIP_DATABASE"):
        opened(tmp_path, content)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DE", "DE"),
        (" de ", "DE"),
        ("XX", None),
        ("T1", None),
        ("", None),
        (None, None),
        ("DEU", None),
        ("D\N{KELVIN SIGN}", None),
        ("ÄÖ", None),
    ],
)
def test_a_country_is_two_letters(text, code):
    assert countries.code(text) == code
