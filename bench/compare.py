"""Whether two answers say the same: ids, numbers and instants are compared by meaning, cursors left out."""

import re
from datetime import UTC, datetime
from typing import Any

CURSORS = {"cursor", "startCursor", "endCursor"}
_ID = re.compile(
    r"(?:[a-z]{3}_)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\Z"
)
_NUMBER = re.compile(r"-?\d{1,19}\Z", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)\Z", re.ASCII)


def normal(value: Any) -> Any:
    """A value as it is compared: cursors gone, `stats` lifted into its owner, texts read as what they mean."""
    if isinstance(value, dict):
        if value.keys() == {"nodes"}:  # a list that a peer can only give as a connection
            return normal(value["nodes"])
        lifted = {**value, **(value.get("stats") or {})}
        return {key: normal(item) for key, item in lifted.items() if key not in CURSORS and key != "stats"}
    if isinstance(value, list):
        return [normal(item) for item in value]
    return _meaning(value) if isinstance(value, str) else value


def difference(found: Any, wanted: Any, path: str = "") -> str | None:
    """Where two normal values first differ, in words; None when they are the same."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        return _of_objects(found, wanted, path)
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) != len(wanted):
            return f"{path}: {len(found)} entries instead of {len(wanted)}"
        pairs = zip(found, wanted, strict=True)
        found_ones = (difference(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(pairs))
        return next((one for one in found_ones if one), None)
    same = found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
    return None if same else f"{path}: {found!r} instead of {wanted!r}"


def _of_objects(found: dict[str, Any], wanted: dict[str, Any], path: str) -> str | None:
    if found.keys() != wanted.keys():
        return f"{path}: fields {sorted(found.keys() ^ wanted.keys())} on one side only"
    found_ones = (difference(found[key], wanted[key], f"{path}.{key}") for key in wanted)
    return next((one for one in found_ones if one), None)


def _meaning(text: str) -> Any:
    if match := _ID.match(text):
        return "".join(match.groups())
    if _NUMBER.match(text):
        return int(text)
    if _INSTANT.match(text):
        at = datetime.fromisoformat(text.replace(" ", "T")).astimezone(UTC)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
    return text
