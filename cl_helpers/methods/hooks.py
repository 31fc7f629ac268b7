"""What a method's class overrides, and whether anything calls it: read from the code it has."""

from __future__ import annotations

import dis
from collections.abc import Callable
from inspect import unwrap
from types import CodeType, FunctionType
from typing import Any, TypeVar

from ..identity import attributes_set, closed_over, is_installed

# The hooks that another hook calls, and not the training loop.
_CALLED_BY = {"penalty": "loss", "task_loss": "loss", "loss": "traced_loss"}
# The hooks whose work is lost where a class overrides them without calling them.
_CALLS_ITS_OWN = {
    "begin_task": "model, task", "begin_step": "model", "after_backward": "model",
    "after_step": "model", "after_interval": "model", "end_task": "model, task",
}  # fmt: skip


Hook = TypeVar("Hook", bound=Callable[..., Any])


def elementwise(hook: Hook) -> Hook:
    """Say of a `hook` that what it does to a weight depends on the numbers of this weight alone.

    Then it can be called with one piece of the vectors after the other (`cl_helpers.speed.pieces`).
    """
    hook.elementwise = hook  # type: ignore[attr-defined]
    return hook


def is_elementwise(hook: Callable[..., Any]) -> bool:
    """Whether `elementwise` was said of this very `hook`, and not of one that it wraps."""
    function = getattr(hook, "__func__", hook)
    return getattr(function, "elementwise", None) is function


def check_hooks(kind: type) -> None:
    """Find out whether a hook of `kind` would be called, and calls the one that it overrides.

    Raises:
        TypeError: it would not, or does not; the message says what to do instead.
    """
    for hook, caller in _CALLED_BY.items():
        mine, theirs = _who_defines(kind, hook), _who_defines(kind, caller)
        order = kind.__mro__
        overridden = order.index(mine) < order.index(theirs)
        if overridden and not _calls(kind, caller, hook):
            raise TypeError(
                f"{mine.__name__} overrides {hook}, which {caller} of {theirs.__name__} does "
                f"not call: override {caller} instead"
            )
    for hook, arguments in _CALLS_ITS_OWN.items():
        if forgets(kind, hook):
            raise TypeError(
                f"{kind.__name__} overrides {hook}, whose work is lost: call "
                f"super().{hook}({arguments}) in it"
            )


def _who_defines(kind: type, hook: str) -> type:
    return next(each for each in kind.__mro__ if hook in vars(each))


def _calls(kind: type, caller: str, hook: str) -> bool:
    """Whether the method `caller` of a class calls `hook`, itself or through `super()`."""
    for each in kind.__mro__:
        if caller in vars(each):
            code = getattr(unwrap(vars(each)[caller]), "__code__", None)
            names = {hook} if code is None else _names_in(code)
            if hook in names or not {"super", caller} <= names:
                return hook in names
    return False


def forgets(kind: type, hook: str, *instead: str) -> bool:
    """Whether a class overrides a hook that does something, and calls neither it nor others.

    Args:
        kind: the class.
        hook: the name of a method.
        instead: names of methods that may be called instead.
    """
    above = [vars(each)[hook] for each in kind.__mro__[1:] if hook in vars(each)]
    mine = unwrap(vars(kind)[hook]) if hook in vars(kind) else None
    written = [f for f in above if isinstance(f, FunctionType)]
    if not isinstance(mine, FunctionType) or not written or not _names_in(written[0].__code__):
        return False  # what it overrides does nothing
    always_raises = not any(i.opname.startswith("RETURN") for i in dis.get_instructions(mine))
    stored = set().union(*map(attributes_set, written)) - {"ended", "whose"}
    does_it_all = bool(stored) and stored <= attributes_set(mine)
    named = _names_in(mine.__code__) | _names_of_helpers(kind, mine)
    return not (always_raises or does_it_all or named & {hook, *instead})


def _names_of_helpers(kind: type, function: FunctionType) -> set[str]:
    """What is named by the functions that `function` calls on itself, or is wrapped around."""
    helpers = [vars(each).get(n) for each in kind.__mro__ for n in function.__code__.co_names]
    every = helpers + closed_over(function)
    own = [f for f in every if isinstance(f, FunctionType) and not is_installed(f)]
    return set().union(*(_names_in(f.__code__) for f in own))


def _names_in(code: CodeType) -> set[str]:
    inner = [_names_in(c) for c in code.co_consts if isinstance(c, CodeType)]
    return {*code.co_names, *code.co_freevars}.union(*inner)
