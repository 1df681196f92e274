"""What the pages must mention, so that nobody meets it unexplained."""

import ast
import re
from pathlib import Path

import pytest

from graph.documents import DocumentRefused
from server import sockets, webhooks
from server.settings import Settings
from services import errors
from services.platforms import instagram, registry, tiktok, youtube

DOCS = Path(__file__).parents[1] / "docs"
ROWS = re.compile(r"^\| `([A-Z_]+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
# 200: in an answer that has data. The others are told where no operation is read: server/wire.py, server/view.py.
ELSEWHERE = {"BAD_REQUEST": {417}, "NOT_FOUND": {404}}


assert issubclass(sockets.WrongVersion, errors.BadRequest)  # all that have a status of their own are loaded


def kinds(kind=errors.ServiceError):
    return {kind}.union(*map(kinds, kind.__subclasses__()))


def promised():
    """Of each code: its statuses but 200, and the reasons that its classes tell of."""
    found = {}
    for kind in kinds() - {DocumentRefused}:  # one class for the codes of all three kinds of refusal
        statuses, reasons = found.setdefault(kind.code, (set(), set()))
        statuses |= {kind.status} | ELSEWHERE.get(kind.code, set())
        told = re.search(r"reason: ([A-Z_, ]+)", kind.__doc__ or "")
        reasons |= set(re.findall(r"[A-Z_]+", told[1])) if told else set()
    return {code: (statuses - {200}, reasons) for code, (statuses, reasons) in found.items()}


def explained():
    """The same of the page."""
    found = {}
    for code, statuses, when in ROWS.findall((DOCS / "errors.md").read_text()):
        reasons = set(re.findall(r"`([A-Z_]{2,})`", when.partition("`reason`")[2]))
        found[code] = {int(status) for status in re.findall(r"\d{3}", statuses)} - {200}, reasons
    return found


def literals():
    """Every reason that stands in the code beside an error."""
    for path in (
        path
        for folder in ("graph", "resolvers", "server", "services")
        for path in (DOCS.parent / folder).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            for given in node.keywords if isinstance(node, ast.Call) else ():
                if given.arg == "reason" and isinstance(given.value, ast.Constant):
                    yield given.value.value


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_explained(name):
    assert f"CREATOR_GRAPH_{name.upper()}" in (DOCS / "settings.md").read_text()


def test_every_error_is_explained_with_its_statuses_and_reasons_and_no_other():
    told = explained()
    assert told == promised()
    assert set(literals()) <= set.union(*(reasons for _, reasons in told.values()))
    assert {meaning[0] for meaning in registry._MEANINGS.values()} <= told["PLATFORM_ERROR"][1]


def test_every_decision_has_a_number_of_its_own_and_says_it():
    pages = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    said = [re.match(r"# (\d+)\. ", page.read_text()) for page in pages]
    assert [int(number[1]) if number else None for number in said] == numbers


def test_no_comment_cites_a_page_that_is_not_there():
    told = re.compile(r"\b([a-z_-]+\.md)\b")
    cited = {
        (path.name, page)
        for folder in ("bench", "db", "graph", "resolvers", "server", "services", "simulators", "tests")
        for path in (DOCS.parent / folder).rglob("*.py")
        if "node_modules" not in path.parts and "site-packages" not in path.parts and path != Path(__file__)
        for page in told.findall(path.read_text())
    }
    there = {page.name for page in (*DOCS.glob("*.md"), *DOCS.parent.glob("*.md"))}
    assert not {(name, page) for name, page in cited if page not in there}


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
