"""Where the chunks of a sweep are trained: in this process, in several, or on a Dask cluster.

All three are `concurrent.futures` executors: loky's local processes, which know classes made in a
notebook, and Dask's. (joblib would hide both behind one name, but waits for ever when a chunk fails
for good on a Dask worker.) What is added is patience: a process that dies takes no result with it,
and what it was at is trained again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import loky
import torch

from .run import Run
from .settings import at_least_one

if TYPE_CHECKING:
    from dask.distributed import Client

Engine: TypeAlias = "str | int | Client"

PATIENCE = 3  # times in a row that local processes may die with nothing finished in between


class Work(Protocol):
    """What `Workers` are given: it must survive pickling."""

    def __len__(self) -> int: ...

    def train(self, report: Callable[[float], object]) -> list[Run]: ...


@dataclass
class Workers:
    """Args:
    n: how many.
    executor: makes the executor they stand behind; None is this process.
    """

    n: int
    executor: Callable[[], Any] | None = None

    def each(
        self, work: Sequence[Work], report: Callable[[float], object]
    ) -> Iterator[tuple[int, list[Run]]]:
        """The index and the runs of each piece of work, in the order in which they are finished.

        `report` hears of progress, in runs: bit by bit from this process, else when a piece ends.
        """
        if self.executor is None:
            for i, piece in enumerate(work):
                yield i, piece.train(report)
            return
        left, failures = dict(enumerate(work)), 0
        while left:
            try:
                for i, runs in _finished(self.executor(), left):
                    report(len(left.pop(i)))
                    failures = 0
                    yield i, runs
            except BrokenProcessPool:
                failures += 1
                if failures == PATIENCE:
                    raise


def _finished(executor: Executor, work: dict[int, Work]) -> Iterator[tuple[int, list[Run]]]:
    futures = {executor.submit(piece.train, _silent): i for i, piece in work.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:  # an error in a run, Ctrl-C: nobody waits for the rest
        for future in futures:
            future.cancel()
        if isinstance(executor, loky.ProcessPoolExecutor):
            executor.shutdown(wait=False, kill_workers=True)
        raise


def _silent(_: float) -> None:
    """Nobody is told of progress from another process."""


@contextmanager
def workers(engine: Engine, device: torch.device) -> Iterator[Workers]:
    """Those that `engine` means; see `sweep`.

    Raises:
        ValueError: they cannot be had.
    """
    if engine == "local":
        engine = 1 if device.type == "cuda" else loky.cpu_count()
    if isinstance(engine, int):
        at_least_one("engine", engine)
        yield _processes(engine)
        return
    try:
        from dask.distributed import Client
    except ModuleNotFoundError:
        raise ValueError(
            f"engine is {engine!r}, but Dask is not installed: pip install 'cl-helpers[scale]'"
        ) from None
    if isinstance(engine, Client):
        yield _cluster(engine)
        return
    try:
        client = Client(engine, timeout=5, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"engine is {engine!r}, and no Dask scheduler answers there ({error}): "
            'give "local", a number of processes, a scheduler\'s address or a dask Client'
        ) from None
    with client:
        yield _cluster(client)


def _processes(n: int) -> Workers:
    threads = str(max(1, loky.cpu_count() // n))
    env = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    executor = None if n == 1 else lambda: loky.get_reusable_executor(n, env=env)
    return Workers(n, executor)


def _cluster(client: Client) -> Workers:
    n = sum(client.ncores().values())  # none at first, where they stand in a queue
    return Workers(max(1, n), lambda: client.get_executor(pure=False))
