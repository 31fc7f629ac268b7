"""Work whose parts do not wait for each other, on all cores: runs, or whatever else takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm.auto import tqdm

from ..training.settings import pick_device
from .engines import Code, code_of, must_be_the_same, workers

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], *, progress: bool = True
) -> list[Result]:
    """Compute `work(item)` for every item, in a process for each core.

    A small network's products cannot keep several cores busy: two runs side by side, with a thread
    each, end sooner than one after the other with two threads. Where there is a CUDA GPU, and where
    there is one item, all is done here, one after the other.

    Args:
        work: what is done with an item; it may be defined in a notebook. It gets copies of all that
            it uses, and what it prints or draws is not seen here.
        items: methods, seeds, settings, …
        progress: whether to show a progress bar. Default True.

    Returns:
        The results, in the order of the items.

    Raises:
        ValueError: there are no items.
    """
    code = code_of(work)
    calls = [Call(work, item, code) for item in items]
    if not calls:
        raise ValueError("items is empty: give a list of what `work` takes")
    results: dict[int, Result] = {}
    with (
        workers("local", pick_device("auto")) as pool,
        tqdm(total=len(calls), disable=not progress, dynamic_ncols=True) as bar,
    ):
        for i, [result] in pool.each(calls, bar.update):
            results[i] = result
    return [results[i] for i in range(len(calls))]


@dataclass(frozen=True)
class Call:
    """One item, with what is done with it: a `Job`.

    Args:
        work, item: as in `side_by_side`.
        code: what `code_of(work)` is where the call was made.
    """

    work: Callable[[Any], Any]
    item: Any
    code: Code

    def __len__(self) -> int:
        return 1

    def train(self, report: Callable[[float], object]) -> list[Any]:
        """Do it; call `report` when it is done."""
        must_be_the_same(self.code, self.work)
        result = self.work(self.item)
        report(1)
        return [result]
