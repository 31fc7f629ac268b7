"""Streams of tasks in the size of a preset."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch

import cl_helpers as cl
from cl_helpers.data.tasks import SCENARIOS
from cl_helpers.methods import METHODS
from cl_helpers.training.presets import PRESETS, STREAMS, Preset

SMALL = Preset("small", n_tasks=3, n_train=40, n_test=20, epochs=2, batch_size=20, lr=1e-3)


def with_classes(dataset: cl.Dataset, n: int) -> cl.Dataset:
    """The same images, labels 0, 1, … n − 1 in turn."""
    train, test = (torch.arange(len(dataset.labels(half))) % n for half in ("train", "test"))
    names = tuple(map(str, range(n)))
    return replace(dataset, train_labels=train, test_labels=test, class_names=names)


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_stream_in_every_scenario(digits, stream, scenario):
    tasks = SMALL.tasks(digits, stream, scenario)
    assert len(tasks) == 3
    assert {task.scenario for task in tasks} == {scenario}
    a_task = 2 if stream == "split" else 10
    shared = scenario == "domain"
    outputs = [range(a_task) if shared else range(a_task * t, a_task * (t + 1)) for t in range(3)]
    assert [task.classes for task in tasks] == [tuple(r) for r in outputs]
    assert all(set(task.train.y.tolist()) == set(task.classes) for task in tasks)
    compete = {"task": outputs, "domain": outputs, "class": [range(r.stop) for r in outputs]}
    for task, ours in zip(tasks, compete[scenario], strict=True):
        z = task.mask(torch.zeros(1, 30 if scenario != "domain" else a_task))
        assert torch.isfinite(z)[0].nonzero()[:, 0].tolist() == list(ours)


@pytest.mark.parametrize("stream", STREAMS)
def test_a_task_has_as_many_images_as_the_preset_says(digits, stream):
    """Split tasks get theirs from a part of the data set that is as much larger."""
    tasks = SMALL.tasks(with_classes(digits, 10), stream)
    assert [(len(task.train), len(task.test)) for task in tasks] == [(40, 20)] * 3


@pytest.mark.parametrize(
    ("n_classes", "n_tasks", "classes"), [(100, 3, 5), (10, 3, 2), (5, 2, 2), (2, 1, 2)]
)
def test_split_tasks_have_two_classes_or_make_twenty(digits, n_classes, n_tasks, classes):
    tasks = SMALL.tasks(with_classes(digits, n_classes), "split", "class")
    assert [len(task.classes) for task in tasks] == [classes] * n_tasks


def test_smaller_tasks_are_passed_over_more_often(digits):
    a_task = len(digits.train_labels) // 5
    for preset in PRESETS.values():
        epochs = preset.settings(digits, "split")["epochs"]
        images = preset.epochs * preset.n_train  # a task of the preset sees so many
        assert images <= epochs * a_task < images + a_task
    assert SMALL.settings(digits, "split")["epochs"] == 2


def test_unknown_names_are_told():
    digits = cl.load("digits")
    with pytest.raises(ValueError, match="stream is 'mixed': choose permuted, rotated, split"):
        SMALL.tasks(digits, "mixed")
    with pytest.raises(ValueError, match="scenario is 'all': choose"):
        SMALL.tasks(digits, "split", "all")


def tuned_runs():
    """Average accuracy on held-out images by (method, λ) in experiments/tuning/class, seeds 0-2."""
    found = {}
    for path in (Path(__file__).parents[2] / "experiments/tuning/class").glob("*.json"):
        run = cl.Run.load(path)
        if (
            not run.config["knobs"].get("online")
            and run.config["knobs"].get("anchors") != "separate"
        ):
            setting = run.config["method"], run.config["knobs"]["lam"]
            found.setdefault(setting, []).append(run.average_accuracy)
    return found


def test_a_preset_makes_methods_with_the_lam_that_was_best_on_held_out_images():
    found = tuned_runs()
    for name, lam in PRESETS["class"].lam.items():
        accuracy = {of: fmean(values) for (method, of), values in found.items() if method == name}
        assert {len(found[name, of]) for of in accuracy} == {3}
        assert lam == max(accuracy, key=accuracy.get)
        assert min(accuracy) < lam < max(accuracy)  # bracketed
        assert PRESETS["class"].method(name).lam == lam


@pytest.mark.parametrize("name", ["ewc", "mas", "si", "rwalk", "scp"])
def test_the_homeworks_lam_lies_between_others_that_were_tried(name):
    """And none of them was better by more than half of what seeds differ by, 0.4 points."""
    default, accuracy = METHODS[name](), {}
    measured = {"n_samples": 1024} if name == "ewc" else {}  # as λ was tried
    for path in (Path(__file__).parents[2] / "experiments/tuning/full").glob(f"{name}-*.json"):
        run = cl.Run.load(path)
        knobs = run.config["knobs"]
        assert run.config["n_train"] == [50_000] * 5
        if knobs == default.knobs | measured | {"lam": knobs["lam"]}:
            accuracy[knobs["lam"]] = run.average_accuracy
    assert accuracy[default.lam] >= max(accuracy.values()) - 0.002
    assert min(accuracy) < default.lam < max(accuracy)
    assert accuracy[min(accuracy)] < accuracy[default.lam] > accuracy[max(accuracy)]


def test_lam_of_other_streams_sizes_and_by_hand():
    size = PRESETS["class"]
    assert size.method("mas", lam=3.0).lam == 3.0
    assert size.method("ewc", anchors="separate").anchors == "separate"
    for other in (
        size.method("mas", "rotated"),
        size.method("mas", scenario="task"),
        PRESETS["quick"].method("mas"),
        PRESETS["full"].method("mas"),
    ):
        assert other.lam == cl.MAS().lam
    assert isinstance(size.method("baseline"), cl.Baseline)
    with pytest.raises(ValueError, match="method is 'emc'"):
        size.method("emc")
