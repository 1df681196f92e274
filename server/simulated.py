"""The simulated platforms as a part of our own service: with our registrations, and our addresses to come back to."""

from aiohttp import web

import simulators
from graph.context import Services
from server.settings import TEST_CLIENT, Settings
from services import connecting

NAME = "Creator Graph (test mode)"


def build(settings: Settings, services: Services) -> web.Application:
    """The simulated platforms, with our registrations: test mode's, and live mode's where it is pointed at them."""
    public = settings.public
    tiktok, instagram, youtube = (_redirects(services, name) for name in ("TIKTOK", "INSTAGRAM", "YOUTUBE"))
    test_secret, webhook = settings.test_client_secret(), f"{public}/webhooks/tiktok"
    tiktoks = [simulators.App(TEST_CLIENT, test_secret, NAME, tiktok, webhook_url=webhook)]
    if settings.tiktok_client_key and settings.tiktok_client_secret:
        secret = settings.tiktok_client_secret.get_secret_value()
        tiktoks.append(simulators.App(settings.tiktok_client_key, secret, NAME, tiktok, webhook_url=webhook))
    instagrams = [_simulated_instagram(TEST_CLIENT, test_secret, instagram, public)]
    if settings.instagram_client_id and settings.instagram_client_secret:
        secret = settings.instagram_client_secret.get_secret_value()
        instagrams.append(_simulated_instagram(settings.instagram_client_id, secret, instagram, public))
    youtubes = [simulators.App(TEST_CLIENT, test_secret, NAME, youtube)]
    if settings.youtube_client_id and settings.youtube_client_secret:
        secret = settings.youtube_client_secret.get_secret_value()
        youtubes.append(simulators.App(settings.youtube_client_id, secret, NAME, youtube))
    state = settings.data_dir / "simulators.sqlite"
    return simulators.create(tiktoks, instagram=instagrams, youtube=youtubes, state_path=state)


def _simulated_instagram(
    client_id: str, client_secret: str, redirects: simulators.Redirects, public: str
) -> simulators.InstagramApp:
    return simulators.InstagramApp(
        client_id,
        client_secret,
        NAME,
        redirects,
        deauthorize_url=f"{public}/webhooks/instagram/deauthorize",
        deletion_url=f"{public}/webhooks/instagram/deletion",
    )


def _redirects(services: Services, platform: str) -> simulators.Redirects:
    """What is registered at a platform: our callback, and what accounts listed. Else anyone could send browsers
    anywhere by way of our address.
    """

    async def registered(uri: str) -> bool:
        if uri == services.callback_url(platform):
            return True
        async with services.database.read() as connection:
            return await connecting.is_listed(connection, uri)

    return registered
