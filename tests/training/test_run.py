import json

import numpy as np
import pytest
from toys import a_run

import cl_helpers as cl


def test_a_saved_run_comes_back_the_same(tmp_path):
    run = a_run(accuracy=((1 / 3, np.nan, np.nan), (0.1, 0.2, np.nan), (np.nan,) * 3))
    path = tmp_path / "run.json"
    run.save(path)
    again = cl.Run.load(path)
    np.testing.assert_array_equal(again.accuracy, run.accuracy)
    np.testing.assert_array_equal(again.initial, run.initial)
    assert again.config == run.config
    assert again.history == run.history
    assert (again.seconds, again.model, again.method) == (12.5, None, None)
    assert not again.complete
    assert json.loads(path.read_text())["accuracy"][0] == [1 / 3, None, None]  # plain JSON, no NaN


def test_the_four_figures():
    run = a_run()
    assert run.average_accuracy == pytest.approx(0.75)
    assert run.forgetting == pytest.approx(0.2)
    assert run.backward_transfer == pytest.approx(-0.2)
    assert run.forward_transfer == pytest.approx(0.0)
    assert run.complete


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', '{"format": 1, "x": 2}'])
def test_a_file_that_is_no_run_is_named(tmp_path, content):
    path = tmp_path / "bad.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"bad.json is not a saved run"):
        cl.Run.load(path)


@pytest.mark.parametrize("accuracy", [[[0.5, 0.5]], [[0.5], [0.5]], [0.5, 0.5], [], 0.5, None])
def test_accuracies_that_are_not_those_of_tasks_after_tasks_are_refused(tmp_path, accuracy):
    path = tmp_path / "edited.json"
    a_run().save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": accuracy}))
    with pytest.raises(ValueError, match=r"edited.json is not a saved run .*: delete it to train"):
        cl.Run.load(path)


def test_the_curve_of_a_task_is_what_a_student_would_measure(few):
    tasks = cl.permuted(few, 2)
    how = {"epochs": 3, "batch_size": 64, "lr": 3e-3}
    seen = []
    for event in cl.train_steps(cl.Baseline(), tasks, cl.MLP((784, 16, 10)), **how):
        if event.kind in ("start", "epoch"):
            model, method = event.run.learner
            on = [cl.evaluate(method, model, task) for task in tasks]
            seen.append((event.step, *on))
    run = event.run
    per_epoch = -(-300 // 64)
    first, second = run.curve(0), run.curve(1)
    for steps, _ in (first, second):
        np.testing.assert_array_equal(steps, per_epoch * np.arange(4))
    assert [s for s, _, _ in seen] == [0, *(per_epoch * np.arange(1, 7))]
    np.testing.assert_allclose(first[1], [a for _, a, _ in seen[:4]])
    np.testing.assert_allclose(second[1], [b for _, _, b in seen[3:]])
    np.testing.assert_array_equal(run.curve(), second)
    target = first[1][2]
    assert run.steps_to(target, task=0) == next(s for s, a, _ in seen if a >= target)
    assert run.steps_to(1.01) == float("inf")


def test_a_curve_begins_where_a_run_does():
    run = a_run()
    run.config |= {"n_train": [100, 100], "batch_size": 30}
    steps, accuracy = run.curve(0)
    assert (steps.tolist(), accuracy.tolist()) == ([0, 4], [0.1, 0.9])
    assert [run.steps_to(target, 0) for target in (0.05, 0.5, 0.95)] == [0, 4, float("inf")]
    steps, accuracy = run.curve(1)  # nothing of it yet, but what it began with
    assert (steps.tolist(), accuracy.tolist()) == ([0], [0.1])


@pytest.mark.parametrize(
    ("n_train", "task", "known"),
    [
        ([100, 100], 2, "0, 1"),
        ([100, 100], -3, "0, 1"),
        ([200], 0, "1"),  # joint training: all at once, at the last task
    ],
)
def test_a_task_without_a_curve_is_told_which_have_one(n_train, task, known):
    run = a_run()
    run.config |= {"n_train": n_train, "batch_size": 30}
    cure = f"task is {task}: choose among {known}, or -1 for the last$"
    for ask in (run.curve, lambda task: run.steps_to(0.5, task)):
        with pytest.raises(ValueError, match=cure):
            ask(task)
    steps, _ = run.curve(-1)
    np.testing.assert_array_equal(steps, run.curve(1)[0])
