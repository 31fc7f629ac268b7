"""Where the chunks of a sweep are trained: in this process, in several, or on a Dask cluster.

All are `concurrent.futures` executors: loky's local processes, which can run classes defined in a
notebook, and Dask's. (joblib has one interface for both, but waits for ever when a chunk finally
fails on a Dask worker.) This module adds patience: when a process dies, no result is lost, and its
work is done again.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

import loky
import psutil
import torch
from loky.process_executor import TerminatedWorkerError

from ..checks import at_least_one, plain
from ..formats import format_error
from ..identity import Unidentifiable, fingerprint_of_code, values_of

if TYPE_CHECKING:
    from dask.distributed import Client

Engine: TypeAlias = "str | int | Client"
_HERE = uuid4().hex  # this process


class OtherCode(RuntimeError):
    """A worker would train other code or values than the process that asks for it."""


@dataclass(frozen=True)
class Code:
    """What something does in the process where this was made.

    Args:
        digest: of its code; "", the default, if there is none.
        values: digests of what it finds in imported modules, by their names.
        home: that process.
    """

    digest: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    home: str = _HERE


NO_CODE = Code()  # nothing to compare
_as_there: list[Mapping[str, str]] = []  # values found to be the same here, before training


def code_of(thing: object) -> Code:
    """Note the code that `thing` reaches, and the values that this finds in imported modules."""
    digest = ""
    with suppress(Unidentifiable):
        digest = fingerprint_of_code(thing)
    return Code(digest, values_of(thing))


def must_be_the_same(code: Code, thing: object) -> None:
    """Compare `code`, made by `code_of` in another process, with that of `thing` here.

    Raises:
        OtherCode: this process has imported other code, or values, than the one that asks.
    """
    here = code_of(thing)
    if code.digest and code.digest != here.digest:
        raise OtherCode(
            "a worker has other code than this process, which was changed after an import: "
            "start the workers anew, or choose engine=1"
        )
    if code.home == _HERE or code.values in _as_there:
        return  # what training itself changes does not count
    every = sorted({*code.values, *here.values})
    if others := [name for name in every if code.values.get(name) != here.values.get(name)]:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise OtherCode(
            f"a worker imports what was set after an import here with another value "
            f"({', '.join(others[:3])}{more}): choose engine=1, or make it a knob of the method, "
            "or an item of side_by_side"
        )
    _as_there.append(code.values)


PATIENCE = 3  # times in a row that local processes may die with nothing finished in between
MEMORY = 2**30  # bytes that a process needs: Python, PyTorch and MNIST
MAY_GROW_TO = 64  # workers to prepare work for, since a cluster may grow


class Job(Protocol):
    """A unit of work for `Workers`: some runs. It can be pickled; its length is their number."""

    def __len__(self) -> int: ...

    def train(self, report: Callable[[float], object]) -> list[Any]:
        """Train all runs; call `report` with the progress since the last call, in runs."""
        ...


@dataclass
class Workers:
    """Processes, on this machine or on a cluster, that train jobs.

    Args:
        n: how many there are.
        executor: number of workers that are needed -> the executor that they belong to.
        local: whether they are on this machine. Then a single one is this process itself.
    """

    n: int
    executor: Callable[[int], Any]
    local: bool

    def each(
        self, work: Sequence[Job], report: Callable[[float], object]
    ) -> Iterator[tuple[int, list[Any]]]:
        """Train all jobs; yield the index and the runs of each as soon as it is finished.

        Args:
            work: the jobs.
            report: is called with the progress, in runs: in small parts from this process, from
                others when a job ends.

        Raises:
            TerminatedWorkerError: processes died three times in a row with no job finished.
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
            except (TerminatedWorkerError, OtherCode) as error:  # new ones import everything anew
                failures += 1
                patience = 2 if isinstance(error, OtherCode) else PATIENCE
                if failures >= patience or not self.local:
                    raise


def _finished(executor: Executor, work: dict[int, Job]) -> Iterator[tuple[int, list[Any]]]:
    futures = {executor.submit(_train, job): i for i, job in work.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:  # an error in a run, Ctrl-C: the rest is not needed
        if isinstance(executor, loky.ProcessPoolExecutor):
            executor.shutdown(wait=True, kill_workers=True)
        else:
            for future in futures:
                future.cancel()
        raise


def _train(job: Job) -> list[Any]:
    """Train in a worker, without reports of progress."""
    try:
        return job.train(lambda part: None)
    except Exception as error:
        failure = error
    try:
        pickle.loads(pickle.dumps(failure))
    except Exception:  # the error cannot be sent, its text can
        failure = RuntimeError(format_error(failure))
    raise failure


@contextmanager
def workers(engine: Engine, device: torch.device) -> Iterator[Workers]:
    """Start the workers that are asked for; release them when the context ends.

    Args:
        engine: as in `sweep`.
        device: where runs are trained; a GPU has one worker, this process.

    Raises:
        ValueError: there is no such engine, or it does not answer.
    """
    engine = plain(engine)  # a number of NumPy's
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
    """One process for each core, as long as there is memory for it."""
    room = psutil.virtual_memory().available // MEMORY
    return max(1, min(_cores(), room))


def _cores() -> int:
    return loky.cpu_count(only_physical_cores=True)


def _processes(n: int) -> Executor:
    """`n` processes that share the cores; the same ones as before, if their number is the same."""
    threads = str(max(1, _cores() // n))
    env = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return loky.get_reusable_executor(n, env=env)


def _cluster(client: Client) -> Workers:
    n = sum(client.ncores().values())
    return Workers(max(n, MAY_GROW_TO), lambda _: client.get_executor(pure=False), local=False)
