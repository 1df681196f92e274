"""The platforms' connectors, of both worlds: the same code, other hosts, credentials and budgets."""

from collections.abc import Mapping

import aiohttp

from server import outside
from server.settings import TEST_CLIENT, Settings
from services import budgets, pauses
from services.platforms import base, registry
from services.platforms.client import Client
from services.platforms.instagram import Instagram
from services.platforms.tiktok import TikTok
from services.platforms.youtube import YouTube

API_SHARE, WORKER_SHARE, SCHEDULED_SHARE = 0.95, 0.9, 0.75
"""Of a platform's limit. What workers leave is for connects, where somebody waits and a code is used up; what

scheduled syncs leave is for first reads and for syncs that somebody asked for.
"""
API_PATIENCE = 3.0


def build(settings: Settings, http: aiohttp.ClientSession, meters: budgets.Budgets) -> registry.Platforms:
    """Test mode's always; live mode's where its app is configured."""
    client = Client(http)
    connectors: dict[tuple[str, bool], base.Connector] = {}
    for livemode, apps in ((False, _test_apps(settings)), (True, _live_apps(settings))):
        gates = {name: pauses.Gate(meters.database, name, livemode) for name in apps}
        if "TIKTOK" in apps:
            spend = meters.a_minute("TIKTOK", livemode, settings.tiktok_requests_per_minute)
            connectors["TIKTOK", livemode] = TikTok(apps["TIKTOK"], client, spend=spend, gate=gates["TIKTOK"])
        if "INSTAGRAM" in apps:  # counts nothing: Instagram's answers say how much is left
            connectors["INSTAGRAM", livemode] = Instagram(apps["INSTAGRAM"], client, gate=gates["INSTAGRAM"])
        if "YOUTUBE" in apps:
            units = meters.a_pacific_day("YOUTUBE", livemode, settings.youtube_units_per_day)
            connectors["YOUTUBE", livemode] = YouTube(
                apps["YOUTUBE"], client, spend=units, gate=gates["YOUTUBE"]
            )
    return registry.Platforms(connectors, outside.oembeds(settings, client))


def _test_apps(settings: Settings) -> Mapping[str, base.App]:
    """Our registrations at the simulated platforms, which have all their hosts under one address."""
    apps = {}
    for name in ("tiktok", "instagram", "youtube"):
        address = f"{settings.simulator}/{name}"
        apps[name.upper()] = base.App(
            TEST_CLIENT, settings.test_client_secret(), auth_url=address, api_url=address
        )
    return apps


def _live_apps(settings: Settings) -> Mapping[str, base.App]:
    apps = {}
    if settings.tiktok_client_key and settings.tiktok_client_secret:
        apps["TIKTOK"] = base.App(
            client_id=settings.tiktok_client_key,
            client_secret=settings.tiktok_client_secret.get_secret_value(),
            auth_url=settings.tiktok_auth_url,
            api_url=settings.tiktok_api_url,
        )
    if settings.instagram_client_id and settings.instagram_client_secret:
        apps["INSTAGRAM"] = base.App(
            client_id=settings.instagram_client_id,
            client_secret=settings.instagram_client_secret.get_secret_value(),
            auth_url=settings.instagram_auth_url,
            api_url=settings.instagram_api_url,
            token_url=settings.instagram_token_url,
        )
    if settings.youtube_client_id and settings.youtube_client_secret:
        apps["YOUTUBE"] = base.App(
            client_id=settings.youtube_client_id,
            client_secret=settings.youtube_client_secret.get_secret_value(),
            auth_url=settings.youtube_auth_url,
            api_url=settings.youtube_api_url,
            token_url=settings.youtube_token_url,
        )
    return apps
