"""Tables tell experiments apart and take repetitions together."""

import pytest
from toys import a_run

from cl_helpers.report import labels, plots


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
