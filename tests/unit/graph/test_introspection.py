"""What explorers and generators may ask of the schema itself, past the one query that all of them send."""

from graphql import graphql_sync

import resolvers

ASKED = """{
  query: __type(name: "Query") { isOneOf fields { type { isOneOf ofType { isOneOf } } args { type { isOneOf } } } }
  input: __type(name: "ConnectCreatorInput") { isOneOf }
  text: __type(name: "String") { isOneOf }
}"""


def test_every_type_tells_whether_it_is_one_of_several_inputs_lists_and_non_nulls_too():
    answer = graphql_sync(resolvers.engine().core, ASKED)
    assert answer.errors is None
    assert answer.data["input"] == {"isOneOf": False}
    assert answer.data["text"] == {"isOneOf": None}
    assert {field["type"]["isOneOf"] for field in answer.data["query"]["fields"]} == {None}
