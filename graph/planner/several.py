"""A statement for one request made into one for several: each its own run over a row of their arguments."""

import re

from db.gathered import Several

_BIND = re.compile(r"\$(\d+)(?:::(\w+)(\[\])?)?")
# Types whose values stand in an array as they stand alone. An array in an array would be taken apart.
_NOTED = {"UUID", "BOOLEAN", "INTEGER", "BIGINT"}  # and need no quotes there (db.notation)
_SCALAR = _NOTED | {"VARCHAR", "TEXT"}


def for_several(sql: str) -> Several | None:
    """The same rows, run after run, each with the number of its run last; None where a bind is no plain value."""
    types: dict[int, str] = {}
    for number, kind, array in _BIND.findall(sql):
        if array or kind not in _SCALAR:
            return None
        types[int(number)] = kind
    if sorted(types) != list(range(1, len(types) + 1)):
        return None
    noted = tuple(types[number] in _NOTED for number in sorted(types))
    arrays = ", ".join(
        f"${number}::{'TEXT::' if text else ''}{types[number]}[]" for number, text in enumerate(noted, 1)
    )
    names = ", ".join(f"p{number}" for number in sorted(types))
    one = _BIND.sub(lambda bind: f"runs.p{bind[1]}", sql)
    return Several(
        f"SELECT one.*, runs.number\nFROM unnest({arrays}) WITH ORDINALITY AS runs ({names}, number)\n"
        f"CROSS JOIN LATERAL ({one}) AS one",
        noted,
    )
