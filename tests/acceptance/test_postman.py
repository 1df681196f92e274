"""examples/postman: the collection has Postman's form, holds no secret, and every request of it works, from top to bottom."""

import json
import re
import uuid
from collections.abc import Iterator
from functools import reduce
from typing import Any

from graphql import parse, validate

import resolvers
from server.settings import ROOT

FOLDER = ROOT / "examples/postman"
COLLECTION = json.loads((FOLDER / "creator-graph.postman_collection.json").read_text())
ENVIRONMENT = json.loads((FOLDER / "creator-graph.postman_environment.json").read_text())
FORM = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
VARIABLE = re.compile(r"\{\{(\$?\w+)\}\}")
KEPT = re.compile(r'pm\.environment\.set\("(\w+)", pm\.response\.json\(\)\.data\.([\w.\[\]]+)\);')


def requests(items: list[dict[str, Any]] = COLLECTION["item"]) -> Iterator[dict[str, Any]]:
    """Every request, in order, out of its folder."""
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


def filled(text: str, values: dict[str, str]) -> str:
    """As Postman puts variables in: what is not known or empty is a mistake."""
    known = values | {"$guid": str(uuid.uuid4())}
    found = VARIABLE.sub(lambda match: known[match[1]], text)
    assert all(known[name] for name in VARIABLE.findall(text)), text
    return found


def kept(item: dict[str, Any], data: Any) -> dict[str, str]:
    """What a request's script takes from its answer."""
    lines = [line for event in item.get("event", []) for line in event["script"]["exec"]]
    pairs = [KEPT.fullmatch(line).groups() for line in lines]
    steps = {name: re.findall(r"\w+", path) for name, path in pairs}
    return {
        name: reduce(lambda at, step: at[int(step) if step.isdigit() else step], path, data)
        for name, path in steps.items()
    }


def test_the_collection_has_postmans_form_and_no_secret():
    info, auth = COLLECTION["info"], {one["key"]: one["value"] for one in COLLECTION["auth"]["apikey"]}
    assert (info["schema"], bool(info["name"])) == (FORM, True)
    assert auth == {"key": "X-API-Key", "value": "{{apiKey}}", "in": "header"}
    for item in requests():
        request = item["request"]
        assert set(item) <= {"name", "event", "request"}
        assert set(request) == {"method", "header", "url", "description", "body"}
        assert request["url"] == {"raw": "{{url}}/graphql", "host": ["{{url}}"], "path": ["graphql"]}
        assert all(set(header) <= {"key", "value", "description"} for header in request["header"])
        assert (request["method"], request["body"]["mode"]) == ("POST", "graphql")
        assert validate(resolvers.engine().core, parse(request["body"]["graphql"]["query"])) == []
    assert len({item["name"] for item in requests()}) == len(list(requests()))
    secrets = [one for one in ENVIRONMENT["values"] if one["type"] == "secret"]
    assert [(one["key"], one["value"]) for one in secrets] == [("apiKey", "")]
    assert not re.search(r"(sk_(live|test)_|eyJ)\w", json.dumps([COLLECTION, ENVIRONMENT]))


async def test_the_collection_runs_from_top_to_bottom(service):
    service.work()
    values = {one["key"]: one["value"] for one in ENVIRONMENT["values"]} | {
        "url": service.url,
        "apiKey": service.test,
    }
    for item in requests():
        request, graphql = item["request"], item["request"]["body"]["graphql"]
        variables = json.loads(filled(graphql["variables"] or "{}", values))
        headers = {header["key"]: filled(header["value"], values) for header in request["header"]}
        answer = await service.ask(graphql["query"], variables, headers=headers)
        assert answer.status == 200, item["name"]
        values |= kept(item, answer.data)
        if "connectCreator" in answer.data:  # the step that a person does in a browser
            await service.land(await service.decide(answer.data["connectCreator"]["authUrl"], "sim.twenty"))
        if "syncCreator" in answer.data:
            assert answer.data["syncCreator"]["sync"]["status"] == "SUCCEEDED"
    assert answer.data["disconnectCreator"]["erased"]["videos"] == 20
