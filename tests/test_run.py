import json

import numpy as np
import pytest

import cl_helpers as cl


def a_run(method="ewc", seed=0, accuracy=((0.9, 0.1), (0.7, 0.8)), lam=100.0):
    run = cl.Run.empty({"method": method, "knobs": {"lam": lam}, "seed": seed}, len(accuracy))
    run.accuracy[:] = accuracy
    run.initial[:] = 0.1
    run.seconds = 12.5
    run.history = [{"task": 0, "epoch": 0, "lam": lam, "accuracy": [0.9], "seconds": 3.0}]
    return run


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
