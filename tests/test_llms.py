"""llms.txt: of the form that llmstxt.org describes, whole, and without a dead link."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "llms.txt").read_text()
ENTRY = re.compile(r"- \[[^\]]+\]\(([^)]+)\): \S.*")


def test_llms_txt_lists_every_page_and_nothing_that_is_not_there():
    opening, *sections = re.split(r"^## .+\n", TEXT, flags=re.MULTILINE)
    assert re.match(r"# [^\n]+\n\n> [^\n]+\n", opening)
    lines = [line for section in sections for line in section.splitlines() if line]
    entries = [ENTRY.fullmatch(line) for line in lines]
    assert all(entries), [line for line, entry in zip(lines, entries, strict=True) if not entry]
    linked = [entry[1] for entry in entries]
    assert [link for link in linked if not (ROOT / link).exists()] == []
    assert len(set(linked)) == len(linked)
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/README.md")]
    missing = {str(page.relative_to(ROOT)) for page in pages} - set(linked)
    assert not missing, "a line about each is wanted in llms.txt"
