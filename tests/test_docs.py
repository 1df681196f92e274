"""What the pages must mention, so that nobody meets it unexplained."""

import inspect
from pathlib import Path

import pytest

from server import webhooks
from server.settings import Settings
from services import errors
from services.platforms import instagram, tiktok, youtube

DOCS = Path(__file__).parents[1] / "docs"
CODES = sorted(
    {
        kind.code
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.ServiceError)
    }
)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained(name):
    assert f"CREATOR_GRAPH_{name.upper()}" in (DOCS / "settings.md").read_text()


@pytest.mark.parametrize("code", CODES)
def test_every_error_code_is_explained(code):
    assert code in (DOCS / "errors.md").read_text()


def test_the_way_to_live_mode_names_every_scope_asked_for_and_every_address_that_platforms_post_to(tmp_path):
    """In code, so whole: one address is the beginning of another."""
    told = (DOCS.parent / "README.md").read_text()
    asked = {*tiktok.SCOPES, *instagram.SCOPES, *youtube.SCOPES}
    posted = {
        route.path
        for route in webhooks.Webhooks(Settings(data_dir=tmp_path)).routes()
        if route.method == "POST"
    }
    assert len(posted) == 3
    assert not [name for name in asked | posted if f"`{name}`" not in told]
