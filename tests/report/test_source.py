"""What a notebook shows of the source is the source, to the letter."""

import ast
import inspect
from pathlib import Path

import pytest

import cl_helpers as cl

PACKAGE = Path(cl.__file__).parent


def written(file: str, *names: str) -> str:
    """What stands in a file of the package under `names` (a class, then its method), dedented."""
    text = (PACKAGE / file).read_text(encoding="utf-8")
    node = ast.parse(text)
    for name in names:
        node = next(n for n in node.body if getattr(n, "name", None) == name)
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
    lines = text.splitlines()[first - 1 : node.end_lineno]
    return "\n".join(line[node.col_offset :] for line in lines)


def double(x):
    """Twice."""

    return 2 * x


class Own:
    def method(self): ...


@pytest.mark.parametrize(
    ("thing", "file", "names"),
    [
        (cl.MAS, "methods/mas.py", ["MAS"]),
        (cl.permuted, "data/tasks.py", ["permuted"]),
        (cl.metrics.forgettings, "training/metrics.py", ["forgettings"]),
        (cl.Run.average_accuracy, "training/run.py", ["Run", "average_accuracy"]),  # a property
        (cl.Run.load, "training/run.py", ["Run", "load"]),  # a class method
        (cl.flat.Flat.scratch, "models/flat.py", ["Flat", "scratch"]),  # a cached property
        (cl.SI.after_step, "methods/quadratic.py", ["PathIntegral", "after_step"]),  # inherited
        (cl.MLP((2, 2)).forward, "models/small.py", ["MLP", "forward"]),
    ],
)
def test_what_is_shown_is_what_stands_in_the_file(thing, file, names):
    source = cl.show(thing)
    assert source.text == repr(source) == written(file, *names)
    assert source.file == f"cl_helpers/{file}"
    assert source._repr_markdown_() == f"```python\n{source.text}\n```\n\n*cl_helpers/{file}*"


def test_a_module():
    text = (PACKAGE / "training/metrics.py").read_text(encoding="utf-8")
    assert cl.show(cl.metrics).text == text.strip()


def test_code_of_your_own():
    shown = cl.show(double)
    assert shown.text == 'def double(x):\n    """Twice."""\n\n    return 2 * x'
    assert Path(shown.file).name == Path(__file__).name
    assert cl.show(Own.method).text == "def method(self): ..."
    assert cl.show(Own).text == inspect.getsource(Own).strip()


def test_a_file_outside_of_the_project_is_named_without_its_folder(tmp_path, monkeypatch):
    (tmp_path / "elsewhere_of_mine.py").write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import elsewhere_of_mine

    assert cl.show(elsewhere_of_mine.f).file == "elsewhere_of_mine.py"


def test_a_cell_of_a_notebook_has_source_and_no_file():
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shell.run_cell("def f():\n    return 1", store_history=False)
    shown = cl.show(shell.user_ns["f"])
    assert shown._repr_markdown_() == "```python\ndef f():\n    return 1\n```"


@pytest.mark.parametrize("thing", [3, "EWC", None, len, cl.EWC()])
def test_what_has_no_source_is_told_what_to_give(thing):
    with pytest.raises(ValueError, match=r"has no source.*give a class or a function"):
        cl.show(thing)


def test_a_class_that_cannot_be_found():
    made = type("Made", (), {"__module__": "__main__"})
    with pytest.raises(ValueError, match=r"Made.*give a method of it"):
        cl.show(made)
