"""What the composition root built, and where the app keeps it."""

from dataclasses import dataclass

from aiohttp import web

from graph.context import Services
from graph.schema import Engine
from server.settings import Settings
from services.countries import Countries


@dataclass(frozen=True)
class Parts:
    settings: Settings
    services: Services
    engine: Engine
    countries: Countries


PARTS = web.AppKey("parts", Parts)
REQUEST_ID = web.RequestKey("request_id", str)
