"""Which country an address is in, from a MaxMind database file where one is configured."""

from pathlib import Path
from typing import Any

from services import addresses, errors


class Countries:
    """Look-ups in one file, opened once. Without a file, or where it says nothing, the country is not known."""

    def __init__(self, path: Path | None = None) -> None:
        self._reader: Any = _opened(path) if path else None

    def of(self, address: addresses.Address) -> str | None:
        """ISO 3166-1 alpha-2."""
        if self._reader is None:
            return None
        try:
            found = self._reader.get(str(address))
        except ValueError:  # an IPv6 address and a file of IPv4, or a file that is damaged inside
            return None
        return code(_inside(found, "country") or _inside(found, "registered_country"))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


def code(text: object) -> str | None:
    """Two letters, in capitals; None for anything else, and for what proxies write for "not known"."""
    plain = text.strip().upper() if isinstance(text, str) else ""
    return (
        plain if len(plain) == len("DE") and plain.isascii() and plain.isalpha() and plain != "XX" else None
    )


def _inside(found: Any, name: str) -> Any:
    part = found.get(name) if isinstance(found, dict) else None
    return part.get("iso_code") if isinstance(part, dict) else None


def _opened(path: Path) -> Any:
    """Raises BadUserInput with what is wrong with the file."""
    try:
        import maxminddb  # noqa: PLC0415 -- only where a file is configured
    except ModuleNotFoundError:
        raise errors.BadUserInput(
            "CREATOR_GRAPH_GEOIP_DATABASE needs the package maxminddb.", remedy="pip install maxminddb"
        ) from None
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise errors.BadUserInput(
            f"CREATOR_GRAPH_GEOIP_DATABASE: {path} cannot be read as a MaxMind database ({type(error).__name__}).",
            remedy="Give the path of a .mmdb file with countries.",
        ) from None
