"""What the composition root built, and where the app keeps it."""

from dataclasses import dataclass

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


PARTS = web.AppKey("parts", Parts)
REQUEST_ID = web.RequestKey("request_id", str)
