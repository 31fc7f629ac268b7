"""Growth in the number of things: tasks of a run, runs of a folder, workers of a cluster."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dask.distributed import Client, LocalCluster
from timing import timed

import cl_helpers as cl
from cl_helpers.models.small import mlp_for
from cl_helpers.scale.stored_runs import StoredRuns
from cl_helpers.training.settings import Settings
from cl_helpers.training.train import identified

TINY: dict[str, Any] = {"batch_size": 20, "epochs": 1, "lr": 1e-3, "device": "cpu"}


def a_thousand_tasks(n: int = 1000) -> dict[str, float]:
    """Seconds of a run of n tasks of 100 images; half of T² accuracies are looked at, twice."""
    tasks = cl.permuted(cl.load("digits").first(100, 10), n)
    run = cl.train(cl.EWC(), tasks, cl.MLP((784, 16, 10)), progress=False, **TINY)
    end = run.end_task_seconds
    return {f"{n} tasks": run.seconds, "of these Ω": end}


def ten_thousand_runs(n: int = 10_000) -> dict[str, float]:
    """Seconds in which a sweep finds that all its n runs are there."""
    tasks = cl.permuted(cl.load("digits").first(40, 10), 2)
    model, seeds = cl.MLP((784, 4, 10)), range(100)
    lams = [float(i + 1) for i in range(n // len(seeds))]
    with TemporaryDirectory() as folder:

        def sweep(lam: list[float], seeds: Any) -> list[cl.Run]:
            how = TINY | {"engine": 1, "progress": False, "folder": folder}
            return cl.sweep(cl.EWC(), tasks, model, lam=lam, seeds=seeds, **how)

        [run] = sweep([1.0], [0])
        stored = StoredRuns(folder, tasks, model, Settings.of(TINY))
        members = stored.members([(cl.EWC(lam=lam), seed) for lam in lams for seed in seeds])
        for m in members:
            own = {"seed": m.seed, "knobs": m.method.knobs, "method_digest": identified(m.method)}
            assert m.path is not None
            replace(run, config=run.config | own).save(m.path)
        assert len(list(Path(folder).glob("*.json"))) == n
        return {f"{n} runs": timed(lambda: sweep(lams, seeds))}


def on_a_cluster(n_runs: int = 64) -> dict[str, float]:
    """Seconds of n_runs runs, of a few seconds each, on one Dask worker and on two.

    And what a run costs the process that has the sweep and the scheduler, in seconds of CPU.
    """
    tasks = cl.permuted(cl.load("digits").first(1200, 50), 2)
    like = mlp_for(tasks)
    how = TINY | {"batch_size": 60, "together": 1, "progress": False}
    seconds = {}
    for n in (1, 2):
        with (
            LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            client.wait_for_workers(n)

            def sweep(lam: list[float], seeds: Any, client: Any = client) -> None:
                cl.sweep(cl.EWC(), tasks, like, lam=lam, seeds=seeds, engine=client, **how)

            sweep([0.0], range(n))  # imports, and loads the data
            lams, before = [2.0**i for i in range(8)], time.process_time()
            seconds["one worker" if n == 1 else "two workers"] = timed(
                lambda sweep=sweep, lams=lams: sweep(lams, range(n_runs // 8))
            )
            seconds["sweep and scheduler, a run"] = (time.process_time() - before) / n_runs
    return seconds
