"""A request's members, whatever carried them."""

import pytest

from server import received
from services import errors


def asked(**parameters):
    return received.asked(parameters, {}, None, None, "req_1")


def test_an_empty_text_beside_a_documents_id_or_hash_is_none():
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": "a" * 64}}
    for given in ({"documentId": "sha256:" + "a" * 64}, {"extensions": persisted}):
        for text in ({}, {"query": None}, {"query": ""}):
            assert asked(**given, **text).query == ""
        for wrong in ([], {}, 0, False, " "):
            with pytest.raises(errors.BadRequest):
                asked(**given, query=wrong)
    for nothing in (None, "", " ", []):
        with pytest.raises(errors.BadRequest):
            asked(query=nothing)
