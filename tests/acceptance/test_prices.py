"""The three ways to ask a price say the same, and no answer costs more."""

import json
import random
import re

from graph import limits

PRICE = "query($q: String!, $v: String!) { price(query: $q, variables: $v) { max base affordable } }"
OPERATIONS = 60


class Writer:
    """Operations of many forms: lists in lists, aliases, fragments, pages by variables, switches, nothing found.

    `full`: no page asks for more than one creator with 20 videos has, and all is found.
    """

    def __init__(self, seed, ids, *, full=False):
        self.random, self.ids, self.full = random.Random(seed), ids, full
        self.variables, self.aliases = {}, 0

    def operation(self):
        roots = " ".join(self.root() for _ in range(self.random.randint(1, 3)))
        used = {name: what for name, what in self.variables.items() if re.search(rf"\${name}\b", roots)}
        declared = ", ".join(f"${name}: {kind}" for name, (kind, _) in used.items())
        head = f"query Q({declared}) " if declared else ""
        return head + "{ " + roots + " }", {name: value for name, (_, value) in used.items()}

    def root(self):
        self.aliases += 1
        return (
            f"a{self.aliases}: "
            + self.random.choice((self.creators, self.videos, self.nodes, self.one, self.free))()
        )

    def value(self, kind, value):
        if self.random.random() < 0.4:
            name = f"v{len(self.variables)}"
            self.variables[name] = (kind, value)
            return f"${name}"
        return json.dumps(value)

    def page(self, most=30, there=20):
        most = min(most, there) if self.full else most
        return f"({self.random.choice(('first', 'last'))}: {self.value('Int', self.random.randint(1, most))})"

    def creators(self):
        return f"creators{self.page(there=1)} {{ {self.connection(self.creator())} }}"

    def videos(self):
        return f"videos{self.page()} {{ {self.connection('id title creator { username }')} }}"

    def nodes(self):
        ids = [self.random.choice(self.ids) for _ in range(self.random.randint(1, 5))]
        return f"nodes(ids: {self.value('[ID!]!', ids)}) {{ id ... on Creator {{ {self.creator()} }} }}"

    def one(self):
        return f"creator(id: {self.value('ID!', self.random.choice(self.ids[1:]))}) {{ {self.creator()} }}"

    def free(self):
        return self.random.choice(
            ("viewer { mode }", "plans { name }", "rateLimit { limit }", "credits { remaining }")
        )

    def creator(self):
        if self.random.random() < 0.4:
            return "id username"
        switch = f" @include(if: {self.value('Boolean!', self.random.random() < 0.7)})"
        return f"id videos{self.page(20)}{switch} {{ {self.connection('id views')} }}"

    def connection(self, node):
        return self.random.choice((
            f"nodes {{ {node} }}", "edges { cursor }", f"edges {{ b: node {{ {node} }} }} nodes {{ id }}", "totalCount",
        ))  # fmt: skip


async def test_no_answer_costs_more_than_its_quote_and_all_quotes_are_one(service):
    creators = [await service.connected(name, key=service.live) for name in ("sim.twenty", "sim.single")]
    video = (await service.data("{ videos(first: 1) { nodes { id } } }", key=service.live))["videos"][
        "nodes"
    ][0]
    ids = [video["id"], *creators, "crt_" + "0" * 32]
    equal = 0
    for seed in range(OPERATIONS):
        text, variables = Writer(seed, ids).operation()
        told = (await service.data(PRICE, {"q": text, "v": json.dumps(variables)}, key=service.live))["price"]
        most = told["max"]
        quoted = await service.ask(text, variables, key=service.live, headers={"X-Credits-Quote": "only"})
        assert (quoted.credits["max"], quoted.credits["charged"]) == (most, 0), text
        if most:
            low = {"X-Credits-Max": str(most - 1)}
            refused = await service.ask(text, variables, key=service.live, headers=low)
            assert (refused.code, refused.credits["charged"]) == ("PRICE_EXCEEDS_MAXIMUM", 0), text
        before, _ = await service.ledger()
        answer = await service.ask(text, variables, key=service.live, headers={"X-Credits-Max": str(most)})
        after, _ = await service.ledger()
        assert "errors" not in answer.body, (text, answer.body)
        assert answer.credits["max"] == most
        assert before - after == answer.credits["charged"] <= most, text
        assert answer.credits["charged"] >= told["base"], text
        equal += answer.credits["charged"] == most
    assert 0 < equal < OPERATIONS  # full pages cost what was quoted, short ones less


async def test_when_every_page_is_full_the_charge_is_the_quote(service):
    creator = await service.connected("sim.twenty", key=service.live)
    videos = await service.data("{ videos(first: 3) { nodes { id } } }", key=service.live)
    ids = [*(node["id"] for node in videos["videos"]["nodes"]), creator, creator]
    paid = set()
    for seed in range(OPERATIONS // 2):
        writer = Writer(seed, ids, full=True)
        writer.one = writer.creators  # whose id may be of the other kind
        text, variables = writer.operation()
        answer = await service.ask(text, variables, key=service.live)
        assert answer.credits["charged"] == answer.credits["max"], (text, variables, answer.body)
        paid.add(answer.credits["charged"])
    assert len(paid) > 5


async def test_affordable_is_what_balance_and_the_keys_own_limit_cover(service):
    async def affordable(key, first=3):
        asked = {"q": f"{{ creators(first: {first}) {{ nodes {{ id }} }} }}", "v": "{}"}
        return (await service.data(PRICE, asked, key=key))["price"]["affordable"]

    own = (await service.key("LIVE", monthly_credits=3)).secret
    assert (await affordable(service.live), await affordable(own), await affordable(service.test)) == (
        True,
    ) * 3
    await service.data("{ creators { totalCount } }", key=own)  # 2 of its 3 are left
    assert (await affordable(service.live), await affordable(own)) == (True, False)
    assert await affordable(own, first=2)
    refilled = await service.key("LIVE", monthly_credits=9)
    await service.update(credits=3)  # of which 1 is spent
    assert (await affordable(refilled.secret), await affordable(service.live)) == (False, False)
    assert await affordable(service.test)


async def test_variables_that_are_no_json_object_are_the_askers_mistake(service):
    """Read as an HTTP body is: nothing deep, endless or unpaired is taken for a fault of ours."""
    query = "query($s: String) { creatorBy(platform: TIKTOK, username: $s) { id } }"
    for text in (
        "[" * 100_000, '{"s": ' + "[" * 5_000 + "]" * 5_000 + "}", '{"s": NaN}', '{"s": "\\ud800"}',
        '{"s": 1' + "0" * 5_000 + "}", "[]", "null", "{", '{"s": 1}',
    ):  # fmt: skip
        answer = await service.ask(PRICE, {"q": query, "v": text})
        assert answer.code == "BAD_USER_INPUT", text[:20]


async def test_prices_of_more_lines_than_graphql_core_may_walk_are_refused(service):
    below = "id"
    for _ in range(3):
        below = f"videos(first: 1) {{ nodes {{ creator {{ {below} }} }} edges {{ node {{ creator {{ {below} }} }} }} }}"
    text = f"{{ creators(first: 1) {{ nodes {{ {below} }} }} }}"
    told = "{ path count credits }"
    few = f"query($q: String!) {{ price(query: $q) {{ fields {told} }} }}"
    lines = len((await service.data(few, {"q": text}))["price"]["fields"])
    assert lines == 29
    every = " ".join(f"a{n}: {told}" for n in range(10)).replace(": {", ": fields {")
    many = " ".join(f"p{n}: price(query: $q) {{ {every} }}" for n in range(9))
    refused = await service.ask(f"query($q: String!) {{ {many} }}", {"q": text})
    assert (refused.code, refused.errors[0]["extensions"]["limit"]) == ("QUERY_TOO_COMPLEX", limits.WALKED)
