"""Lists as PostgreSQL itself writes them: made in a quarter of the time that the driver takes for an array."""

from collections.abc import Sequence
from typing import Any

import orjson


def listed(values: Sequence[Any]) -> str:
    """Whole numbers, booleans, ids, texts without control characters, and nulls: for `$1::text::bigint[]` and its like.

    That is JSON in other brackets. Control characters would lose their backslash.
    """
    return f"{{{orjson.dumps(values, default=str)[1:-1].decode()}}}"
