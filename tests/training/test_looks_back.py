"""`looks_back`: which tasks are evaluated while many others are still to come."""

import numpy as np
import pytest
import torch

import cl_helpers as cl
from cl_helpers.models.flat import flatten
from cl_helpers.scale.stacked import train_together
from cl_helpers.training.settings import Settings

HOW = {"epochs": 2, "batch_size": 50, "lr": 0.01, "device": "cpu"}
N = 5


def train(few, **how):
    model = cl.MLP((784, 12, 10))
    return cl.train(cl.Baseline(), cl.permuted(few, N), model, progress=False, **HOW | how)


@pytest.mark.parametrize("back", [0, 1, 3])
def test_the_newest_tasks_are_evaluated_and_at_the_end_all(few, back, tmp_path):
    everything, some = train(few), train(few, looks_back=back)
    t, j = np.indices((N, N))
    asked = (t - back <= j) | (t == N - 1)
    there = asked & (j <= t + 1)  # the next task is evaluated too, for forward transfer
    np.testing.assert_array_equal(~np.isnan(some.accuracy), there)
    np.testing.assert_array_equal(some.accuracy[there], everything.accuracy[there])
    for entry, whole in zip(some.history, everything.history, strict=True):
        known = ~np.isnan(entry["accuracy"])
        assert known.tolist() == asked[entry["task"], : entry["task"] + 1].tolist()
        assert (
            np.array(entry["accuracy"])[known].tolist()
            == np.array(whole["accuracy"])[known].tolist()
        )
    assert torch.equal(flatten(some.model).theta, flatten(everything.model).theta)
    assert some.average_accuracy == everything.average_accuracy
    assert some.backward_transfer == everything.backward_transfer
    some.save(tmp_path / "run.json")
    np.testing.assert_array_equal(cl.Run.load(tmp_path / "run.json").accuracy, some.accuracy)


def test_joint_training_is_evaluated_on_all(few):
    run = cl.train(
        cl.Joint(), cl.permuted(few, 3), cl.MLP((784, 8, 10)), progress=False, looks_back=0, **HOW
    )
    assert run.complete


def test_together_it_is_the_same(few):
    tasks, settings = cl.permuted(few, N), Settings(looks_back=1, **HOW)
    methods, models = [cl.Baseline(), cl.EWC(lam=3.0)], [cl.MLP((784, 12, 10)) for _ in range(2)]
    *_, event = train_together(methods, tasks, models, settings, [0, 0])
    alone = train(few, looks_back=1)
    np.testing.assert_array_equal(np.isnan(event.runs[0].accuracy), np.isnan(alone.accuracy))
    np.testing.assert_allclose(event.runs[0].accuracy, alone.accuracy, atol=0.021)


@pytest.mark.parametrize("value", [-1, 1.5, "all", True])
def test_what_is_no_number_of_tasks_is_refused(value):
    with pytest.raises(ValueError, match="looks_back is"):
        Settings(looks_back=value)


class Seen(cl.Baseline):
    """Notes the sizes of the optimiser's moments of the last weight, after each step."""

    def after_step(self, model):
        super().after_step(model)
        moments = flatten(model).moments_of(model.fc2.weight)
        self.seen = [m.clone() for m in moments]
        for m in moments:
            m[3] = 7.0


@pytest.mark.parametrize(("optimizer", "n"), [("adam", 2), ("sgd", 0)])
@pytest.mark.parametrize("together", [1, 2])
def test_a_method_can_read_and_write_what_the_optimiser_keeps(few, optimizer, n, together):
    how = HOW | {"epochs": 1, "optimizer": optimizer, "cuda_graph": False}
    methods, models = ([kind() for _ in range(together)] for kind in (Seen, small))
    *_, event = train_together(
        methods, cl.permuted(few, 1), models, Settings(**how), [*range(together)]
    )
    assert event.kind == "task"
    for method in methods:
        assert len(method.seen) == n
        for m in method.seen:
            assert m.shape == (10, 12)
            assert (m[3] > 1).all()  # what was written stayed, decayed by one step
            assert (m[[0, 1, 2, 4]].abs() < 1).all()
    if n and together == 2:
        assert not torch.equal(methods[0].seen[0][:3], methods[1].seen[0][:3])


def small():
    return cl.MLP((784, 12, 10))


def test_a_run_that_looked_back_on_nothing_and_was_stopped_has_no_average():
    """Its last complete row is that of task 1, however many tasks it has learned since."""
    a = np.full((4, 4), np.nan)
    a[0, 0], a[1, 1], a[2, 2] = 0.9, 0.8, 0.7
    for metric in (
        cl.metrics.average_accuracy,
        cl.metrics.forgetting,
        cl.metrics.backward_transfer,
    ):
        assert np.isnan(metric(a))
    a[2] = 0.6, 0.5, 0.7, np.nan  # it looked back on all in the end
    assert cl.metrics.average_accuracy(a) == pytest.approx(0.6)
