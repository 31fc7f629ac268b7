"""Curvature against dense Hessians, closed forms and hand-made quadratics."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.analysis import curvature
from cl_helpers.models.flat import flatten, unflatten


def examples(n=40, inputs=6, classes=3):
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(n, inputs, generator=generator, dtype=torch.float64)
    return x, torch.randint(classes, (n,), generator=generator)


def dense(model, x, y):
    """H by differentiating twice entry by entry, (P, P)."""
    shapes = flatten(model).shapes

    def loss(w):
        return F.cross_entropy(torch.func.functional_call(model, unflatten(w, shapes), (x,)), y)

    return torch.autograd.functional.hessian(loss, curvature.weights(model))


@pytest.fixture
def net():
    model = cl.MLP((6, 7, 5, 3), seed=1).double()
    x, y = examples()
    return model, x, y, dense(model, x, y)


@pytest.mark.parametrize("batch_size", [10_000, 7])
def test_products_are_those_of_the_dense_hessian(net, batch_size):
    model, x, y, h = net
    product = curvature.Loss(model, x, y, batch_size=batch_size).hessian(curvature.weights(model))
    v = torch.linspace(-1, 2, len(h), dtype=torch.float64)
    for _ in range(2):  # the graph outlives a product
        torch.testing.assert_close(product(v), h @ v)


@pytest.mark.parametrize("k", [1, 4])
def test_top_eigenvalues_are_those_of_the_dense_hessian(net, k):
    model, x, y, h = net
    expected = torch.linalg.eigvalsh(h).flip(0)[:k].numpy()
    np.testing.assert_allclose(curvature.top_eigenvalues(model, x, y, k), expected, rtol=1e-6)


def test_top_eigenvalues_in_float32_are_good_to_a_thousandth(net):
    model, x, y, h = net
    found = curvature.top_eigenvalues(model.float(), x.float(), y, 3)
    np.testing.assert_allclose(found, torch.linalg.eigvalsh(h).flip(0)[:3].numpy(), rtol=1e-3)


def test_softmax_regression_in_closed_form():
    """H = 1/N Σ (diag(p) − ppᵀ) ⊗ x xᵀ, with no derivative taken."""
    model = cl.MLP((4, 3), seed=2).double()
    x, y = examples(20, 4)
    p = model(x).softmax(1).detach()
    seen = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)  # with the bias's input
    spread = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    h = torch.einsum("nij,nk,nl->ikjl", spread, seen, seen).reshape(15, 15) / len(x)
    top = torch.linalg.eigvalsh(h)[-1]
    assert curvature.top_eigenvalues(model, x, y)[0] == pytest.approx(float(top))


def test_trace_is_within_its_own_error(net):
    model, x, y, h = net
    loss, w = curvature.Loss(model, x, y), curvature.weights(model)
    estimate, error = curvature.trace(loss, w, n_vectors=400)
    assert abs(estimate - float(h.trace())) < 3 * error
    # Of vᵀHv for v = ±1: 2 Σ_{i≠j} h_ij².
    variance = 2 * (h.square().sum() - h.diagonal().square().sum())
    assert error == pytest.approx(float(variance) ** 0.5 / 20, rel=0.2)


def test_the_error_of_the_trace_of_two_vectors_is_half_their_difference(net):
    """The standard error of a mean of two, √(Σ (s − s̄)² / 1) / √2."""
    model, x, y, _ = net
    loss, w = curvature.Loss(model, x, y), curvature.weights(model)
    first, none = curvature.trace(loss, w, n_vectors=1)
    mean, error = curvature.trace(loss, w, n_vectors=2)
    second = 2 * mean - first
    assert error == pytest.approx(abs(first - second) / 2, rel=1e-6)
    assert np.isnan(none)


def test_trace_of_a_diagonal_hessian_has_no_error():
    """±1 squared is 1, so one vector is enough."""
    model, loss = quadratic_loss()
    estimate, error = curvature.trace(loss, curvature.weights(model), 3)
    assert estimate == pytest.approx(float(model.curvature.sum()), rel=1e-5)
    assert error == pytest.approx(0, abs=1e-5)


class Quadratic(nn.Module):
    """Its cross-entropy is ½ Σ h w², whatever it is shown: log(1 + e^s) with s = log(e^L − 1)."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.0, 2.0, 0.25]))
        self.register_buffer("curvature", torch.tensor([4.0, 1.0, 0.5, 2.0]))

    def forward(self, x):
        loss = (self.curvature * self.w.square()).sum() / 2
        return torch.stack([torch.zeros(()), torch.expm1(loss).log()]).expand(len(x), 2)


def test_bound_on_a_quadratic_in_closed_form():
    model = Quadratic()
    x, y = torch.zeros(3, 1), torch.zeros(3, dtype=torch.long)
    h, before = model.curvature, curvature.weights(model)
    after = before + torch.tensor([0.3, 0.2, -0.1, 0.4])
    step = after - before
    got = curvature.bound(model, before, after, x, y)
    assert got.forgetting == pytest.approx(float((h * (after**2 - before**2)).sum() / 2), rel=1e-4)
    assert got.slope == pytest.approx(float((h * before * step).sum()), rel=1e-4)
    assert got.quadratic == pytest.approx(float((h * step**2).sum() / 2), rel=1e-4)
    assert got.sharpness == pytest.approx(4, rel=1e-4)
    assert got.distance == pytest.approx(0.3**0.5, rel=1e-5)
    assert got.bound == pytest.approx(0.6, rel=1e-4)
    # Nothing is left out of the expansion of a quadratic.
    assert got.slope + got.quadratic == pytest.approx(got.forgetting, rel=1e-3)


def test_dropout_is_off_and_the_model_stays_as_it_was(net):
    model, x, y, _ = net
    dropping = cl.MLP((6, 7, 5, 3), dropout=0.5, seed=1).double().train()
    expected = curvature.top_eigenvalues(model, x, y)
    np.testing.assert_allclose(curvature.top_eigenvalues(dropping, x, y), expected)
    assert dropping.training
    torch.testing.assert_close(curvature.weights(dropping), curvature.weights(model))


def test_what_was_asked_of_weights_that_have_moved(net):
    """A Hessian belongs to its w, not to what the model's weights become."""
    model, x, y, h = net
    product = curvature.Loss(model, x, y).hessian(curvature.weights(model))
    with torch.no_grad():
        flatten(model).theta.add_(1)
    v = torch.ones(len(h), dtype=torch.float64)
    torch.testing.assert_close(product(v), h @ v)


def test_only_the_outputs_of_the_task_compete(few):
    _, second = cl.split(few, 5, scenario="task")
    model = cl.MLP((784, 4, 10), seed=3)
    x, y = second.train.batch(torch.arange(30))
    w = curvature.weights(model)
    expected = F.cross_entropy(model(x)[:, 5:], y - 5)
    assert curvature.Loss(model, x, y, second)(w) == pytest.approx(expected.item(), rel=1e-5)
    assert curvature.top_eigenvalues(model, x, y, task=second)[0] != pytest.approx(
        curvature.top_eigenvalues(model, x, y)[0]
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 107}, "k is 107: choose fewer than the 107 weights"),
        ({"y": torch.zeros(3, dtype=torch.long)}, "40 images and 3 labels"),
        ({"x": torch.zeros(0, 6), "y": torch.zeros(0).long()}, "0 images .* one or more"),
        ({"x": torch.zeros(40, 5).double()}, r"MLP does not take the images .* shape \(1, 5\)"),
        ({"x": torch.zeros(40, 6)}, "MLP does not take the images of this loss, torch.float32"),
        ({"y": torch.full((40,), 3)}, "image of class 3, but no output of the model competes"),
        ({"model": cl.MLP((6, 3)).bfloat16()}, "the weights are torch.bfloat16: give a float32"),
    ],
)
def test_what_cannot_be_computed_is_refused(net, change, words):
    model, x, y, _ = net
    with pytest.raises(ValueError, match=words):
        curvature.top_eigenvalues(**{"model": model, "x": x, "y": y} | change)


def test_a_class_that_does_not_compete_is_refused(few):
    first, second = cl.split(few, 5, "task")
    x, y = second.train.batch(torch.arange(30))
    with pytest.raises(ValueError, match=r"image of class 5, .* give the task that the examples"):
        curvature.Loss(cl.MLP((784, 4, 10)), x, y, first)


def test_weights_of_another_model_are_refused(net):
    model, x, y, _ = net
    w = curvature.weights(model)
    with pytest.raises(ValueError, match=r"w is \(5,\): the model has 107 weights"):
        curvature.bound(model, w[:5], w, x, y)


def test_gradients_are_had_where_they_are_turned_off(net):
    model, x, y, hessian = net
    with torch.no_grad():
        top = curvature.top_eigenvalues(model, x, y)
        loss = curvature.Loss(model, x, y)
        gradient = loss.gradient(curvature.weights(model))
        assert not torch.is_grad_enabled()
    np.testing.assert_allclose(top, torch.linalg.eigvalsh(hessian)[-1:], rtol=1e-6)
    F.cross_entropy(model(x), y).backward()
    expected = torch.cat([p.grad.ravel() for p in model.parameters()])
    torch.testing.assert_close(gradient, expected)


def test_largest_is_at_the_weights_that_are_asked_about(net):
    model, x, y, _ = net
    w = 2 * curvature.weights(model)
    loss = curvature.Loss(model, x, y)
    with torch.no_grad():
        flatten(model).theta.copy_(w)
    expected = torch.linalg.eigvalsh(dense(model, x, y))[-1]
    with torch.no_grad():
        flatten(model).theta.zero_()
    assert curvature.largest(loss, w)[0] == pytest.approx(float(expected), rel=1e-6)


def test_where_training_diverged_there_is_no_sharpness(net):
    model, x, y, _ = net
    w = torch.full_like(curvature.weights(model), torch.nan)
    with pytest.raises(ValueError, match="the loss is nan: training diverged, lower"):
        curvature.largest(curvature.Loss(model, x, y), w)


def test_where_the_loss_is_flat_all_eigenvalues_are_0(net):
    """Training that is so sure of all its answers that in floating point it has no gradient."""
    model, x, _, _ = net
    w = torch.zeros_like(curvature.weights(model))
    w[-3] = 1e4  # bias of the first of three outputs, the answer to all images
    loss = curvature.Loss(model, x, torch.zeros(len(x), dtype=torch.long))
    assert loss.gradient(w).abs().max() == 0
    assert curvature.largest(loss, w, 3).tolist() == [0, 0, 0]


def test_a_sharpness_that_is_known_is_taken():
    model = Quadratic()
    x, y = torch.zeros(3, 1), torch.zeros(3, dtype=torch.long)
    before = curvature.weights(model)
    got = curvature.bound(model, before, before + 1, x, y, sharpness=9.0)
    assert (got.sharpness, got.bound) == (9.0, 9.0 * 4 / 2)


def quadratic_loss():
    model = Quadratic()
    return model, curvature.Loss(model, torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))


def test_along_a_line():
    _, loss = quadratic_loss()
    a, b = torch.tensor([1.0, 0, 0, 0]), torch.tensor([0, 2.0, 0, 0])
    # ½ (4 (1 − t)² + 1 (2t)²)
    expected = [2 * (1 - t) ** 2 + 2 * t**2 for t in (-1, 0, 0.25, 1)]
    np.testing.assert_allclose(curvature.along(loss, a, b, [-1, 0, 0.25, 1]), expected, rtol=1e-4)


def test_a_plane_keeps_distances_and_losses():
    generator = torch.Generator().manual_seed(2)
    a, b, c = torch.randn(3, 4, generator=generator)
    plane = curvature.Plane.through(a, b, c)
    torch.testing.assert_close(plane.axes @ plane.axes.T, torch.eye(2), atol=1e-6, rtol=0)
    places = np.array([plane.coordinates(w) for w in (a, b, c)])
    np.testing.assert_allclose(places[0], 0, atol=1e-6)
    assert places[1] == pytest.approx([float((b - a).norm()), 0], abs=1e-5)  # to the right
    assert places[2, 1] > 0
    for i, j in ((0, 1), (0, 2), (1, 2)):
        told = np.linalg.norm(places[i] - places[j])
        assert told == pytest.approx(float(((a, b, c)[i] - (a, b, c)[j]).norm()), rel=1e-5)
    model, loss = quadratic_loss()
    x, y = places[1:, 0], places[1:, 1]
    grid = plane.losses(loss, x, y)
    h = model.curvature
    for i, w in enumerate((b, c)):  # b at (x₀, y₀), c at (x₁, y₁)
        assert grid[i, i] == pytest.approx(float((h * w**2).sum() / 2), rel=1e-4)
    assert grid[1, 0] != pytest.approx(grid[0, 1])


def test_three_points_on_a_line_are_no_plane():
    a, b = torch.zeros(4), torch.ones(4)
    with pytest.raises(ValueError, match="lie on a line"):
        curvature.Plane.through(a, b, 3 * b)
