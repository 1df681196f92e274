"""What the composition root built, and where the app keeps it."""

import functools
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from graph.context import Services
from graph.persisted import Persisted
from graph.schema import Engine
from server.connections import Connections
from server.settings import Settings
from services.countries import Countries
from services.sockets import Sockets


@dataclass(frozen=True)
class Parts:
    settings: Settings
    services: Services
    engine: Engine
    countries: Countries
    persisted: Persisted
    sockets: Sockets
    connections: Connections
    heard: dict[Any, Any] = field(default_factory=dict, repr=False)
    """See server.heard: what requests' headers said."""


PARTS = web.AppKey("parts", Parts)
REQUEST_ID = web.RequestKey("request_id", str)
MAY_CANCEL = web.RequestKey("may_cancel", functools.partial)
"""Set where a handler may be cancelled when its client leaves, if this says so: reads may, what writes may not."""
