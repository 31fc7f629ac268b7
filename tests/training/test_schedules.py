"""Schedules against PyTorch's own, alone and in training."""

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

import cl_helpers as cl
from cl_helpers.training.schedules import SCHEDULES, factors

N, FINAL = 61, 0.02
TORCH = {
    "constant": lambda opt: lr_scheduler.ConstantLR(opt, factor=1),
    "step": lambda opt: lr_scheduler.MultiStepLR(opt, [20, 40], gamma=FINAL**0.5),
    "exponential": lambda opt: lr_scheduler.ExponentialLR(opt, FINAL ** (1 / (N - 1))),
    "cosine": lambda opt: lr_scheduler.CosineAnnealingLR(opt, N - 1, eta_min=FINAL),
    "one-cycle": lambda opt: lr_scheduler.OneCycleLR(
        opt, 1.0, N, pct_start=19 / N, cycle_momentum=False, final_div_factor=1 / 25 / FINAL
    ),
}


def of_torch(make):
    """The learning rates that PyTorch's scheduler gives to N steps."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(N):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_pytorchs(name):
    np.testing.assert_allclose(factors(name, N, final=FINAL), of_torch(TORCH[name]), rtol=1e-6)


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine"])
def test_warm_up_is_pytorchs_and_the_schedule_has_the_rest(name):
    warm = 12
    got = factors(name, N, warm_up=warm / N, final=FINAL)
    rise = of_torch(lambda opt: lr_scheduler.LinearLR(opt, 1 / (warm + 1), total_iters=warm))
    np.testing.assert_allclose(got[: warm + 1], rise[: warm + 1])
    np.testing.assert_array_equal(got[warm:], factors(name, N - warm, final=FINAL))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_shortest_tasks_have_a_rate_for_every_step(name, n):
    got = factors(name, n)
    assert got.shape == (n,)
    assert ((got > 0) & (got <= 1)).all()
    assert got.max() > 0.8  # a task of one step is not trained at a 25th of lr


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "one-cycle"])
@pytest.mark.parametrize("warm_up", [0.6, 0.95])
def test_a_warm_up_leaves_the_schedule_a_step(name, warm_up):
    for n in range(1, 12):
        assert factors(name, n, warm_up=warm_up).max() == 1


def by_hand(tasks, rates):
    """SGD with the rates given, one task after the other, in the order that a run draws."""
    model = cl.MLP((784, 12, 10), seed=4)
    order = torch.Generator().manual_seed(7)
    for task, of_task in zip(tasks, map(iter, rates), strict=True):
        for _ in range(2):
            for index in torch.randperm(len(task.train), generator=order).split(32):
                x, y = task.train.batch(index)
                loss = torch.nn.functional.cross_entropy(model(x), y)
                lr = next(of_task)
                for p, g in zip(
                    model.parameters(),
                    torch.autograd.grad(loss, list(model.parameters())),
                    strict=True,
                ):
                    p.data -= lr * g
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("name", SCHEDULES)
def test_training_takes_the_rates_step_by_step_and_anew_in_every_task(few, name):
    tasks = cl.permuted(few, 2)
    n = 2 * -(-len(tasks[0].train) // 32)
    how = {"lr": 0.2, "lr_decay": 0.5, "schedule": name, "lr_final": FINAL}
    how["warm_up"] = 0.0 if name == "one-cycle" else 0.25
    curve = factors(name, n, warm_up=how["warm_up"], final=FINAL)
    expected = by_hand(tasks, [0.2 * curve, 0.1 * curve])
    run = cl.train(
        cl.Baseline(),
        tasks,
        cl.MLP((784, 12, 10), seed=4),
        epochs=2,
        batch_size=32,
        optimizer="sgd",
        seed=7,
        progress=False,
        **how,
    )
    got = torch.cat([p.detach().flatten() for p in run.model.parameters()])
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_models_that_train_together_share_the_schedule(few):
    tasks = cl.permuted(few, 2)
    how = {"epochs": 1, "schedule": "cosine", "warm_up": 0.1, "lr": 0.01, "progress": False}
    runs = cl.sweep(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), seeds=(0, 1), engine=1, **how)
    for seed, run in enumerate(runs):
        alone = cl.train(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), seed=seed, **how)
        np.testing.assert_allclose(run.accuracy, alone.accuracy, atol=0.02)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"schedule": "linear"}, "schedule is 'linear': choose constant, step"),
        ({"warm_up": 1.0}, "warm_up is 1.0: choose 0 ≤ warm_up < 1"),
        ({"warm_up": 0.1, "schedule": "one-cycle"}, "one-cycle has its own"),
        ({"lr_final": 0}, "lr_final is 0: choose"),
        ({"dropout": 1.0}, "dropout is 1.0: choose"),
    ],
)
def test_what_makes_no_sense_is_refused(few, given, words):
    with pytest.raises(ValueError, match=words):
        cl.train(cl.Baseline(), cl.permuted(few, 1), progress=False, **given)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("linear", {}, "schedule is 'linear': choose constant, step"),
        ("cosine", {"warm_up": -0.1}, "warm_up is -0.1: choose 0 ≤ warm_up < 1"),
        ("one-cycle", {"warm_up": 0.1}, "one-cycle has its own"),
        ("exponential", {"final": -1}, "lr_final is -1: choose"),
        (["cosine"], {}, r"schedule is \['cosine'\]: choose constant, step"),
    ],
)
def test_a_curve_refuses_what_training_does(name, given, words):
    with pytest.raises(ValueError, match=words):
        factors(name, 10, **given)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_a_curve_has_steps(n):
    with pytest.raises(ValueError, match=f"n_steps is {n}: choose a whole number"):
        factors("cosine", n)


# --- dropout ---


def test_dropout_in_training_is_dropout_of_the_model(few):
    tasks = cl.permuted(few, 2)
    how = {"epochs": 1, "lr": 0.01, "progress": False}
    told = cl.train(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), dropout=0.5, **how)
    built = cl.train(cl.Baseline(), tasks, cl.MLP((784, 8, 10), dropout=0.5), **how)
    off = cl.train(cl.Baseline(), tasks, cl.MLP((784, 8, 10), dropout=0.5), dropout=0.0, **how)
    plain = cl.train(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), **how)
    same = [
        (told, built, True),
        (off, plain, True),
        (told, plain, False),
    ]
    for one, other, equal in same:
        pairs = zip(one.model.parameters(), other.model.parameters(), strict=True)
        assert all(torch.equal(p, q) for p, q in pairs) is equal


def test_a_sweep_with_dropout_takes_its_steps_alone_and_is_named_by_it(few, tmp_path):
    tasks = cl.permuted(few, 1)
    how = {"epochs": 1, "seeds": (0, 1), "folder": tmp_path, "progress": False, "engine": 1}
    model = cl.MLP((784, 8, 10))
    with_it = cl.sweep(cl.Baseline(), tasks, model, dropout=0.5, **how)
    assert [run.config["together"] for run in with_it] == [1, 1]
    assert model.dropout.p == 0  # it was only copied
    before = set(tmp_path.iterdir())
    cl.sweep(cl.Baseline(), tasks, model, **how)
    assert len(set(tmp_path.iterdir()) - before) == 2


def test_dropout_where_there_is_no_layer_for_it_is_refused(few):
    with torch.random.fork_rng():
        model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    with pytest.raises(ValueError, match=r"dropout is 0.5, but Sequential has no layer for it"):
        cl.train(cl.Baseline(), cl.permuted(few, 1), model, dropout=0.5, progress=False)


def test_settings_that_say_nothing_new_leave_a_run_where_it_was(few, tmp_path):
    """A run of before these settings is found again by its name."""
    tasks, how = cl.permuted(few, 1), {"folder": tmp_path, "epochs": 1, "progress": False}
    cl.sweep(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), **how)
    names = set(tmp_path.iterdir())
    told = {"schedule": "constant", "warm_up": 0.0, "dropout": None}
    cl.sweep(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), **how, **told)
    assert set(tmp_path.iterdir()) == names
    cl.sweep(cl.Baseline(), tasks, cl.MLP((784, 8, 10)), **how, schedule="cosine")
    assert len(set(tmp_path.iterdir())) == 2
