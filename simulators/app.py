"""Puts the simulated platforms together."""

from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from simulators import (
    apps,
    faults,
    instagram_state,
    instagram_world,
    outbox,
    state,
    tiktok,
    tiktok_pages,
    window,
    world,
    youtube_state,
    youtube_world,
)
from simulators import clock as clocks
from simulators import control as switchboard
from simulators import instagram as instagrams
from simulators import youtube as youtubes


def create(
    registered: Sequence[apps.App],
    *,
    state_path: Path | None = None,
    clock: clocks.Clock | None = None,
    control: bool = False,
    profile: str = "tiktok-2026-11",
    token_error_status: int = 200,
    instagram: Sequence[instagram_world.App] = (),
    youtube: Sequence[apps.App] = (),
) -> web.Application:
    """The simulators as one application: /tiktok, /instagram and /youtube, the creators at /.

    With `control`, anyone who reaches POST /_control (and /instagram/_control, /youtube/_control) may break
    it: for tests only. What a test in the same process wants to hold is `application[simulators.WORLD]`,
    `application[simulators.INSTAGRAM]` or `application[simulators.YOUTUBE]`.
    """
    ticking = clock or clocks.Clock()
    shared = world.World(
        apps={app.client_key: app for app in registered},
        state=state.State(state_path),
        clock=ticking,
        knobs=world.Knobs(apps.PROFILES[profile], token_error_status),
        faults=faults.Faults(),
        window=window.Window(),
        outbox=outbox.Outbox(),
    )
    application = web.Application(client_max_size=64 * 1024)
    application[world.WORLD] = shared
    application.add_subapp("/tiktok", tiktok.application(shared))
    gram = instagrams.world_of(instagram, instagram_state.Ledger(state_path), ticking)
    application[instagram_world.WORLD] = gram
    application.add_subapp("/instagram", instagrams.application(gram, control=control))
    google = youtube_world.build(youtube, youtube_state.State(state_path), ticking, shared.faults)
    application[youtube_world.YOUTUBE] = google
    application.add_subapp("/youtube", youtubes.application(google, control=control))
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
    application[youtube_world.YOUTUBE].state.close()
