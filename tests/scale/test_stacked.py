"""A step of several models is a step of each; what a CUDA graph asks of a step."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from toys import full_but, mlp, random_task

import cl_helpers as cl
from cl_helpers.methods import Quadratic
from cl_helpers.models.flat import Stack, flatten
from cl_helpers.scale.stacked import StackedStep, can_be_stacked, train_together
from cl_helpers.speed.cuda_graph import attributes, rebound
from cl_helpers.training.settings import Settings
from cl_helpers.training.step import Step

SIZES = (784, 16, 10)
PLAIN = ["baseline", "ewc", "mas", "si", "rwalk", "scp"]
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def theta(run):
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def of(name, lam):
    return cl.METHODS[name](**({} if name == "baseline" else {"lam": lam}))


# --- together ---


@pytest.mark.parametrize("optimizer", full_but(["sgd", "adam"], "sgd"))
def test_members_of_a_stack_end_where_they_end_alone(few, optimizer):
    """All methods in one stack, two λ and two seeds each."""
    tasks = cl.permuted(few, 3)
    members = [(n, lam, seed) for n in PLAIN for lam in (0.0, 2.0) for seed in (0, 1)]
    how = {"epochs": 2, "batch_size": 32, "optimizer": optimizer}
    how |= {"lr": 1e-3 if optimizer == "adam" else 0.01}  # 0.05 lets SI's penalty diverge
    methods = [of(name, lam) for name, lam, _ in members]
    models = [cl.MLP(SIZES) for _ in members]
    seeds = [seed for *_, seed in members]
    *_, last = train_together(methods, tasks, models, Settings(**how), seeds)
    ends = []
    for (name, lam, seed), run in zip(members, last.runs, strict=True):
        alone = cl.train(of(name, lam), tasks, cl.MLP(SIZES), seed=seed, progress=False, **how)
        # Adam's first steps are ± lr whatever the size of g: rounding can turn one around.
        tolerance = {"rtol": 1e-4, "atol": 2e-5 if optimizer == "sgd" else 5e-3}
        torch.testing.assert_close(theta(run), theta(alone), **tolerance)
        np.testing.assert_allclose(run.accuracy, alone.accuracy, atol=0.02)
        assert run.history[-1]["lam"] == alone.history[-1]["lam"]
        if isinstance(run.method, Quadratic):
            torch.testing.assert_close(run.method.omega, alone.method.omega, rtol=2e-2, atol=1e-3)
        ends.append(theta(run))
    assert not torch.allclose(ends[2], ends[3], atol=1e-2)  # two seeds
    assert not torch.allclose(ends[4], ends[6], atol=1e-4)  # two λ


def test_one_step_of_a_stack_is_autograds_step_in_float64():
    task, models = random_task(), [mlp(), mlp(), mlp()]
    with torch.no_grad():
        for m, model in enumerate(models):
            for p in model.parameters():
                p.mul_(1 + m)
    starts = [flatten(model).theta.clone() for model in models]
    methods = [cl.Baseline() for _ in models]
    step = StackedStep(methods, models, task, Settings(optimizer="sgd", lr=0.1))
    index = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [3, 1, 4, 1]])
    losses = step(index)
    for m, start in enumerate(starts):
        model = mlp()
        nn.utils.vector_to_parameters(start, model.parameters())
        loss = F.cross_entropy(model(task.train.x[index[m]]), task.train.y[index[m]])
        loss.backward()
        moved = [p.detach() - 0.1 * p.grad for p in model.parameters()]
        torch.testing.assert_close(
            flatten(models[m]).theta, torch.cat([v.flatten() for v in moved])
        )
        torch.testing.assert_close(losses[m], loss.detach())


def test_a_stack_shares_memory_with_its_models():
    models = [mlp(), mlp()]
    before = [model(torch.ones(1, 6, dtype=torch.float64)) for model in models]
    stack = Stack(models)
    after = [model(torch.ones(1, 6, dtype=torch.float64)) for model in models]
    torch.testing.assert_close(after, before)
    stack.theta[1].zero_()
    assert not any(p.any() for p in models[1].parameters())
    assert all(p.any() for p in models[0].parameters())
    stack.grad[0].fill_(3.0)
    assert flatten(models[0]).grad.eq(3).all()
    assert not flatten(models[1]).grad.any()


class OwnLoss(cl.EWC):
    def task_loss(self, model, x, y):
        return super().task_loss(model, x, y) * 2


class OwnPull(cl.EWC):
    def traced_loss(self, model, x, y):
        return self.loss(model, x, y)


def test_who_can_be_stacked(few):
    x, _ = cl.permuted(few, 1)[0].train.batch(torch.arange(2))

    def stackable(method, model):
        return can_be_stacked(method, model, x)

    plain = cl.MLP(SIZES)
    assert all(stackable(cl.METHODS[name](), plain) for name in PLAIN)
    assert not stackable(cl.Joint(), plain)
    assert not stackable(OwnLoss(), plain)
    assert not stackable(OwnPull(), plain)
    assert not stackable(cl.EWC(), cl.MLP(SIZES, dropout=0.5))
    assert not stackable(cl.EWC(), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784)))
    frozen = cl.MLP(SIZES)
    frozen.fc1.requires_grad_(False)
    assert not stackable(cl.EWC(), frozen)


class PutsGradientsElsewhere(cl.EWC):
    def after_backward(self, model):
        super().after_backward(model)
        for p in model.parameters():
            p.grad = p.grad.clone() * self.times


class DropsGradients(cl.EWC):
    def after_step(self, model):
        model.zero_grad()  # sets them to None


@pytest.mark.parametrize("n", [1, 2])
def test_a_method_may_put_gradients_elsewhere(few, n):
    """GEM, say, puts others in their place."""
    tasks = cl.permuted(few, 2)
    how = Settings(epochs=2, batch_size=32, optimizer="sgd", lr=0.05)

    def trained(*methods):
        models = [cl.MLP(SIZES) for _ in methods]
        *_, last = train_together(methods, tasks, models, how, [0] * len(methods))
        return [theta(run) for run in last.runs]

    (plain,) = trained(cl.EWC(lam=2.0))
    ends = {}
    for times in (1.0, 0.0):
        methods = [PutsGradientsElsewhere(lam=2.0) for _ in range(n)]
        for method in methods:
            method.times = times
        ends[times] = trained(*methods)
    start = torch.cat([p.detach().flatten() for p in cl.MLP(SIZES, seed=0).parameters()])
    for one, none in zip(ends[1.0], ends[0.0], strict=True):
        torch.testing.assert_close(one, plain, rtol=1e-4, atol=2e-5)
        assert torch.equal(none, start)
    for end in trained(*[DropsGradients(lam=2.0) for _ in range(n)]):
        torch.testing.assert_close(end, plain, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_the_optimizer_goes_on_with_those_that_have_not_diverged(few, optimizer):
    tasks, lams = cl.permuted(few, 3), (2.0, 1e9, 0.0)
    how = {"epochs": 2, "batch_size": 32, "optimizer_state": "keep", "optimizer": optimizer}
    how |= {"lr": 1e-3} if optimizer == "adam" else {"lr": 0.05, "momentum": 0.8}
    methods = [Runaway(lam=lam) for lam in lams]
    models = [cl.MLP(SIZES) for _ in lams]
    *_, last = train_together(methods, tasks, models, Settings(**how), [0, 0, 0])
    assert [run.diverged and run.diverged["task"] for run in last.runs] == [None, 1, None]
    for method, run in zip((cl.EWC(lam=2.0), None, cl.Baseline()), last.runs, strict=True):
        if method is not None:
            alone = cl.train(method, tasks, cl.MLP(SIZES), progress=False, **how)
            torch.testing.assert_close(theta(run), theta(alone), rtol=1e-4, atol=5e-3)


class Runaway(cl.EWC):
    """EWC whose weights overflow in the second task if λ is large."""

    def after_backward(self, model):
        super().after_backward(model)
        if self.lam > 1e8 and self.tasks_held:
            flatten(model).theta.fill_(math.inf)


# --- what a graph asks ---


class NoWaiting(TorchDispatchMode):
    """Raises at whatever makes a GPU wait for the host, or cannot be replayed."""

    FORBIDDEN = ("_local_scalar_dense", "nonzero", "is_nonzero", "equal", "lift_fresh", "unique")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket._qualified_op_name.split("::")[1]
        assert name not in self.FORBIDDEN, f"{name} in a training step"
        return func(*args, **(kwargs or {}))


def second_task(name, tasks, n=1):
    """A step of the second task, after a few, its methods and its models."""
    methods, models = [cl.METHODS[name]() for _ in range(n)], [cl.MLP(SIZES) for _ in range(n)]
    pairs = list(zip(methods, models, strict=True))
    for task in tasks[:2]:
        for method, model in pairs:
            method.begin_task(model, task)
        step = (
            Step(methods[0], models[0], task, Settings())
            if n == 1
            else StackedStep(methods, models, task, Settings())
        )
        for i in range(3):
            for method, model in pairs:
                method.begin_step(model)
            step(batch(n) + i)
        if task is tasks[0]:
            for method, model in pairs:
                method.end_task(model, task)
    return step, methods, models


def batch(n):
    """Positions of 20 examples, for each of n models."""
    return torch.arange(20) if n == 1 else torch.arange(20).repeat(n, 1)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("scenario", ["permuted", "rotated", "task", "class"])
@pytest.mark.parametrize("name", PLAIN)
def test_a_step_never_waits_and_keeps_its_memory(few, name, scenario, n):
    if scenario in ("permuted", "rotated"):
        tasks = {"permuted": cl.permuted, "rotated": cl.rotated}[scenario](few, 2)
    else:
        tasks = cl.split(few, 5, scenario=scenario)
    step, methods, models = second_task(name, tasks, n)
    before = attributes(methods)
    thetas = [flatten(model).theta.clone() for model in models]
    with NoWaiting():
        step(batch(n))
    for model, was in zip(models, thetas, strict=True):
        assert not torch.equal(flatten(model).theta, was)
    assert not rebound(before, attributes(methods))


def test_waiting_and_counting_are_noticed(few):
    class Impatient(cl.Baseline):
        def after_step(self, model):
            flatten(model).theta.sum().item()

    class Counting(cl.Baseline):
        n = 0

        def after_step(self, model):
            self.n += 1

    task = cl.permuted(few, 1)[0]
    for method in (Impatient(), Counting()):
        model = cl.MLP(SIZES)
        method.begin_task(model, task)
        step = Step(method, model, task, Settings())
        step(batch(1))
        if isinstance(method, Impatient):
            with pytest.raises(AssertionError, match="_local_scalar_dense"), NoWaiting():
                step(batch(1))
        else:
            before = attributes([method])
            step(batch(1))
            assert rebound(before, attributes([method])) == ["Baseline.n"]


@pytest.mark.parametrize("name", PLAIN[1:])
def test_a_change_of_lambda_reaches_a_step_through_memory_alone(few, name):
    """What a replayed graph would see: the same objects, another λ in them."""
    step, [method], [model] = second_task(name, cl.permuted(few, 2))
    start, held = flatten(model).theta.clone(), attributes([method])
    gradients = []
    for lam in (0.0, 10.0, 20.0):
        flatten(model).theta.copy_(start)
        method.lam = lam
        method.begin_step(model)
        assert not rebound(held, attributes([method]))
        method.lam = 1e9  # too late for this step
        step(batch(1))
        gradients.append(flatten(model).grad.clone())
    once, twice = gradients[1] - gradients[0], gradients[2] - gradients[0]
    assert once.abs().max() > 0
    torch.testing.assert_close(twice, 2 * once, rtol=1e-3, atol=1e-4 * once.abs().max().item())


class OwnPenalty(cl.Baseline):
    def penalty(self, model):
        return flatten(model).theta.square().sum()


def test_a_lambda_that_python_reads_counts_as_an_attribute():
    """A step with it has to be recorded again."""
    for method, seen in ((cl.EWC(), []), (OwnPenalty(), ["Baseline.lam"])):
        method.lam = 1.0
        before = attributes([method])
        method.lam = 2.0
        assert rebound(before, attributes([method])) == seen


# --- on CUDA ---


@needs_cuda
@pytest.mark.parametrize("name", cl.METHODS)
def test_cpu_cuda_and_graph_give_the_same_run(few, name):
    def run(**how):
        how |= {"epochs": 2, "batch_size": 32, "optimizer": "sgd", "lr": 0.05, "precision": "full"}
        method = cl.METHODS[name]()
        if name == "ewc":
            method.lam = 10.0  # with its default SGD diverges at this lr, on every device
        scenario = "domain" if "domain" in method.scenarios else "class"
        tasks = cl.permuted(few, 3, scenario=scenario)
        model = cl.MLP((*SIZES[:-1], tasks[-1].n_outputs))
        return cl.train(method, tasks, model, **how, progress=False)

    cpu, plain, graph = (
        run(device="cpu"),
        run(device="cuda", cuda_graph=False),
        run(device="cuda"),
    )
    for other in (plain, graph):
        torch.testing.assert_close(theta(other).cpu(), theta(cpu), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(other.accuracy, cpu.accuracy, atol=0.02)


@needs_cuda
@pytest.mark.parametrize("kind", [cl.EWC, OwnPenalty])
def test_lambda_moved_in_mid_run_acts_on_a_recorded_step(few, kind):
    def run(cuda_graph):
        method = kind()
        method.lam = 0.0
        how = {"epochs": 4, "batch_size": 30, "optimizer": "sgd", "lr": 0.05}
        for event in cl.train_steps(
            method, cl.permuted(few, 2), cl.MLP(SIZES), device="cuda", cuda_graph=cuda_graph, **how
        ):
            if event.step == 60:
                method.lam = 100.0
        return theta(event.run)

    torch.testing.assert_close(run(True), run(False), rtol=1e-3, atol=1e-4)


@needs_cuda
def test_a_step_that_cannot_be_recorded_is_run_plainly_and_said_so(few):
    class Counting(cl.Baseline):
        n = 0

        def after_step(self, model):
            self.n += 1

    class Waiting(cl.Baseline):
        def after_step(self, model):
            flatten(model).theta.sum().item()

    for method in (Counting(), Waiting()):
        with pytest.warns(UserWarning, match="Baseline: steps are taken one kernel at a time"):
            run = cl.train(
                method, cl.permuted(few, 2), cl.MLP(SIZES), epochs=2, device="cuda", progress=False
            )
        assert run.complete


@needs_cuda
def test_dropout_in_a_recorded_step_draws_anew(few):
    model = cl.MLP(SIZES, dropout=0.5)
    losses = {
        event.loss.item()
        for event in cl.train_steps(
            cl.Baseline(), cl.permuted(few.first(32, 10), 1), model,
            epochs=30, batch_size=32, lr=1e-12, device="cuda", every=1,
        )
        if event.kind == "step"
    }  # fmt: skip
    assert len(losses) > 20
