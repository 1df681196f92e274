"""What the pages must mention, so that nobody meets it unexplained."""

import inspect
from pathlib import Path

import pytest

from server.settings import Settings
from services import errors

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
