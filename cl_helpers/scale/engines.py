"""Where the chunks of a sweep are trained: in this process, in several, or on a Dask cluster.

All are `concurrent.futures` executors: loky's local processes, which know classes that were made in
a notebook, and Dask's. (joblib would hide both behind one name, but waits for ever when a chunk
fails for good on a Dask worker.) What is added is patience: a process that dies takes no result
with it, and what it was at is trained again.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import loky
import psutil
import torch
from loky.process_executor import TerminatedWorkerError

from ..checks import at_least_one
from ..formats import format_error
from ..training.run import Run

if TYPE_CHECKING:
    from dask.distributed import Client

Engine: TypeAlias = "str | int | Client"

PATIENCE = 3  # times in a row that local processes may die with nothing finished in between
MEMORY = 2**30  # bytes that one takes: Python, PyTorch and MNIST
MAY_GROW_TO = 64  # workers that a cluster is thought to have at some time, at least


class Job(Protocol):
    """What `Workers` are given: some runs. It must survive pickling."""

    def __len__(self) -> int: ...

    def train(self, report: Callable[[float], object]) -> list[Run]: ...


@dataclass
class Workers:
    """Args:
    n: how many.
    executor: what they stand behind, given how many of them there is work for.
    local: whether they are on this machine, so that one alone may be this process.
    """

    n: int
    executor: Callable[[int], Any]
    local: bool

    def each(
        self, work: Sequence[Job], report: Callable[[float], object]
    ) -> Iterator[tuple[int, list[Run]]]:
        """The index and the runs of each job of work, in the order in which they are finished.

        `report` hears of progress, in runs: bit by bit from this process, else when a job ends.
        """
        n = min(self.n, len(work))
        if self.local and n <= 1:
            for i, job in enumerate(work):
                yield i, job.train(report)
            return
        left, failures = dict(enumerate(work)), 0
        while left:
            try:
                for i, runs in _finished(self.executor(n), left):
                    report(len(left.pop(i)))
                    failures = 0
                    yield i, runs
            except TerminatedWorkerError:
                failures += 1
                if failures == PATIENCE:
                    raise


def _finished(executor: Executor, work: dict[int, Job]) -> Iterator[tuple[int, list[Run]]]:
    futures = {executor.submit(_train, job): i for i, job in work.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:  # an error in a run, Ctrl-C: nobody waits for the rest
        if isinstance(executor, loky.ProcessPoolExecutor):
            executor.shutdown(wait=True, kill_workers=True)
        else:
            for future in futures:
                future.cancel()
        raise


def _train(job: Job) -> list[Run]:
    """Train in a worker, which reports no progress."""
    try:
        return job.train(lambda part: None)
    except Exception as error:
        failure = error
    try:
        pickle.loads(pickle.dumps(failure))
    except Exception:  # it cannot be sent, its words can
        failure = RuntimeError(format_error(failure))
    raise failure


@contextmanager
def workers(engine: Engine, device: torch.device) -> Iterator[Workers]:
    """Those that `engine` means; see `sweep`.

    Raises:
        ValueError: they cannot be had.
    """
    if engine == "local":
        engine = 1 if device.type == "cuda" else _how_many_here()
    if isinstance(engine, int):
        at_least_one("engine", engine)
        yield Workers(engine, _processes, local=True)
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
    unknown = (
        f"engine is {engine!r}, and no Dask scheduler answers there: "
        'choose "local", a number of processes, a scheduler\'s address or a dask Client'
    )
    if not isinstance(engine, str):
        raise ValueError(unknown)
    try:
        client = Client(engine, timeout=5, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(unknown) from error
    with client:
        yield _cluster(client)


def _how_many_here() -> int:
    """A process a core, as long as there is memory for it."""
    room = psutil.virtual_memory().available // MEMORY
    return max(1, min(_cores(), room))


def _cores() -> int:
    return loky.cpu_count(only_physical_cores=True)


def _processes(n: int) -> Executor:
    """n processes that share the cores; those of the last call, if it was as many."""
    threads = str(max(1, _cores() // n))
    env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return loky.get_reusable_executor(n, env=env)


def _cluster(client: Client) -> Workers:
    n = sum(client.ncores().values())
    return Workers(max(n, MAY_GROW_TO), lambda _: client.get_executor(pure=False), local=False)
