"""Tables tell experiments apart and take repetitions together."""

import numpy as np
import pytest
from toys import a_run

from cl_helpers.report import labels, plots
from cl_helpers.report.tables import metrics_table


def test_methods_that_differ_in_their_code_are_rows_of_their_own():
    runs = [a_run(seed=s) for s in range(4)]
    for run, digest in zip(runs, ("aa11bb22", "aa11bb22", "cc33dd44", None), strict=True):
        run.config["class"] = "__main__.Mine"
        if digest:
            run.config["method_digest"] = digest
    assert labels.labels(runs[:2]) == ["ewc lam=100"] * 2
    assert labels.labels(runs[1:3]) == ["ewc lam=100 code=aa11bb", "ewc lam=100 code=cc33dd"]
    with pytest.raises(ValueError, match="differ in more than the seed, in code"):
        plots.average_accuracy(runs[1:3])
    for run in runs:
        run.config["class"] = "cl_helpers.methods.EWC"
    assert labels.labels(runs) == ["ewc lam=100"] * 4


def with_tasks(n, *names, **settings):
    run = a_run(seed=n)
    run.config |= {"data": "digits", "tasks": [*names]} | settings
    return run


def test_what_the_methods_have_learned_is_said_where_it_differs():
    easy, hard = a_run("ewc", lam=1.0), a_run("baseline")
    easy.config |= {"scenario": "task", "n_train": [100, 100]}
    hard.config |= {"scenario": "class", "n_train": [200], "knobs": {}}  # 200 in all, as the other
    assert labels.labels([easy, hard]) == ["ewc lam=1 scenario=task", "baseline scenario=class"]
    hard.config |= {"scenario": "task", "judged_by": "test"}  # the other does not tell
    assert labels.labels([easy, hard]) == ["ewc lam=1", "baseline"]
    hard.config |= {"n_train": [300]}
    assert labels.labels([easy, hard]) == ["ewc lam=1 n_train=200", "baseline n_train=300"]


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ([100.0], "ewc lam=100"),
        ([100.0, 5.0, 5.0], "ewc lam=100→5"),
        ([5.0, 5.0, 100.0], "ewc lam=100→5→100"),
        ([5.0, 6.0, 7.0, 8.0], "ewc lam=100→…→8"),
    ],
)
def test_a_lam_that_was_moved_is_no_other_runs(moves, said):
    run = a_run(lam=100.0)
    run.history = [{"lam": lam} for lam in moves]
    assert labels.label(run) == said


def test_runs_without_an_end_are_counted_beside_the_name():
    stopped, lost = a_run(seed=1, accuracy=((0.9, 0.1), (np.nan, np.nan))), a_run(seed=2)
    lost.diverged = {"task": 0, "step": 3, "loss": None}
    table = metrics_table([a_run(), stopped, lost])
    assert list(table.index) == ["ewc lam=100 (1 of 3 diverged) (1 of 3 stopped early)"]


def test_other_tasks_and_settings_are_no_repetitions():
    permuted = [with_tasks(n, "permutation 1", "permutation 2") for n in range(2)]
    other = with_tasks(2, "0 1", "2 3")
    shuffled = with_tasks(3, "3 0", "1 2")  # another order of the classes is another seed's
    assert labels.labels(permuted) == ["ewc lam=100"] * 2
    assert labels.labels([other, shuffled]) == ["ewc lam=100"] * 2
    assert len({*labels.labels([*permuted, other])}) == 2
    for name, value in {"learned": 1, "precision": "full", "optimizer_state": "keep"}.items():
        changed = with_tasks(4, "permutation 1", "permutation 2", **{name: value})
        assert labels.differing([permuted[0], changed]) == [name]
