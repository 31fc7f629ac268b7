"""What identifies a thing: a digest of its content, and not of its name or its address.

Two things with one digest act alike. Data count to the byte, objects with all their attributes,
classes and functions with their code and all that it reaches. What this package or an installed one
brings counts by name.
"""

from __future__ import annotations

import copyreg
import dis
import hashlib
import logging
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, cached_property, partial
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

_PACKAGE = __name__.partition(".")[0]
_ATOMS = type(None), type(...), bool, int, float, complex, str, range
_FROM_C = BuiltinFunctionType, MethodWrapperType, WrapperDescriptorType
# What Python adds to a class: not what its author wrote.
_ADDED = {
    "__abstractmethods__", "__annotations__", "__annotations_cache__", "__annotate_func__",
    "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__firstlineno__",
    "__match_args__", "__module__", "__qualname__", "__slotnames__", "__static_attributes__",
    "__weakref__", "_abc_impl",
}  # fmt: skip


class Unidentifiable(ValueError):
    """Nothing says whether a thing is the same as another of its class."""


def fingerprint_of(thing: object, weights: bool = True) -> str:
    """Compute a digest of all that decides how `thing` acts: 16 hexadecimal digits.

    A class may say itself what that is: its method `fingerprint()` returns it, such as a text or a
    tuple of numbers and arrays.

    Args:
        thing: anything: a method, a model, a list of tasks, a function.
        weights: whether the values of a network's parameters and buffers count. Default True.

    Raises:
        Unidentifiable: `thing` holds something that can be told apart by its address alone.
    """
    return _Digests(weights).of_all(thing)[:8].hex()


def fingerprint_of_code(thing: object) -> str:
    """Compute a digest of the code that `thing` reaches, whatever values it finds there.

    Raises:
        Unidentifiable: `thing` holds something that can be told apart by its address alone.
    """
    return _Digests(values=False).of_all(thing)[:8].hex()


def values_of(thing: object) -> dict[str, str]:
    """Compute digests of the values that `thing` finds in modules of one's own, by their names.

    These are attributes of classes and globals of functions, which another process that imports the
    modules does not have if a program has set them since. What is defined in `__main__` travels
    with its values. What has no fingerprint is left out.
    """
    values: dict[str, str] = {}
    seen: dict[int, Any] = {}
    left = [thing]
    while left:
        each: Any = left.pop()
        if type(each) in (list, tuple):
            left += each
        elif isinstance(each, partial):
            left += [each.func, each.args, [*each.keywords.values()]]
        elif not isinstance(each, type | FunctionType):
            left += _written(each, True) or ([] if type(each) in _ATOMS else [type(each)])
        elif id(each) not in seen and not is_installed(each):
            seen[id(each)] = each
            travels = vars(each) if isinstance(each, type) else each.__globals__
            travels = travels if each.__module__ == "__main__" else {}
            for name, value in _found_in(each):
                if isinstance(value, type) or name in travels or _written(value, True):
                    left.append(value)
                else:
                    with suppress(Unidentifiable):
                        values[f"{name_of(each)}: {name}"] = fingerprint_of(value)
            left += each.__bases__ if isinstance(each, type) else closed_over(each)
    return values


def _found_in(thing: Any) -> list[tuple[str, Any]]:
    """Attributes of a class, or attributes and globals of a function."""
    if isinstance(thing, type):
        own = vars(thing).items()
        return [(k, v) for k, v in own if k not in _ADDED and not _is_slot(v)]
    return [*_reached(thing), *vars(thing).items()]


@cache
def fingerprint_of_package(kind: type) -> str:
    """Compute a digest of what this package's modules of `kind` and its bases hold, once.

    Docstrings, comments and formatting do not count. It depends on Python's minor version.
    """
    modules = [m for m in dict.fromkeys(k.__module__ for k in kind.__mro__) if _is_ours(m)]
    return _hashed("modules", *(_of_module(sys.modules[m]) for m in modules))[:8].hex()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE


def _of_module(held: Any) -> bytes:
    """A digest of the functions, classes and plain values of a module, or of a class in it."""
    home = held.__name__ if isinstance(held, ModuleType) else held.__module__
    parts = []
    for name, value in sorted(vars(held).items()):
        for each in (value,) if isinstance(value, FunctionType) else _written(value, True) or ():
            if isinstance(each, FunctionType) and each.__module__ == home:
                parts.append(_hashed(name, _of_code(each.__code__)))
                defaults = each.__defaults__, each.__kwdefaults__
                if any(defaults):
                    with suppress(Unidentifiable):
                        parts.append(_Digests().of_all(defaults))
        if isinstance(value, type) and value.__module__ == home and value is not held:
            parts.append(_hashed(name, _of_module(value)))
        if type(value) in _ATOMS and name[:2] != "__":
            parts.append(_hashed(name, _Digests().of(value)))
    return _hashed("module", *parts)


@cache
def _of_code(code: CodeType) -> bytes:
    """A digest of what is done, by its instructions: no docstring is among them, nor a line."""
    parts = []
    for each in dis.get_instructions(code):
        value = each.argval
        done = _of_code(value) if isinstance(value, CodeType) else _Digests().of(value)
        parts.append(_hashed(each.opname, done))
    arguments = code.co_argcount, code.co_kwonlyargcount, code.co_flags
    jumps = getattr(code, "co_exceptiontable", b"")
    return _hashed("code", _Digests().of((arguments, code.co_varnames, jumps)), *parts)


def name_of(kind: Any) -> str:
    """Return module and name of a class or function.

    In this package the module is its room, so that a thing keeps its name when it moves within.
    """
    module = kind.__module__ or ""
    if module.startswith(f"{_PACKAGE}."):
        module = ".".join(module.split(".")[:2])
    return f"{module}.{kind.__qualname__}"


class _Digests:
    """The digest of a thing, from the digests of all that it holds.

    Functions and classes refer to each other in circles: each counts once, by its place in the
    order in which they are reached.
    """

    def __init__(self, weights: bool = True, values: bool = True) -> None:
        self.weights, self.values = weights, values
        self.inside: list[object] = []  # what is being looked at: a thing may hold itself
        self.large: dict[int, tuple[Any, bytes]] = {}  # arrays, kept so that no id is used again
        self.places: dict[int, tuple[Any, int]] = {}  # of functions and classes
        self.code: dict[int, bytes] = {}  # place -> digest of what is written there

    def of_all(self, thing: object) -> bytes:
        whole = self.of(thing)
        return _hashed("all", whole, *(self.code[place] for place in sorted(self.code)))

    def of(self, thing: Any) -> bytes:
        if isinstance(thing, np.number | np.bool_):
            thing = thing.item()  # a number is the same in NumPy and in Python
        if isinstance(thing, FunctionType) and vars(thing).get("hooked"):
            thing = vars(thing)["__wrapped__"]  # `step` of an optimiser, once PyTorch has made one
        if isinstance(thing, bytes):
            return _hashed("bytes", thing)
        if type(thing) in _ATOMS:
            return _hashed(type(thing).__name__, repr(thing).encode())
        if id(thing) in self.large:
            return self.large[id(thing)][1]
        if isinstance(thing, type | FunctionType) and not is_installed(thing):
            if id(thing) not in self.places:
                place = len(self.places)
                self.places[id(thing)] = thing, place
                self.code[place] = self.held_by(thing)
            return _hashed("code", b"%d" % self.places[id(thing)][1])
        for depth, outer in enumerate(reversed(self.inside)):
            if outer is thing:
                return _hashed("itself", b"%d" % depth)
        self.inside.append(thing)
        try:
            return self.held_by(thing)
        finally:
            self.inside.pop()

    def all(self, kind: str, *parts: Any) -> bytes:
        return _hashed(kind, *map(self.of, parts))

    def held_by(self, thing: Any) -> bytes:
        if isinstance(thing, type):
            return self.of_class(thing)
        if isinstance(thing, ModuleType):
            return self.all("module", thing.__name__, *_written_in(thing))
        if (parts := _written(thing, self.values)) is not None:
            return self.all(type(thing).__name__, *parts)
        if type(thing) in (list, tuple):
            return self.all(type(thing).__name__, *thing)
        if type(thing) is dict:
            return self.all("dict", *(part for item in thing.items() for part in item))
        if type(thing) in (set, frozenset):
            return self.all(type(thing).__name__, *sorted(thing, key=fingerprint_of))
        if hasattr(type(thing), "fingerprint"):
            says = self.all("says itself", type(thing), thing.fingerprint())
            self.large[id(thing)] = thing, says  # once: it may be long
            return says
        if (array := _of_array(thing)) is not None:
            self.large[id(thing)] = thing, self.all("array", type(thing), *array)
            return self.large[id(thing)][1]
        if isinstance(thing, _torch("nn.Module")):
            outermost = not any(isinstance(v, _torch("nn.Module")) for v in self.inside[:-1])
            shared = _shared(thing) if outermost else []
            return self.all("network", type(thing), shared, *self.of_network(thing))
        return self.all("object", type(thing), *_content(thing))

    def of_network(self, model: Any) -> Iterator[Any]:
        """Its attributes and submodules; hooks without their numbers, others in each process."""
        for name, value in attributes_of(model):
            if name in getattr(type(model), "of_a_run", ()):
                continue
            if name in ("_parameters", "_buffers"):
                yield {k: v if v is None or self.weights else v.shape for k, v in value.items()}
                yield [v is not None and v.requires_grad for v in value.values()]
            else:
                yield name, [*value.values()] if "_hooks" in name and value else value

    def of_class(self, kind: type) -> bytes:
        if not is_installed(kind):
            own = {k: v for k, v in vars(kind).items() if k not in _ADDED and not _is_slot(v)}
            if not self.values:
                own = {k: v for k, v in own.items() if isinstance(v, type | FunctionType)}
            return self.all("class", kind.__name__, kind.__bases__, dict(sorted(own.items())))
        parts = name_of(kind), _version(kind.__module__), *foreign(kind)
        self.large[id(kind)] = kind, self.all("class", *parts)  # once: there may be many of it
        return self.large[id(kind)][1]


def foreign(kind: type) -> list[Any]:
    """What somebody has set on an installed class or its bases, and bases that are not installed.

    A class that was made at run time, such as by a parametrization, has these.
    """
    bases = [each for each in kind.__mro__[1:] if not is_installed(each)]
    values = [v for each in kind.__mro__ if each not in bases for v in vars(each).values()]
    return bases + [v for v in values if _is_somebodys(v)]


def _is_somebodys(value: Any) -> bool:
    match value:
        case property():
            return any(map(_is_somebodys, (value.fget, value.fset, value.fdel)))
        case staticmethod() | classmethod():
            return _is_somebodys(value.__func__)
        case partial():
            return True  # none of the classes of this package or of PyTorch has one
    return isinstance(value, FunctionType) and not is_installed(value)


def _shared(model: Any) -> list[int]:
    """For each parameter the place of its first occurrence: which of them are one and the same."""
    every = [id(p) for _, p in model.named_parameters(remove_duplicate=False)]
    first = {p: place for place, p in reversed([*enumerate(every)])}
    return [first[p] for p in every]


def _written_in(module: ModuleType) -> list[Any]:
    """The source and the plain values of a module that is not installed: it may do anything."""
    if is_installed(module):
        return []
    if not (file := getattr(module, "__file__", None)):
        raise Unidentifiable(f"module {module.__name__} has no file: give what it holds instead")
    values = {k: v for k, v in vars(module).items() if type(v) in _ATOMS and k[:2] != "__"}
    return [Path(file).read_bytes(), values]


def _written(thing: Any, values: bool) -> tuple[Any, ...] | None:
    """What is written in a function, and what that reaches; None if `thing` is no function.

    `values` says whether those of its attributes and of globals count.
    """
    match thing:
        case CodeType():
            arguments = thing.co_argcount, thing.co_kwonlyargcount, thing.co_flags
            names = thing.co_names, thing.co_varnames, thing.co_freevars
            jumps = getattr(thing, "co_exceptiontable", b"")
            return thing.co_code, jumps, thing.co_consts, arguments, names
        case FunctionType():
            reached = [] if is_installed(thing) else _reached(thing)
            reached = [(n, v) for n, v in reached if values or isinstance(v, type | FunctionType)]
            attributes = vars(thing) if values else {}
            own = () if is_installed(thing) else (thing.__code__, attributes, reached)
            return (
                name_of(thing),
                thing.__defaults__,
                thing.__kwdefaults__,
                closed_over(thing),
                *own,
            )
        case MethodType():
            return thing.__func__, thing.__self__
        case property():
            return thing.fget, thing.fset, thing.fdel
        case staticmethod() | classmethod():
            return (thing.__func__,)
        case cached_property():
            return (thing.func,)
    if isinstance(thing, _FROM_C):
        bound = getattr(thing, "__self__", None)
        bound = None if isinstance(bound, ModuleType) else bound
        return thing.__qualname__, getattr(thing, "__module__", None), bound
    if callable(thing) and isinstance(inner := getattr(thing, "__wrapped__", None), FunctionType):
        return (inner,)  # a function with a cache
    return None


def _content(thing: Any) -> list[Any]:
    """What tells an object from others of its class.

    Raises:
        Unidentifiable: nothing does.
    """
    if isinstance(thing, _torch("Generator")):
        return [thing.get_state()]
    if isinstance(thing, logging.Logger):
        return [thing.name]
    attributes = [*attributes_of(thing)]
    kind = type(thing)
    plain = kind.__reduce__ is object.__reduce__ and kind.__getstate__ is object.__getstate__
    try:
        reduce = copyreg.dispatch_table.get(type(thing))
        made = reduce(thing) if reduce else thing.__reduce_ex__(2)
    except Exception as error:  # of anybody's
        if plain:  # written in C, and cannot be pickled
            raise Unidentifiable(
                f"nothing says whether one {name_of(type(thing))} acts like another: give the "
                "class that holds it a method fingerprint() that returns what decides how it acts"
            ) from error
        return attributes
    parts = [made] if isinstance(made, str) else [*made]
    if plain and len(parts) > 2 and isinstance(parts[2], dict):
        parts[2] = None  # the attributes again, with what was cached
    return [*([*p] if isinstance(p, Iterator) else p for p in parts), attributes]


def attributes_of(thing: Any) -> Iterator[tuple[str, Any]]:
    """Attributes with their names, but for what was computed from the others and cached."""
    for name, value in getattr(thing, "__dict__", {}).items():
        if not isinstance(getattr(type(thing), name, None), cached_property):
            yield name, value
    for kind in type(thing).__mro__:
        slots = vars(kind).get("__slots__", ()) if not is_installed(kind) else ()
        for name in [slots] if isinstance(slots, str) else slots:
            if hasattr(thing, name) and name not in ("__dict__", "__weakref__"):
                yield name, getattr(thing, name)


def _of_array(thing: Any) -> list[Any] | None:
    """Type, shape and bytes of a NumPy array or a tensor; None if `thing` is neither."""
    if isinstance(thing, np.ndarray | np.generic):
        array = np.asarray(thing)
        values = array.ravel().tolist() if array.dtype.hasobject else array.tobytes()
        kind = str(array.dtype.descr if array.dtype.fields else array.dtype)
        own = getattr(thing, "__dict__", None), getattr(thing, "mask", None)
        return [kind, array.shape, values, *own]
    if not isinstance(thing, _torch("Tensor")):
        return None
    if str(thing.layout) != "torch.strided" or thing.is_quantized or thing.is_meta:
        raise Unidentifiable(f"a tensor of layout {thing.layout} has no fingerprint: give dense")
    there = thing.detach().cpu().resolve_conj().resolve_neg().contiguous()
    values = there.reshape(-1).view(sys.modules["torch"].uint8).numpy().tobytes()
    return [str(thing.dtype), tuple(thing.shape), values, vars(thing) or None]


def _torch(name: str) -> Any:
    """A class of PyTorch; without PyTorch, no class."""
    return attrgetter(name)(sys.modules["torch"]) if "torch" in sys.modules else ()


def _reached(function: FunctionType) -> list[Any]:
    """The globals that a function names, and what it names in modules that are not installed."""
    names, attributes, imports = _names(function.__code__)
    there = function.__globals__
    reached = [(n, there[n]) for n in names if n in there]
    imported = [(n, _imported(n, there.get("__package__"))) for n in imports]
    reached += [(n, module) for n, module in imported if module is not None]
    for _, value in reached:  # and what is found in them, while the list grows
        if isinstance(value, ModuleType) and not is_installed(value):
            found = [(n, getattr(value, n)) for n in attributes if hasattr(value, n)]
            reached += [pair for pair in found if not any(pair[1] is v for _, v in reached)]
    # Of a module what is named counts, not the rest of it.
    return [(n, v.__name__ if isinstance(v, ModuleType) else v) for n, v in reached]


def _imported(name: str, package: str | None) -> ModuleType | None:
    """A module that a function imports when it is called; None if it is not there."""
    with suppress(Exception):  # an import may run anything
        return import_module(name, package)
    return None


def _names(code: CodeType) -> tuple[list[str], list[str], list[str]]:
    """The globals, attributes and imports that `code` names, with the functions in it."""
    every: tuple[set[str], set[str], set[str]] = set(), set(), set()
    instructions = [*dis.get_instructions(code)]
    for n, each in enumerate(instructions):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            every[0].add(each.argval)
        elif each.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
            every[1].add(each.argval)
        elif each.opname == "IMPORT_NAME":
            dots = "." * (instructions[n - 2].argval or 0)  # how far up a relative import looks
            if dots or not _is_in_a_package(each.argval):
                found = [each.argval, *(instructions[n - 1].argval or ())]  # it may be a submodule
                every[2].add(dots + each.argval)
                every[2].update(dots + ".".join(filter(None, (each.argval, f))) for f in found[1:])
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for mine, its in zip(every, _names(inner), strict=True):
                mine.update(its)
    return sorted(every[0]), sorted(every[1]), sorted(every[2])


def attributes_set(function: FunctionType) -> set[str]:
    """The attributes that a function sets, of whatever object."""
    every = dis.get_instructions(function)
    return {each.argval for each in every if each.opname == "STORE_ATTR"}


def is_installed(thing: Any) -> bool:
    """Whether a class, function or module is Python's, this package's or an installed one's."""
    if isinstance(thing, ModuleType):
        return _is_in_a_package(thing.__name__)
    module = thing.__module__ or "__main__"
    if isinstance(thing, FunctionType):  # `functools.wraps` gives it the name of another module
        module = thing.__globals__.get("__name__", "__main__")
    if module == "builtins":  # or from `exec`, which names no module
        return isinstance(thing, type) and not thing.__flags__ & 1 << 9  # made by Python code
    return _is_in_a_package(module)


@cache
def _is_in_a_package(module: str) -> bool:
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    packages = {"site-packages", "dist-packages"} & {*Path(file).parts}
    return top == _PACKAGE or _is_pythons(top) or bool(packages and top != "__main__")


@cache
def _is_pythons(top: str) -> bool:
    """Whether a module is of the standard library, and not one's own of the same name."""
    file = getattr(sys.modules.get(top), "__file__", None)
    homes = [Path(sysconfig.get_path(key)) for key in ("stdlib", "platstdlib")]
    theirs = file is None or any(home in Path(file).parents for home in homes)
    return top in sys.stdlib_module_names and theirs


def _version(module: str) -> str:
    """The version of the package, unless every run depends on it, and says on which."""
    top = module.partition(".")[0]
    known = top in (_PACKAGE, "torch", "numpy") or _is_pythons(top)
    return "" if known else str(getattr(sys.modules.get(top), "__version__", ""))


def _hashed(kind: str, *parts: bytes) -> bytes:
    whole = hashlib.sha256(kind.encode())
    for part in parts:
        whole.update(b"%d:" % len(part))
        whole.update(part)
    return whole.digest()


def _is_slot(value: Any) -> bool:
    return type(value).__name__ in ("member_descriptor", "getset_descriptor")


def closed_over(function: FunctionType) -> list[Any]:
    """What a `function` has from the functions around it, as far as it is set."""
    return [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
