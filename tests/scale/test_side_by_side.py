"""Work of several items: the same results as one by one, whoever does it; errors come through."""

import os

import pytest
import torch

import cl_helpers as cl
from cl_helpers.scale import engines, side_by_side


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(engines, "_how_many_here", lambda: 2)
    monkeypatch.setattr(engines, "_cores", lambda: 2)


def test_results_come_in_the_order_of_the_items_from_other_processes(two_cores):
    found = cl.side_by_side(lambda n: (n * n, os.getpid()), [3, 1, 2], progress=False)
    assert [square for square, _ in found] == [9, 1, 4]
    assert os.getpid() not in {pid for _, pid in found}


def test_one_item_or_one_core_is_done_here(two_cores, monkeypatch):
    assert cl.side_by_side(lambda n: os.getpid(), [1], progress=False) == [os.getpid()]
    monkeypatch.setattr(engines, "_how_many_here", lambda: 1)
    assert cl.side_by_side(lambda n: os.getpid(), [1, 2], progress=False) == [os.getpid()] * 2


def test_the_bar_counts_items(two_cores, capsys):
    cl.side_by_side(abs, [1, 2])
    cl.side_by_side(abs, [1])
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "1/1" in shown


def test_a_run_is_the_one_of_train_with_its_model_and_its_own_class(few, two_cores):
    tasks, sizes = cl.permuted(few, 2), (784, 16, 10)

    class Mine(cl.EWC):
        """Defined where it is used, as in a notebook."""

    def train(method):
        torch.set_num_threads(1)
        return cl.train(method, tasks, cl.MLP(sizes), epochs=1, batch_size=32, progress=False)

    here = [train(method) for method in (cl.SI(), Mine())]
    there = cl.side_by_side(train, [cl.SI(), Mine()], progress=False)
    for a, b in zip(here, there, strict=True):
        assert type(b.method) is type(a.method)
        torch.testing.assert_close(cl.flat.flatten(b.model).theta, cl.flat.flatten(a.model).theta)
        torch.testing.assert_close(b.method.omega, a.method.omega)
        assert (b.accuracy[-1] == a.accuracy[-1]).all()


def test_an_error_comes_through(two_cores):
    with pytest.raises(ValueError, match="too small: 2"):
        cl.side_by_side(complain, [1, 2], progress=False)


def complain(n):
    if n == 2:
        raise ValueError(f"too small: {n}")


def test_nothing_to_do_is_an_error():
    with pytest.raises(ValueError, match="items is empty"):
        cl.side_by_side(abs, [])


def test_a_worker_with_other_code_refuses():
    call = side_by_side.Call(complain, 1, code=engines.Code("not this code"))
    with pytest.raises(engines.OtherCode, match="start the workers anew"):
        call.train(print)
    side_by_side.Call(complain, 1, engines.code_of(complain)).train(lambda part: None)
