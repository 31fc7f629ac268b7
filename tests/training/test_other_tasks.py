"""Tasks that are no classification: what they need, and which methods cannot be trained on them."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn
from toys import InMemory

import cl_helpers as cl
from cl_helpers.analysis import curvature
from cl_helpers.data.tasks import Task

HOW = {"epochs": 2, "batch_size": 20, "lr": 1e-3, "progress": False}


@dataclass(frozen=True)
class Regression(Task):
    """Targets (N, 2), normally distributed around the outputs, with σ = 1."""

    def loss(self, logits, y):
        return (logits - y).square().sum(1).mean() / 2

    def log_likelihood(self, logits, y):
        return -(logits - y).square().sum(1) / 2

    def prediction(self, logits):
        return logits

    def score(self, prediction, y):
        """Squared error."""
        return (prediction - y).square().sum(1)


@dataclass(frozen=True)
class MeanAlone(Regression):
    def score(self, prediction, y):
        return (prediction - y).square().mean()


def examples(slope, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(40, 6, generator=generator)
    return InMemory(x, slope * x[:, :2] + 0.1 * torch.randn(40, 2, generator=generator))


def tasks_of(kind):
    halves = [(examples(s, seed=s), examples(s, seed=s + 10)) for s in (1, 2)]
    return [kind(f"slope {s + 1}", "toy", *half, ()) for s, half in enumerate(halves)]


@pytest.fixture
def tasks():
    return tasks_of(Regression)


@pytest.fixture
def linear():
    return nn.utils.skip_init(nn.Linear, 6, 2).requires_grad_().apply(_zero)


def _zero(module):
    nn.init.constant_(module.weight, 0.1)
    nn.init.zeros_(module.bias)


@pytest.mark.parametrize(
    "name", ["baseline", "joint", "ewc", "mas", "si", "rwalk", "scp", "er", "agem", "gem"]
)
def test_a_regression_is_learned_and_scored(tasks, linear, name):
    how = HOW | {"epochs": 60, "lr": 0.03}
    run = cl.train(cl.METHODS[name](), tasks, linear, **how)
    x, y = tasks[-1].test.x, tasks[-1].test.y
    error = (linear(x) - y).square().sum(1).mean().item()
    assert run.accuracy[-1, -1] == pytest.approx(error, rel=1e-5)
    if name == "baseline":
        assert error < 0.1 < run.accuracy[-1, 0]


def test_its_fisher_is_the_expectation_of_squared_gradients(tasks, linear):
    """With σ = 1 the gradient of log p by the weight w_ki is (y_k − z_k) x_i."""
    method = cl.EWC()
    cl.train(method, tasks[:1], linear, **HOW)
    x, y = tasks[0].train.x, tasks[0].train.y
    off = (y - linear(x)).detach()
    by_weight = (off[:, :, None] * x[:, None]).square().mean(0).flatten()
    expected = torch.cat([by_weight, off.square().mean(0)])
    torch.testing.assert_close(method.omega, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (cl.EWC(fisher="true"), "fisher is 'true', .* slope 1 has a prediction"),
        (cl.LwF(), "LwF takes outputs for those of a classifier, but slope 1"),
        (cl.ICaRL(), "iCaRL"),
        (cl.DGR(), "DGR takes outputs for those of a classifier, but slope 1"),
    ],
)
def test_a_method_that_needs_classes_is_refused(tasks, linear, method, words):
    with pytest.raises(ValueError, match=words):
        cl.train(method, tasks, linear, **HOW)


def test_targets_that_are_no_labels_need_a_score_of_their_own(linear):
    with pytest.raises(ValueError, match=r"slope 1 has targets .*: give labels \(N,\), or a Task"):
        cl.train(cl.Baseline(), tasks_of(Task), linear, **HOW)


def test_a_score_is_a_number_for_each_example(linear):
    with pytest.raises(ValueError, match=r"slope 1 scores 40 examples as .*: return a number"):
        cl.train(cl.Baseline(), tasks_of(MeanAlone), linear, **HOW)


def test_icarl_looks_at_all_tasks_before_it_trains_on_the_first(few):
    whole = cl.split(few, 5)
    second = whole[1]
    rows = [n for n, y in enumerate(second.train.y.tolist()) if y != 7]
    x, y = second.train.batch(torch.tensor(rows))
    cut = Task(
        second.name, "toy", InMemory(x, y), second.test, second.classes, second.active, "class"
    )
    with pytest.raises(ValueError, match="has no training images of 7"):
        next(cl.train_steps(cl.ICaRL(), [whole[0], cut], cl.MLP((784, 16, 10))))


@pytest.mark.parametrize("batch_size", [10_000, 7])
def test_the_hessian_is_that_of_the_tasks_own_loss(tasks, linear, batch_size):
    """Of squared errors it is XᵀX / N, for each output, with a column of ones."""
    x, y = tasks[0].train.x, tasks[0].train.y
    wide = torch.cat([x, torch.ones(40, 1)], 1).double()
    expected = np.linalg.eigvalsh((wide.T @ wide / 40).numpy())[::-1]
    loss = curvature.Loss(linear, x, y, tasks[0], batch_size=batch_size)
    w = curvature.weights(linear)
    assert loss(w) == pytest.approx(tasks[0].loss(linear(x), y).item(), rel=1e-5)
    found = curvature.largest(loss, w, 4)
    np.testing.assert_allclose(found, np.repeat(expected[:2], 2), rtol=1e-4)
