"""Where live and test mode ask about public videos, and whose messages to us are believed."""

from collections.abc import Mapping

from server.settings import TEST_CLIENT, Settings
from services.platform_events import Registration
from services.platforms import client, oembed


def oembeds(
    settings: Settings, http: client.Client
) -> Mapping[tuple[str, bool], tuple[oembed.Source, client.Client]]:
    """The oEmbed endpoints: the only addresses fetchVideo ever contacts."""
    app = f"{TEST_CLIENT}|{settings.test_client_secret()}"
    simulator = settings.simulator
    sources = {
        ("TIKTOK", False): oembed.Source("TIKTOK", f"{simulator}/tiktok/oembed"),
        ("YOUTUBE", False): oembed.Source("YOUTUBE", f"{simulator}/youtube/oembed"),
        ("INSTAGRAM", False): oembed.Source("INSTAGRAM", f"{simulator}/instagram/instagram_oembed", app),
        ("TIKTOK", True): oembed.Source("TIKTOK", settings.tiktok_oembed_url),
        ("YOUTUBE", True): oembed.Source("YOUTUBE", settings.youtube_oembed_url),
    }
    if settings.instagram_oembed_token:
        token = settings.instagram_oembed_token.get_secret_value()
        sources["INSTAGRAM", True] = oembed.Source("INSTAGRAM", settings.instagram_oembed_url, token)
    return {place: (source, http) for place, source in sources.items()}


def registrations(settings: Settings) -> tuple[Registration, ...]:
    """Our apps at the platforms that push to us, in both worlds."""
    secret = settings.test_client_secret()
    found = [
        Registration("TIKTOK", False, TEST_CLIENT, secret),
        Registration("INSTAGRAM", False, TEST_CLIENT, secret),
    ]
    if settings.tiktok_client_key and settings.tiktok_client_secret:
        secret = settings.tiktok_client_secret.get_secret_value()
        found.append(Registration("TIKTOK", True, settings.tiktok_client_key, secret))
    if settings.instagram_client_id and settings.instagram_client_secret:
        secret = settings.instagram_client_secret.get_secret_value()
        found.append(Registration("INSTAGRAM", True, settings.instagram_client_id, secret))
    return tuple(found)
