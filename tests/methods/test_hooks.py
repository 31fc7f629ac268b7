"""A hook that somebody overrides acts, or the class is refused; what cannot work is said first."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import mlp, random_task

import cl_helpers as cl
from cl_helpers.methods import Quadratic

SIZES = (784, 16, 10)
HOW = {"epochs": 1, "batch_size": 32, "lr": 1e-3, "progress": False}


class Sparse(cl.EWC):
    """EWC with an L1 penalty."""

    def penalty(self, model):
        if not self.tasks_held:
            return torch.zeros(())
        theta = torch.cat([p.reshape(-1) for p in model.parameters()])
        return (self.omega * (theta - self.theta_star).abs()).sum()


class Smooth(cl.EWC):
    """EWC with smoothed labels, whose loss is written as one."""

    def loss(self, model, x, y):
        smooth = F.cross_entropy(model(x), y, label_smoothing=0.3)
        return smooth + self.lam * self.penalty(model)


class SmoothTask(cl.EWC):
    """The same by another hook."""

    def task_loss(self, model, x, y):
        return F.cross_entropy(model(x), y, label_smoothing=0.3)


def held(method):
    """The method after a task, and a model that has moved away since."""
    model, task = mlp(), random_task()
    method.begin_task(model, task)
    method.end_task(model, task)
    method.begin_task(model, task)
    theta = cl.flat.flatten(model).theta
    theta += 0.1 * torch.randn(theta.shape, generator=torch.Generator().manual_seed(1)).to(theta)
    return method, model, task


def gradient_of_a_step(method, model, task):
    """What a step of training would follow."""
    x, y = task.train.batch(torch.arange(20))
    method.begin_step(model)
    cl.flat.flatten(model).grad.zero_()
    method.traced_loss(model, x, y).backward()
    method.after_backward(model)
    return cl.flat.flatten(model).grad.clone()


@pytest.mark.parametrize(
    "method", [Sparse(lam=3.0), Smooth(lam=3.0), SmoothTask(lam=3.0), cl.EWC()]
)
def test_a_step_follows_the_gradient_of_the_loss(method):
    method, model, task = held(method)
    expected = torch.autograd.grad(
        method.loss(model, *task.train.batch(torch.arange(20))), list(model.parameters())
    )
    expected = torch.cat([g.reshape(-1) for g in expected])
    torch.testing.assert_close(gradient_of_a_step(method, model, task), expected)


def test_a_hook_set_on_one_object_acts_too():
    method, model, task = held(cl.EWC(lam=3.0))
    method.penalty = lambda model: sum(p.abs().sum() for p in model.parameters())
    expected = torch.autograd.grad(
        method.loss(model, *task.train.batch(torch.arange(20))), list(model.parameters())
    )
    expected = torch.cat([g.reshape(-1) for g in expected])
    torch.testing.assert_close(gradient_of_a_step(method, model, task), expected)


def test_overriding_acts_in_a_run_alone_and_in_a_sweep(few):
    tasks = cl.permuted(few, 2)
    plain = cl.train(cl.EWC(), tasks, cl.MLP(SIZES), **HOW)
    for method in (Smooth(), SmoothTask()):
        run = cl.train(copy.copy(method), tasks, cl.MLP(SIZES), **HOW)
        theta, other = (cl.flat.flatten(r.model).theta for r in (run, plain))
        assert not torch.allclose(theta, other)
        swept = cl.sweep(method, tasks, cl.MLP(SIZES), seeds=(0, 1), engine=1, **HOW)
        np.testing.assert_allclose(swept[0].accuracy, run.accuracy, atol=0.011)


@pytest.mark.parametrize("base", [cl.SI, cl.RWalk])
@pytest.mark.parametrize("hook", ["loss", "penalty"])
def test_a_path_needs_the_task_loss_alone(base, hook):
    with pytest.raises(TypeError, match=rf"^Mine overrides {hook}, .*: override task_loss, or"):
        type("Mine", (base,), {hook: lambda self, *_: torch.zeros(())})


@pytest.mark.parametrize(
    ("base", "hook", "instead"),
    [
        (cl.LwF, "penalty", "loss"),
        (cl.ER, "penalty", "loss"),
        (cl.DGR, "penalty", "loss"),
        (cl.ICaRL, "penalty", "loss"),
        (cl.ICaRL, "task_loss", "loss"),
    ],
)
def test_a_hook_that_nothing_calls_is_refused(base, hook, instead):
    with pytest.raises(TypeError, match=rf"overrides {hook}, which loss of .*override {instead}"):
        type("Mine", (base,), {hook: lambda self, *_: torch.zeros(())})
    both = {hook: lambda self, *_: torch.zeros(()), "loss": lambda self, *_: self.task_loss(*_)}
    if hook == "task_loss":
        assert type("Mine", (base,), both)


def test_the_task_loss_of_lwf_acts_in_every_task(few):
    class Mine(cl.LwF):
        def task_loss(self, model, x, y):
            return 2 * super().task_loss(model, x, y)

    tasks = cl.permuted(few, 2)
    model = cl.MLP(SIZES, seed=0)
    x, y = tasks[1].train.batch(torch.arange(20))
    losses = []
    for method in (cl.LwF(lam=1.0), Mine(lam=1.0)):
        method.begin_task(model, tasks[0])
        method.end_task(model, tasks[0])
        method.begin_task(model, tasks[1])
        losses.append(method.loss(model, x, y) - method.lam * method.distillation(
            model(x), method.soft_targets(x)))  # fmt: skip
    torch.testing.assert_close(losses[1], 2 * losses[0])


def test_in_task_il_stored_examples_have_outputs_of_their_own(few):
    class Mine(cl.ER):
        def task_loss(self, model, x, y):
            return 2 * super().task_loss(model, x, y)

    tasks = cl.split(few, 2, "task")[:2]
    with pytest.raises(ValueError, match=r"Mine overrides task_loss, .*: override loss_of instead"):
        cl.train(Mine(), tasks, cl.MLP(SIZES), **HOW)
    assert cl.train(Mine(), cl.split(few, 2, "domain")[:2], cl.MLP(SIZES), **HOW).complete


# --- before the first step ---


class OneIsTooFew(nn.Module):
    """Normalises over a batch, of one example too: which has no variance."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(784, track_running_stats=False)
        self.fc = nn.utils.skip_init(nn.Linear, 784, 10)
        nn.init.zeros_(self.fc.weight)

    def forward(self, x):
        return self.fc(self.norm(x.flatten(1)))


class Fails(Quadratic):
    name = label = "fails"

    def importance_of(self, model, task):
        return task.train.x @ model.weight


class TooShort(Quadratic):
    name = label = "too short"

    def importance_of(self, model, task):
        return torch.ones(3)


class Counts(cl.EWC):
    """Needs what only a task leaves, and draws random numbers."""

    def after_step(self, model):
        self.steps = getattr(self, "steps", 0) + 1

    def importance_of(self, model, task):
        return super().importance_of(model, task) * self.steps


@pytest.mark.parametrize(
    ("method", "model", "words"),
    [
        (
            cl.EWC(),
            OneIsTooFew(),
            r"EWC cannot compute its Ω with this OneIsTooFew: ValueError: Expected more than 1",
        ),
        (Fails(), cl.MLP(SIZES), r"fails cannot compute its Ω with this MLP: "),
        (
            TooShort(),
            cl.MLP(SIZES),
            r"TooShort returned .*\(3,\): return a vector",
        ),
    ],
)
def test_what_has_no_importance_is_refused_before_the_first_step(few, method, model, words):
    kinds = []

    def trained():
        how = {k: v for k, v in HOW.items() if k != "progress"}
        for event in cl.train_steps(method, cl.permuted(few, 2), model, every=1, **how):
            kinds.append(event.kind)

    with pytest.raises(ValueError, match=words) as refused:
        trained()
    assert "\n" not in str(refused.value)
    assert kinds in ([], ["start"])


def test_what_a_task_leaves_is_not_asked_for_before(few):
    assert cl.train(Counts(), cl.permuted(few, 2), cl.MLP(SIZES), **HOW).complete


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.gru, self.fc = nn.GRU(28, 8, batch_first=True), nn.Linear(8, 10)

    def forward(self, x):
        return self.fc(self.gru(x[:, 0])[0][:, -1])


@pytest.mark.parametrize("method", [cl.EWC(), cl.MAS(), cl.SCP(), cl.SI()], ids=lambda m: m.name)
@pytest.mark.filterwarnings("ignore:Recurrent is differentiated one example at a time")
def test_a_recurrent_network_is_trained_to_the_end(few, method):
    run = cl.train(method, cl.permuted(few.first(64, 32), 2), Recurrent(), **HOW)
    assert run.complete
    assert all(omega.isfinite().all() for omega in run.method.importance.values())


@pytest.mark.parametrize("method", [cl.EWC(), cl.SCP(), cl.GEM(), cl.ER()], ids=lambda m: m.name)
def test_a_layer_that_is_not_used_does_no_harm(few, method):
    class Spare(cl.MLP):
        def __init__(self):
            super().__init__(SIZES)
            self.spare = nn.utils.skip_init(nn.Linear, 3, 3)
            self.draw_weights(0)

    assert cl.train(copy.copy(method), cl.permuted(few, 2), Spare(), **HOW).complete
    swept = cl.sweep(method, cl.permuted(few, 2), Spare(), seeds=(0, 1), engine=1, **HOW)
    assert all(run.complete for run in swept)


def test_a_hook_that_is_called_by_a_roundabout_way_is_taken():
    class Plus(cl.Baseline):
        def loss(self, model, x, y):
            return super().loss(model, x, y) + 1

    class Sums(cl.Baseline):
        def loss(self, model, x, y):
            return sum(each.penalty(model) for each in [self])

    for base in (Plus, Sums):
        assert type("Mine", (base,), {"penalty": lambda self, model: torch.zeros(())})

    class Neither(cl.Baseline):
        def loss(self, model, x, y):
            return self.task_loss(model, x, y)

    with pytest.raises(TypeError, match="overrides penalty, which loss of Neither does not call"):
        type("Mine", (Neither,), {"penalty": lambda self, model: torch.zeros(())})


class NeedsMany(Quadratic):
    """Takes more examples than it is tried out with, and notes what it has seen."""

    name = label = "needs many"

    def __init__(self):
        self.seen = []

    def importance_of(self, model, task):
        x, _ = task.train.batch(torch.arange(50))
        self.seen.append(len(x))
        model.train()
        model(x)
        return torch.ones_like(cl.flat.flatten(model).theta)


def test_trying_out_leaves_nothing_behind(few):
    class Normed(cl.MLP):
        def __init__(self):
            super().__init__(SIZES)
            self.norm = nn.BatchNorm1d(784)

        def forward(self, x):
            return super().forward(self.norm(x.flatten(1)))

    method, model, task = NeedsMany(), Normed(), cl.permuted(few, 1)[0]
    method.begin_task(model, task)
    method.try_out(model, task)
    assert method.seen == []
    assert not model.norm.running_mean.any()
    run = cl.train(NeedsMany(), cl.permuted(few, 2), Normed(), **HOW)
    assert run.complete
    assert run.method.seen == [50, 50]
