"""`help()` teaches: purpose, arguments and paper of all that `cl` offers."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import cl_helpers as cl
from cl_helpers.lessons.exercises import EXERCISES

ROOMS = ("data", "models", "methods", "training", "speed", "scale", "analysis", "report", "lessons")
HOME = Path(cl.__file__).parent
PAPER = re.compile(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\d{4,}/\S+|openreview\.net/forum\?id=\w+")
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ ]+.*\n|\n)*)", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*):", re.MULTILINE)


def ours(thing):
    return (getattr(thing, "__module__", None) or "").startswith("cl_helpers")


def full_name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def in_module(module):
    """The public classes and functions that a module defines, or that a room lists."""
    for name in getattr(module, "__all__", None) or vars(module):
        thing = getattr(module, name)
        here = hasattr(module, "__path__") or getattr(thing, "__module__", "") == module.__name__
        if name[0] != "_" and here and ours(thing) and isinstance(thing, type | FunctionType):
            yield thing


def everything():
    """The public classes and functions of `cl`, of its modules and of the rooms, by full name."""
    rooms = [pkgutil.walk_packages([f"{HOME}/{r}"], f"cl_helpers.{r}.") for r in ROOMS]
    modules = [importlib.import_module(found.name) for room in rooms for found in room]
    found = []
    for thing in [*(getattr(cl, name) for name in cl.__all__), *modules]:
        found += in_module(thing) if isinstance(thing, ModuleType) else [thing]
    shown = [exercise.solution for exercise in EXERCISES.values()]  # short, beside its exercise
    found = [t for t in found if isinstance(t, type | FunctionType) and t not in shown]
    return {full_name(t): t for t in found}


def members(cls):
    """The public methods and properties of a class that are written in the package, by name."""
    kinds = property | cached_property | classmethod | staticmethod | FunctionType
    return {
        f"{full_name(cls)}.{name}": getattr(cls, name)
        for name, member in inspect.getmembers_static(cls)
        if name[0] != "_"
        and isinstance(member, kinds)
        and getattr(member, "__name__", "") != "<lambda>"  # the default of a field
        and any(name in vars(base) for base in cls.__mro__ if ours(base))
    }


THINGS = everything()
MEMBERS = {
    name: member
    for cls in THINGS.values()
    if isinstance(cls, type) and full_name(cls).split(".")[1] in ROOMS
    for name, member in members(cls).items()
}


def text_of(thing):
    """What `help` shows; the signature that a dataclass without docstring gets does not count."""
    text = inspect.getdoc(thing) or ""
    return "" if text.startswith(f"{getattr(thing, '__name__', ' ')}(") else text


def fault_of_purpose(text):
    """What is wrong with the beginning of a docstring; None if it is a line of purpose."""
    first, whole = text.partition("\n")[0], text.partition("\n\n")[0]
    if not first:
        return "there is no docstring"
    if re.match(r"(Args|Attributes|Raises|Returns):", first):
        return "it begins with a section, not with a purpose"
    if not (first[0].isupper() or first[0] == "`"):
        return "it does not begin like a sentence"
    if "?" in whole:
        return "it asks"
    return None if re.search(r"\.(?=\s|$)", first) else "no sentence ends in its first line"


def named_in(text):
    """The names that are entries of Args or Attributes, or that stand in backticks."""
    sections = SECTION.findall(text + "\n")
    entries = [names.split(", ") for section in sections for names in ENTRY.findall(section)]
    return {name for names in entries for name in names} | set(re.findall(r"`(\w+)", text))


def undescribed(thing):
    """Parameters that the docstring of a class or a function does not name."""
    maker = thing
    if isinstance(thing, type) and not dataclasses.is_dataclass(thing):
        maker = thing.__init__
    if not ours(maker):
        return []  # the library that it comes from describes them
    parameters = inspect.signature(thing).parameters
    return [name for name in parameters if name != "self" and name not in named_in(text_of(thing))]


def test_all_that_is_public_begins_with_its_purpose():
    faults = {name: fault_of_purpose(text_of(t)) for name, t in (THINGS | MEMBERS).items()}
    assert {name: fault for name, fault in faults.items() if fault} == {}


def test_every_parameter_is_described():
    missing = {name: undescribed(thing) for name, thing in THINGS.items()}
    assert {name: names for name, names in missing.items() if names} == {}


@pytest.mark.parametrize("name", cl.METHODS)
def test_a_method_names_its_paper_and_where_its_strength_comes_from(name):
    text = cl.METHODS[name].__doc__
    assert PAPER.search(text) or name in ("baseline", "joint")
    if "lam" in cl.METHODS[name]().knobs:
        assert re.search(r"lam: λ ≥ 0.*?Default.*?see\s+experiments/", text, re.DOTALL)


def test_the_walk_reaches_what_it_should():
    for thing in (cl.EWC, *cl.EWC.__mro__[1:3], cl.train, cl.bowls.end, cl.widgets.Lab):
        assert THINGS[full_name(thing)] is thing
    assert len(THINGS) > 100
    assert "cl_helpers.training.run.Run.average_accuracy" in MEMBERS
    assert "cl_helpers.methods.si.SI.accumulate" in MEMBERS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Args:\n    lam: λ.",
        "Is it trained on old tasks again? Then it is joint.",
        "(P,): the gradient.",
        "The gradient\nof the loss.",
    ],
)
def test_a_purpose_that_is_none_is_found(text):
    assert fault_of_purpose(text)


def test_a_parameter_that_is_not_described_is_found():
    @dataclasses.dataclass
    class Described:
        """Do something.

        Args:
            a, b: two things, and c: which is no entry.
            d: with `e`.
        """

        a: int
        b: int
        c: int
        d: int
        e: int

    Described.__module__ = "cl_helpers.somewhere"
    assert undescribed(Described) == ["c"]


def test_a_dataclass_without_docstring_is_found():
    bare = dataclasses.make_dataclass("Bare", ["a"])
    assert bare.__doc__
    assert fault_of_purpose(text_of(bare)) == "there is no docstring"
