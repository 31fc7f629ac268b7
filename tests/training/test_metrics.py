"""The figures on matrices small enough to do by hand."""

import numpy as np
import pytest

from cl_helpers.training import metrics

NAN = float("nan")
# Task 2 is best after task 3, not after its own; task 3 after training on task 4 … is lost.
A = [
    [0.90, 0.10, 0.20, 0.30],
    [0.95, 0.80, 0.15, 0.30],
    [0.70, 0.85, 0.90, 0.25],
    [0.60, 0.75, 0.50, 0.95],
]


def test_average_accuracy():
    assert metrics.average_accuracy(A) == pytest.approx((0.60 + 0.75 + 0.50 + 0.95) / 4)
    np.testing.assert_allclose(
        metrics.average_accuracies(A), [0.90, 0.875, (0.70 + 0.85 + 0.90) / 3, 0.70]
    )


def test_forgetting_is_from_the_best_ever_not_from_the_diagonal():
    np.testing.assert_allclose(metrics.forgettings(A), [0.95 - 0.60, 0.85 - 0.75, 0.90 - 0.50])
    assert metrics.forgetting(A) == pytest.approx((0.35 + 0.10 + 0.40) / 3)


def test_backward_transfer_is_from_the_diagonal():
    expected = ((0.60 - 0.90) + (0.75 - 0.80) + (0.50 - 0.90)) / 3
    assert metrics.backward_transfer(A) == pytest.approx(expected)


def test_forward_transfer_is_against_the_untrained_model():
    initial = [0.10, 0.12, 0.08, 0.11]
    expected = ((0.10 - 0.12) + (0.15 - 0.08) + (0.25 - 0.11)) / 3
    assert metrics.forward_transfer(A, initial) == pytest.approx(expected)


def test_intransigence_is_what_the_diagonal_lacks():
    reference = [0.9, 0.9, 0.95, 0.9]  # task 4 was learned better than by the reference
    expected = ((0.90 - 0.90) + (0.90 - 0.80) + (0.95 - 0.90) + (0.90 - 0.95)) / 4
    assert metrics.intransigence(A, reference) == pytest.approx(expected)
    assert metrics.intransigence(A, np.diagonal(A)) == 0
    assert metrics.intransigence(A, 1.0) == pytest.approx(1 - (0.90 + 0.80 + 0.90 + 0.95) / 4)


def test_what_is_missing_was_not_learned_or_lost():
    """Of any matrix, with one reference R: mean a[T, j] = R − I + (T − 1)/T · B."""
    for n in (1, 2, 5):
        a = np.random.default_rng(n).uniform(size=(n, n))
        not_learned = metrics.intransigence(a, 0.97)
        lost = (n - 1) / n * metrics.backward_transfer(a) if n > 1 else 0.0
        assert metrics.average_accuracy(a) == pytest.approx(0.97 - not_learned + lost)


def test_intransigence_of_what_was_not_measured():
    stopped = np.array(A)
    stopped[2:] = NAN
    assert metrics.intransigence(stopped, [1, 0.9, 0, 0]) == pytest.approx((0.1 + 0.1) / 2)
    joint = np.full((3, 3), NAN)
    joint[2] = [0.9, 0.8, 0.7]
    assert np.isnan(metrics.intransigence(joint, 0.9))
    assert np.isnan(metrics.intransigence(np.full((2, 2), NAN), 0.9))
    with pytest.raises(ValueError, match=r"reference is \(3,\)"):
        metrics.intransigence(A, [0.9, 0.9, 0.9])


def test_forgetting_may_be_a_gain():
    assert metrics.forgetting([[0.5, NAN], [0.75, 0.5]]) == -0.25


def test_a_run_that_stopped_early_has_the_figures_of_its_last_complete_row():
    stopped = np.array(A)
    stopped[2:] = NAN
    assert metrics.average_accuracy(stopped) == pytest.approx((0.95 + 0.80) / 2)
    assert metrics.forgetting(stopped) == pytest.approx(0.90 - 0.95)
    assert metrics.backward_transfer(stopped) == pytest.approx(0.95 - 0.90)
    initial = [0.1, 0.1, 0.1, 0.1]
    assert metrics.forward_transfer(stopped, initial) == pytest.approx((0.10 + 0.15) / 2 - 0.1)


def test_joint_training_has_an_end_but_no_forgetting():
    joint = np.full((3, 3), NAN)
    joint[2] = [0.9, 0.8, 0.7]
    assert metrics.average_accuracy(joint) == pytest.approx(0.8)
    for undefined in (
        metrics.forgetting(joint),
        metrics.backward_transfer(joint),
        metrics.forward_transfer(joint, [0.1] * 3),
    ):
        assert np.isnan(undefined)


@pytest.mark.parametrize("figure", [metrics.forgetting, metrics.backward_transfer])
def test_one_task_has_nothing_to_forget(figure):
    assert np.isnan(figure([[0.9]]))


def test_nothing_measured_gives_nan_and_not_a_square_matrix_an_error():
    assert np.isnan(metrics.average_accuracy(np.full((2, 2), NAN)))
    with pytest.raises(ValueError, match=r"square, this is \(2, 3\)"):
        metrics.average_accuracy(np.ones((2, 3)))


@pytest.mark.parametrize(
    ("target", "steps"),
    [(0.0, 0), (0.3, 5), (0.5, 5), (0.51, 20), (0.9, 20), (0.91, float("inf"))],
)
def test_steps_to_a_target_are_those_of_the_first_time(target, steps):
    assert metrics.steps_to(target, [0, 5, 10, 20], [0.1, 0.5, 0.4, 0.9]) == steps


def test_a_run_that_does_not_arrive_is_later_than_any_in_a_median():
    steps = [
        metrics.steps_to(0.8, [0, 5, 10], [0.1, 0.4, end]) for end in (0.8, 0.9, 0.5, 0.6, NAN)
    ]
    assert sorted(steps) == [10, 10, np.inf, np.inf, np.inf]
    assert np.median(steps) == np.inf
    assert np.median(steps[:3]) == 10
