"""What schemathesis must know of us: real ids, the one scalar it does not know, and what a server error is.

Its own check takes every error at a field for the server's fault; ours takes those for it that are.
"""

import json
import os

import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

IDS = json.loads(os.environ["CONFORMANCE_IDS"])
OURS = {"INTERNAL", "TIMEOUT", "UNAVAILABLE", "NOT_IMPLEMENTED"}

schemathesis.graphql.scalar("ID", st.sampled_from(IDS).map(nodes.String))
schemathesis.graphql.scalar("URL", (st.just("https://a.example/") | st.text(max_size=50)).map(nodes.String))


@schemathesis.check
def no_fault_of_ours(ctx, response, case):
    told = response.json()
    codes = [error["extensions"]["code"] for error in told.get("errors", [])]
    assert response.status_code < 500, codes
    assert not OURS & set(codes), codes
    assert "data" in told or codes
    assert response.headers["x-request-id"]
