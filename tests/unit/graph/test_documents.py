"""What is kept of documents, all together."""

import pytest

import resolvers
from graph import documents


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
