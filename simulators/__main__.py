"""Run the simulators by themselves: python -m simulators --help."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from simulators import app, apps, instagram_world


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    registered = apps.App(
        client_key=given.client_key,
        client_secret=given.client_secret,
        name=given.name,
        redirect_allowed=apps.exactly(*given.redirect_uri),
        pkce_required=given.pkce_required,
        webhook_url=given.webhook_url,
    )
    gram = instagram_world.App(
        client_id=given.client_key,
        client_secret=given.client_secret,
        name=given.name,
        redirect_allowed=apps.exactly(*given.redirect_uri),
        deauthorize_url=given.deauthorize_url,
        deletion_url=given.deletion_url,
    )
    application = app.create(
        [registered],
        instagram=[gram],
        youtube=[registered],
        state_path=given.state,
        control=given.control,
        profile=given.profile,
        token_error_status=given.token_error_status,
    )
    web.run_app(application, host=given.host, port=given.port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulators",
        description="Simulated TikTok, Instagram and YouTube, on /tiktok, /instagram and /youtube.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8090)
    add("--client-key", default="sim-client-key")
    add("--client-secret", required=True)
    add("--name", default="Creator Graph", help="what the consent page calls the app")
    add("--redirect-uri", action="append", required=True, help="may be given several times; matched exactly")
    add("--state", type=Path, help="SQLite file that keeps grants over a restart (default: memory)")
    add(
        "--pkce-required", action="store_true", help="a desktop app: refuse to start without a code_challenge"
    )
    add("--webhook-url", help="where the app's webhooks go")
    add("--deauthorize-url", help="where Instagram posts when a creator removes the app")
    add("--deletion-url", help="where Instagram posts when a creator asks for deletion")
    add("--profile", choices=sorted(apps.PROFILES), default="tiktok-2026-11")
    add("--token-error-status", type=int, choices=(200, 400), default=200)
    add("--control", action="store_true", help="serve POST /_control: for tests only")
    return parser


if __name__ == "__main__":
    main()
