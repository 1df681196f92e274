"""What the house looks like inside, as far as it can be counted."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("graph", "resolvers", "services", "db", "server", "simulators")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
NAMELESS = {"utils", "util", "helpers", "helper", "common", "core", "misc", "base_utils", "tools"}
MOST_LINES, MOST_IN_A_FUNCTION, MOST_IN_A_RESOLVER = 400, 60, 15


def functions(path):
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def body_lines(function):
    """Lines of the body, its docstring left out."""
    first = function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = function.body[1:] if is_text else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    long = [
        f"{path.relative_to(ROOT)}:{node.name} {node.end_lineno - node.lineno + 1}"
        for path in MODULES
        for node in functions(path)
        if node.end_lineno - node.lineno + 1 > MOST_IN_A_FUNCTION
    ]
    assert long == []


def test_modules_fit_in_a_head():
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > MOST_LINES} == {}


def test_resolvers_of_root_fields_say_what_they_do_at_a_glance():
    long = [
        f"{path.relative_to(ROOT)}:{node.name} {body_lines(node)}"
        for path in sorted((ROOT / "resolvers").glob("*.py"))
        for node in functions(path)
        if node in ast.parse(path.read_text()).body or isinstance(node, ast.AsyncFunctionDef)
        if not node.name.startswith("_") and any(arg.arg == "info" for arg in node.args.args)
        if body_lines(node) > MOST_IN_A_RESOLVER
    ]
    assert long == []


def test_every_module_is_named_for_what_it_does():
    assert [str(path) for path in MODULES if path.stem in NAMELESS or path.parent.name in NAMELESS] == []


def test_every_module_says_what_it_is_for():
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_alembics_folder_is_no_package():
    assert not list((ROOT / "alembic").rglob("__init__.py")), "it would shadow the library"


def test_the_compiled_path_is_a_setting_of_the_service_alone():
    """Or more tests than those of the service would have to run with --ordinary."""
    reading = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if ").compiled" in path.read_text() or "settings.compiled" in path.read_text()
    }
    assert reading == {"server/app.py", "server/cli_plan.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_package_is_listed(room):
    listed = (ROOT / "pyproject.toml").read_text()
    for path in (ROOT / room).rglob("__init__.py"):
        name = ".".join(path.parent.relative_to(ROOT).parts)
        assert f'"{name}"' in listed, name
