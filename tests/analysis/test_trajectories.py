"""A trajectory is a run like any other, and its bounds are of its own weights and examples."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import cl_helpers as cl
from cl_helpers.analysis.trajectories import EXAMPLES

REGIME = {"epochs": 2, "batch_size": 25, "lr": 0.05, "dropout": 0.25, "lr_decay": 0.5, "seed": 3}
SIZES = (784, 8, 10)


@pytest.fixture(scope="module")
def trajectory(few):
    return cl.trajectories.follow(cl.permuted(few, 3), cl.MLP(SIZES), **REGIME)


def model_at(w):
    model = cl.MLP(SIZES)
    torch.nn.utils.vector_to_parameters(w, model.parameters())
    return model


def loss_at(w, x, y):
    return F.cross_entropy(model_at(w).eval()(x), y).item()


def test_it_is_the_run_that_train_gives(trajectory, few):
    same = cl.train(
        cl.Baseline(),
        cl.permuted(few, 3),
        cl.MLP(SIZES),
        optimizer="sgd",
        progress=False,
        **REGIME,
    )
    np.testing.assert_array_equal(trajectory.run.accuracy, same.accuracy)
    assert torch.equal(
        trajectory.weights[-1], torch.nn.utils.parameters_to_vector(same.model.parameters())
    )


def test_the_weights_are_those_at_the_end_of_each_task(trajectory, few):
    assert len(trajectory.weights) == 3
    task = cl.permuted(few, 3)[0]
    for w, row in zip(trajectory.weights, trajectory.run.accuracy, strict=True):
        right = (model_at(w).eval()(task.test.x).argmax(1) == task.test.y).double().mean()
        assert right.item() == pytest.approx(row[0])


def test_bounds_are_of_the_first_task(trajectory):
    x, y = trajectory.examples(0)
    first = trajectory.weights[0]
    sharpness = cl.curvature.top_eigenvalues(model_at(first), x, y)[0]
    assert len(trajectory.bounds) == 2
    for b, w in zip(trajectory.bounds, trajectory.weights[1:], strict=True):
        assert b.forgetting == pytest.approx(loss_at(w, x, y) - loss_at(first, x, y), abs=1e-5)
        assert b.distance == pytest.approx((w - first).double().norm().item(), rel=1e-5)
        assert b.sharpness == pytest.approx(sharpness, rel=1e-3)


def test_sharpness_of_a_task_is_at_its_own_weights(trajectory):
    for t, w in enumerate(trajectory.weights):
        expected = cl.curvature.top_eigenvalues(model_at(w), *trajectory.examples(t))[0]
        assert trajectory.sharpness(t) == pytest.approx(expected, rel=1e-3)
    assert trajectory.sharpness(1) != pytest.approx(trajectory.sharpness(0), rel=0.01)


def test_only_the_outputs_of_a_task_compete(few):
    tasks = cl.split(few, 5, scenario="task")
    trajectory = cl.trajectories.follow(tasks, cl.MLP(SIZES), epochs=1, lr=0.05)
    for t, w in enumerate(trajectory.weights):
        x, y = trajectory.examples(t)
        expected = F.cross_entropy(model_at(w)(x)[:, 5 * t : 5 * t + 5], y - 5 * t).item()
        assert trajectory.loss(t)(w) == pytest.approx(expected, rel=1e-4)
    first, second = map(trajectory.loss(0), trajectory.weights)
    assert trajectory.bounds[0].forgetting == pytest.approx(second - first, abs=1e-5)


def test_the_optimizer_is_no_choice(few):
    with pytest.raises(ValueError, match="optimizer is 'adam': leave it out"):
        cl.trajectories.follow(cl.permuted(few, 2), optimizer="adam")


def test_examples_are_training_data_and_not_too_many(few, digits):
    x, y = cl.trajectories.Trajectory(None, cl.permuted(few, 2)).examples(1)
    second = cl.permuted(few, 2)[1].train
    assert torch.equal(x, second.x)
    assert torch.equal(y, second.y)
    assert len(cl.trajectories.Trajectory(None, cl.permuted(digits, 1)).examples(0)[1]) == EXAMPLES


def test_examples_of_a_joined_task_are_of_all_its_parts(digits):
    joined = cl.tasks.joined(cl.permuted(digits, 2))
    x, y = cl.trajectories.Trajectory(None, [joined]).examples(0)
    assert len(y) == EXAMPLES
    for part in cl.permuted(digits, 2):
        theirs = {image.numpy().tobytes() for image in part.train.x}
        assert 0.4 < np.mean([image.numpy().tobytes() in theirs for image in x]) < 0.6


def test_where_the_loss_is_not_one_of_the_weights_alone_it_is_refused(few):
    with pytest.raises(ValueError, match="ResNet18 has running statistics"):
        cl.trajectories.follow(cl.permuted(few, 2), cl.ResNet18())
    with pytest.raises(ValueError, match=r"tasks are Class-IL, .* choose"):
        cl.trajectories.follow(cl.split(few, 5, "class"))


def test_there_is_no_checkpoint_of_a_way(few, tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint is '.*here': leave it out"):
        cl.trajectories.follow(cl.permuted(few, 2), checkpoint=tmp_path / "here")
