"""What the pages tell to send fits the schema: whoever copies it gets an answer."""

import re
from pathlib import Path

import pytest
from graphql import parse, validate

import resolvers

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/*.md")),
]
SCHEMA = resolvers.engine().core
FENCED = re.compile(r"```graphql\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:mutation|query|subscription)? ?\{ [^`]*\})`")
FIELD = re.compile(r"`([a-z]\w*\([^`)]*\) \{[^`]*\})`")


def operations(page):
    text = page.read_text()
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = (
        FENCED.findall(text) + INLINE.findall(plain) + [f"{{ {field} }}" for field in FIELD.findall(plain)]
    )
    return [text.replace("{ … }", "{ __typename }") for text in found if "input: {…}" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_operation_on_a_page_fits_the_schema(page):
    for text in operations(page):
        assert validate(SCHEMA, parse(text)) == [], text


def test_there_are_operations_to_check():
    counts = {page.name: len(operations(page)) for page in PAGES}
    assert counts["credentials.md"] > 5
    assert counts["coming-from.md"] > 15
