"""Divergence is an outcome of a run: said where, and what is left of the run is no figure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F
from toys import PATIENCE, a_run

import cl_helpers as cl
from cl_helpers.report import plots, tables
from cl_helpers.training.divergence import AllDiverged, WatchedStep

SIZES = (784, 16, 10)
HOW = {"epochs": 2, "batch_size": 32, "optimizer": "sgd", "lr": 0.1, "progress": False}
FIGURES = ("average_accuracy", "forgetting", "backward_transfer", "forward_transfer")
TOO_STRONG = 1e9  # λ at which EWC's second task diverges at this learning rate


@pytest.fixture(scope="module")
def tasks(few):
    return cl.permuted(few, 3)


def by_hand(method, tasks, lr, batch_size=32, epochs=2):
    """(task, step, loss before) of the first loss that is not finite, in a plain loop.

    No sum of squares: the gradient of λ · penalty is computed by autograd.
    """
    model, order = cl.MLP(SIZES, seed=0), torch.Generator().manual_seed(0)
    for t, task in enumerate(tasks):
        method.begin_task(model, task)
        step, before = 0, None
        for _ in range(epochs):
            for index in torch.randperm(len(task.train), generator=order).split(batch_size):
                x, y = task.train.batch(index)
                loss = F.cross_entropy(model(x), y)
                if not loss.isfinite():
                    return t, step, before
                total = loss + method.lam * method.penalty(model)
                grads = torch.autograd.grad(total, list(model.parameters()))
                with torch.no_grad():
                    for p, g in zip(model.parameters(), grads, strict=True):
                        p.sub_(lr * g)
                step, before = step + 1, float(loss.detach())
        method.end_task(model, task)
    return None


@pytest.mark.parametrize(("lam", "lr"), [(TOO_STRONG, 0.1), (0.0, 1e9)])
def test_where_it_diverged_is_where_a_plain_loop_does(tasks, lam, lr, capsys):
    run = cl.train(cl.EWC(lam=lam), tasks, cl.MLP(SIZES, seed=0), **HOW | {"lr": lr})
    t, step, before = by_hand(cl.EWC(lam=lam), tasks, lr)
    assert (run.diverged["task"], run.diverged["step"]) == (t, step)
    assert run.diverged["loss"] == pytest.approx(before, rel=1e-3)
    said = f"diverged at step {step + 1} of task {t + 1} (loss {run.diverged['loss']:.3g} before; "
    assert run.outcome == f"{said}try a smaller learning rate or λ)"
    assert f"EWC {run.outcome}" in capsys.readouterr().out
    assert not run.complete
    assert np.isnan(run.accuracy[t:]).all()
    assert not np.isnan(np.diagonal(run.accuracy)[:t]).any()
    for name in FIGURES:
        assert np.isnan(getattr(run, name))


def test_if_only_the_last_task_diverges_it_is_not_finished(tasks):
    run = cl.train(cl.EWC(lam=TOO_STRONG), tasks[:2], cl.MLP(SIZES), **HOW)
    assert run.diverged["task"] == 1
    assert not run.complete
    assert np.isnan(run.accuracy[-1]).all()


def test_what_becomes_infinite_in_the_very_last_step_is_seen(few):
    class Explodes(cl.Baseline):
        def after_step(self, model):
            cl.flat.flatten(model).theta.fill_(torch.inf)

    how = HOW | {"epochs": 1, "batch_size": 300}
    run = cl.train(Explodes(), cl.permuted(few, 1), cl.MLP(SIZES), **how)
    assert run.diverged["step"] == 0
    assert np.isnan(run.accuracy).all()


def test_inputs_that_are_not_finite_are_named(few):
    dark = replace(few, std=torch.zeros_like(few.std))  # divides by 0
    run = cl.train(cl.EWC(), cl.permuted(dark, 2), cl.MLP(SIZES), **HOW)
    assert run.outcome == (
        "diverged at step 1 of task 1: its inputs hold NaN or ∞; give finite ones"
    )


def test_a_run_that_diverged_is_stored_as_it_is(tasks, tmp_path):
    run = cl.train(cl.EWC(lam=TOO_STRONG), tasks, cl.MLP(SIZES), **HOW)
    run.save(tmp_path / "run.json")
    again = cl.Run.load(tmp_path / "run.json")
    assert (again.diverged, again.outcome) == (run.diverged, run.outcome)
    np.testing.assert_array_equal(again.accuracy, run.accuracy)


def test_a_checkpoint_goes_on_to_the_same_divergence(tasks, tmp_path):
    how = HOW | {"checkpoint": tmp_path / "a"}
    runs = [cl.train(cl.EWC(lam=TOO_STRONG), tasks, cl.MLP(SIZES), **how) for _ in range(2)]
    assert runs[0].diverged == runs[1].diverged


@pytest.mark.parametrize("together", [1, 3])
def test_the_other_runs_of_a_sweep_are_what_they_are_alone(tasks, tmp_path, together, capsys):
    lams = [0.0, TOO_STRONG, 1.0]
    how = HOW | {"engine": 1, "together": together, "folder": tmp_path}
    runs = cl.sweep(cl.EWC(), tasks, cl.MLP(SIZES), lam=lams, **how)
    assert [run.diverged is not None for run in runs] == [False, True, False]
    assert {run.config["together"] for run in runs} == {together}
    for lam, run in zip(lams, runs, strict=True):
        alone = cl.train(cl.EWC(lam=lam), tasks, cl.MLP(SIZES), **HOW)
        np.testing.assert_allclose(run.accuracy, alone.accuracy, atol=0.011)
        assert len(run.history) == len(alone.history)
    assert f"seed 0 {runs[1].outcome}" in capsys.readouterr().out
    again = cl.sweep(cl.EWC(), tasks, cl.MLP(SIZES), lam=lams, **how)
    assert [run.diverged for run in again] == [run.diverged for run in runs]


def test_if_all_models_of_a_stack_diverge_it_ends(tasks):
    how = HOW | {"engine": 1, "lr": 1e9}
    runs = cl.sweep(cl.SI(), tasks, cl.MLP(SIZES), seeds=(0, 1), **how)
    assert [run.config["together"] for run in runs] == [2, 2]
    assert all(run.diverged["task"] == 0 for run in runs)


def test_each_model_of_a_stack_has_its_own_step(few):
    """Losses (steps, models), whatever the look of an epoch brings."""
    losses = iter(torch.tensor([[1.0, 2.0], [torch.nan, 3.0], [1.0, 4.0], [1.0, torch.inf]]))
    runs = [cl.Run.empty({}, 2) for _ in range(2)]
    step, theta = WatchedStep(lambda index: next(losses), cl.permuted(few, 1)[0]), torch.ones(2, 3)
    for _ in range(3):
        step(torch.arange(1))
    step.look(runs, theta, 0)
    assert runs[0].diverged == {"task": 0, "step": 1, "loss": 1.0}
    assert runs[1].diverged is None
    step(torch.arange(1))
    with pytest.raises(AllDiverged):
        step.look(runs, theta, 0)
    assert runs[0].diverged == {"task": 0, "step": 1, "loss": 1.0}
    assert runs[1].diverged == {"task": 0, "step": 3, "loss": 4.0}


# --- for people ---


@pytest.fixture
def runs():
    """Three seeds of EWC, one of which diverged, and one of MAS that has not."""
    diverged = a_run(seed=2, accuracy=((0.9, 0.1), (np.nan, np.nan)))
    diverged.diverged = {"task": 1, "step": 11, "loss": 3.0}
    return [a_run(seed=0), a_run(seed=1), diverged, a_run("mas")]


def test_a_table_has_no_mean_of_those_that_are_left(runs):
    frame = tables.metrics_table(runs)
    assert list(frame.index) == ["ewc lam=100 (1 of 3 diverged)", "mas lam=100"]
    assert list(frame.iloc[0])[:3] == ["–"] * 3
    assert np.isnan(tables.table(runs).loc["ewc lam=100"]["average_accuracy", "mean"])
    alone = tables.table([run for run in runs if not run.diverged])
    assert alone.loc["ewc lam=100"]["average_accuracy", "mean"] == pytest.approx(0.75)
    pd.testing.assert_series_equal(alone.loc["mas lam=100"], tables.table(runs).loc["mas lam=100"])


@pytest.mark.parametrize("draw", [plots.average_accuracy, plots.forgetting])
def test_a_chart_says_what_it_does_not_draw(runs, draw):
    figure = draw(runs)
    assert figure.axes[0].get_title("left") == "not drawn: EWC diverged (1)"
    assert "Not drawn: EWC diverged (1)." in plots.alt_text(figure)
    assert "not drawn" not in plots.alt_text(draw([runs[0], runs[3]])).lower()


def test_the_matrix_says_where(runs):
    assert (
        "EWC: diverged at step 12 of task 2" in plots.accuracy_matrix(runs[2]).axes[0].get_title()
    )


def test_the_course_table_does_not_take_it(runs, tmp_path):
    with pytest.raises(
        ValueError, match=r"ewc lam=100 diverged at step 12 .*: train it to the end"
    ):
        cl.summary(runs[2], runs[0], tmp_path / "table.json")


def test_the_lab_says_it_and_does_not_keep_it(few):
    lab = cl.widgets.Lab(few, "quick", method="baseline")
    try:
        lab.optimizer, lab.lr = "sgd", 1e9
        lab.start()
        run = lab.wait(PATIENCE)
        assert run.diverged
        assert lab.news["outcome"] == run.outcome
        lab.keep()
        assert lab.kept == []
    finally:
        lab.stop()


def test_a_sweep_to_scrub_through_names_it(runs):
    widget = cl.widgets.Sweep([runs[0], runs[2], a_run(lam=1.0)])
    assert widget.diverged == ["EWC with λ 100"]
