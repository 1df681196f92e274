"""Prices and scopes where explorers look: introspection carries no directives, so its descriptions say them."""

from graphql import get_introspection_query, graphql_sync

import resolvers


def test_introspection_tells_every_price_and_scope_in_its_descriptions():
    engine = resolvers.engine()
    answer = graphql_sync(engine.core, get_introspection_query())
    told = {}
    for kind in answer.data["__schema"]["types"]:
        told[kind["name"]] = kind["description"] or ""
        told |= {f"{kind['name']}.{field['name']}": field["description"] for field in kind["fields"] or ()}
    for coordinate, weight in engine.policy.weights.items():
        assert f"(`{weight / 1000:g} credit" in told[coordinate], coordinate
    for coordinate, scope in engine.policy.scopes.items():
        assert f"needs `{scope}`)" in told[coordinate], coordinate
    assert told["Query.creators"] == "All connected creators. (`1 credit` each, needs `CREATORS_READ`)"
    assert told["VideoEdge.node"] == "The video. (`0.1 credits`, needs `VIDEOS_READ`)"
    assert told["Mutation.createApiKey"].endswith("(`1 credit`, needs `KEYS_WRITE`)")
    assert told["Mutation.disconnectCreator"].endswith("Free. (needs `CREATORS_WRITE`)")
    assert told["Query.viewer"] == "Who is asking. Free."
