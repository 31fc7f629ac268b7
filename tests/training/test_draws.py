"""What is drawn from torch's global generator: by a run from its seed, by others as without it."""

import pytest
import torch
from torch import nn

import cl_helpers as cl

HOW = {"epochs": 1, "batch_size": 32, "lr": 1e-2}


@pytest.fixture(autouse=True)
def _others_draw_too():
    """Undo what the tests themselves draw."""
    with torch.random.fork_rng(devices=[]):
        yield


@pytest.fixture
def tasks(few):
    return cl.permuted(few, 2)


def network():
    """One of somebody's own; nn.Dropout draws from torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = nn.Linear(784, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 10)
        return nn.Sequential(nn.Flatten(), *layers)


def theta(run):
    return cl.flat.flatten(run.model).theta.tolist()


def test_the_same_seed_gives_the_same_run_whatever_came_before(tasks):
    def train(seed):
        return cl.train(cl.Baseline(), tasks, network(), seed=seed, progress=False, **HOW)

    first = train(1)
    torch.rand(7)
    other, again = train(0), train(1)
    assert theta(first) == theta(again) != theta(other)

    how = {"engine": 1, "progress": False, **HOW}
    runs = cl.sweep(cl.Baseline(), tasks, network(), seeds=[0, 1], **how)
    assert [run.config["together"] for run in runs] == [1, 1]
    assert runs[1].history[-1]["accuracy"] == first.history[-1]["accuracy"]
    assert (runs[1].accuracy[-1] == first.accuracy[-1]).all()


def test_draws_between_events_are_those_without_a_run(tasks):
    torch.manual_seed(3)
    expected = torch.rand(5).tolist()
    torch.manual_seed(3)
    run, drawn = None, []
    for event in cl.train_steps(cl.Baseline(), tasks, network(), every=5, **HOW):
        run = event.run
        drawn += torch.rand(1).tolist() if len(drawn) < 5 else []
    assert drawn == expected
    undisturbed = cl.train(cl.Baseline(), tasks, network(), progress=False, **HOW)
    assert theta(run) == theta(undisturbed)


def test_two_runs_in_turn_do_not_disturb_each_other(tasks):
    def alone():
        return cl.train_steps(cl.Baseline(), tasks, network(), **HOW)

    pairs = [*zip(alone(), alone(), strict=True)]
    first, second = (event.run for event in pairs[-1])
    assert theta(first) == theta(second)


def test_a_resumed_run_draws_on(tasks, tmp_path):
    whole = cl.train(cl.Baseline(), tasks, network(), progress=False, **HOW)
    path = tmp_path / "c"
    events = cl.train_steps(cl.Baseline(), tasks, network(), checkpoint=path, **HOW)
    next(event for event in events if event.kind == "task")
    events.close()
    torch.rand(3)
    before = torch.get_rng_state()
    resumed = cl.train(cl.Baseline(), tasks, network(), checkpoint=path, progress=False, **HOW)
    assert theta(resumed) == theta(whole)
    assert torch.equal(torch.get_rng_state(), before)
