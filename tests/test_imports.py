"""Imports run downwards, and the tree tells where a thing is."""

import ast
from collections import Counter
from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_ERROR, EXIT_STATUS_SUCCESS, lint_imports

import cl_helpers

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cl_helpers"
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(init for init in PACKAGE.glob("*/__init__.py"))


@pytest.fixture
def in_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_imports_keep_to_the_contracts(in_the_root):
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("cl_helpers.data.tasks", "cl_helpers.training.loop"),
        ("cl_helpers.training.loop", "cl_helpers.scale.stacked"),
        ("cl_helpers.scale.sweep", "cl_helpers.analysis.curvature"),
        ("cl_helpers.formats", "cl_helpers.checks"),
        ("cl_helpers.answers.sheet", "cl_helpers.data.tasks"),
        ("cl_helpers.cli", "quiz.bank"),
        ("cl_helpers.training.metrics", "torch"),
    ],
)
def test_an_import_against_the_order_is_found(in_the_root, monkeypatch, importer, imported):
    build_graph = grimp.build_graph

    def with_one_more(*arguments, **options):
        graph = build_graph(*arguments, **options)
        graph.add_import(importer=importer, imported=imported)
        return graph

    monkeypatch.setattr(grimp, "build_graph", with_one_more)
    assert lint_imports(no_cache=True) == EXIT_STATUS_ERROR


def test_no_two_files_share_a_name():
    names = Counter(path.name for path in FILES)
    assert {name for name, n in names.items() if n > 1} <= {"__init__.py", "__main__.py"}


def names_in(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
    }


def asks_for_a_class(node):
    """Whether `node` is isinstance(…, a method's class), or `type(…)` compared with one."""
    methods = {name for name in cl_helpers.methods.__all__ if name[0].isupper()}
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
            return bool(names_in(kinds) & methods)
        case ast.Compare(left=ast.Call(func=ast.Name(id="type"))):
            return bool(names_in(node) & (methods | {"method"}))
    return False


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("isinstance(m, Joint)", True),
        ("isinstance(run.method, (int, cl.EWC))", True),
        ("type(method) is kind", True),
        ("type(a) is methods.SI", True),
        ("isinstance(x, Tensor)", False),
        ("type(module) is nn.Linear", False),
    ],
)
def test_a_question_for_the_class_is_found(line, found):
    assert asks_for_a_class(ast.parse(line, mode="eval").body) == found


def test_nothing_outside_methods_asks_what_class_a_method_is():
    askers = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        if path.parent.name not in ("methods", "exercises")  # which may ask for a kind
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if asks_for_a_class(node)
    ]
    assert not askers


@pytest.mark.parametrize("init", ROOMS, ids=lambda init: init.parent.name)
def test_a_room_says_who_may_import_what(init):
    text = ast.get_docstring(ast.parse(init.read_text("utf-8"))) or ""
    assert 0 < len(text.splitlines()) <= 5
    assert "mport" in text
