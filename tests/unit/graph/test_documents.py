"""What is kept of documents, all together."""

import gc
from datetime import UTC, datetime
from uuid import UUID

import pytest

import resolvers
from graph import documents
from graph.planner import reading
from graph.planner.entities import ROOTS
from graph.planner.mapping import Read


def _text(n: int) -> str:
    return f"{{ a{n}: viewer {{ mode }} }}"  # 8 tokens


def test_documents_are_kept_up_to_a_number_of_tokens_and_the_least_used_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "MOST_TOKENS", 40)
    kept = documents.Documents(resolvers.engine().core)
    first = kept.operation(_text(0), None)
    assert first.document.token_count == 8
    for n in range(1, 5):
        kept.operation(_text(n), None)
    assert kept.operation(_text(0), None) is first  # five of eight are forty
    second = kept.operation(_text(2), None)
    kept.operation(_text(5), None)
    kept.operation(_text(6), None)  # 1 and 3 go for them
    assert kept.operation(_text(0), None) is first
    assert kept.operation(_text(2), None) is second
    assert len(kept._known) == 5
    kept.operation("{ viewer { " + "mode " * 30 + "} }", None)  # 35 tokens
    assert len(kept._known) == 1


def test_documents_that_go_are_freed_without_the_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_TOKENS", 1_000)
    kept = documents.Documents(resolvers.engine().core)
    fields = " ".join(f"a{n}: videos(first: 1) {{ nodes {{ id title }} }}" for n in range(40))
    gc.collect()
    gc.disable()
    try:
        for n in range(12):
            operation = kept.operation(f"{{ creators {{ nodes {{ {fields} }} }} }} #{n}", None)
            values = operation.declared.read({})
            (root,) = operation.roots(values)
            read = Read(UUID(int=1), True, datetime.now(UTC), values)
            reading.prepared(root, ROOTS["creators"], "Query").plan(read)
        assert len(kept._known) == 1
        assert gc.collect() < 12 * 100  # of 2,000 objects each; what is left is the assembler's own
    finally:
        gc.enable()
