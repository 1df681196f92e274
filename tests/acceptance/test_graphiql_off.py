"""GraphiQL is for trying things out: where an operator wants none, none of it is served."""


async def test_where_the_settings_say_so_there_is_no_graphiql(serving):
    service = await serving(graphiql=False)
    for path in ("/", "/graphiql", "/graphiql/", "/graphiql/assets/index.js"):
        answer = await service.send("GET", path)
        assert (answer.status, answer.code) == (404, "NOT_FOUND"), path
    assert (await service.ask("{ viewer { mode } }")).status == 200
