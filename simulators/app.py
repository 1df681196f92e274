"""Puts the simulated platforms together."""

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from simulators import apps, faults, outbox, state, tiktok, tiktok_pages, window, world
from simulators import clock as clocks
from simulators import control as switchboard


def create(
    registered: Sequence[apps.App],
    *,
    state_path: Path | None = None,
    clock: clocks.Clock | None = None,
    control: bool = False,
    profile: str = "tiktok-2026-11",
    token_error_status: int = 200,
) -> web.Application:
    """The simulators as one application: TikTok under /tiktok, the list of creators at /.

    With `control`, anyone who reaches POST /_control may break it: for tests only. What a test in the same
    process wants to hold is `application[simulators.WORLD]`.
    """
    shared = world.World(
        apps={app.client_key: app for app in registered},
        state=state.State(state_path),
        clock=clock or clocks.Clock(),
        knobs=world.Knobs(apps.PROFILES[profile], token_error_status),
        faults=faults.Faults(),
        window=window.Window(),
        outbox=outbox.Outbox(),
    )
    application = web.Application(client_max_size=64 * 1024)
    application[world.WORLD] = shared
    application.add_subapp("/tiktok", tiktok.application(shared))
    application.router.add_get("/", _creators)
    if control:
        application.router.add_post("/_control", switchboard.turn)
    application.on_cleanup.append(_close)
    return application


async def _creators(request: web.Request) -> web.Response:
    return tiktok_pages.directory(request.app[world.WORLD].clock.now())


async def _close(application: web.Application) -> None:
    await application[world.WORLD].outbox.close()
    application[world.WORLD].state.close()
