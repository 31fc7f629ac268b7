"""NCM against brute force in float64, and whether the order of tasks leaves a trace."""

from itertools import permutations

import numpy as np
import pytest
import torch
from toys import InMemory

import cl_helpers as cl
from cl_helpers.data.tasks import Task
from cl_helpers.methods import ncm
from cl_helpers.training.evaluation import as_of

HOW = {"epochs": 3, "progress": False, "device": "cpu"}
SIZES = (784, 24, 10)


def by_hand(model, tasks, x, classes):
    """Labels of `x` by loops over single examples, in NumPy's float64."""

    def phi(image):
        with torch.no_grad():
            v = model.features(image[None].double())[0].numpy()
        return v / np.linalg.norm(v)

    model = model.double()
    means = {}
    for c in classes:
        own = [
            phi(image)
            for task in tasks
            for image, label in zip(task.train.x, task.train.y, strict=True)
            if label == c
        ]
        mean = sum(own) / len(own)
        means[c] = mean / np.linalg.norm(mean)
    labels = [min(means, key=lambda c: np.linalg.norm(phi(image) - means[c])) for image in x]
    model.float()
    return labels


@pytest.mark.parametrize("scenario", ["task", "domain", "class"])
def test_it_predicts_the_nearest_mean_of_all_examples_of_a_class(few, scenario):
    tasks = cl.split(few.first(300, 60), 2, scenario)[:3]
    model, method = cl.MLP(SIZES, seed=4), cl.NCM()
    cl.train(method, tasks, model, **HOW)
    for task in tasks:
        asked = as_of(tasks[-1], task)
        came = method.predict(model, task.test.x, asked).tolist()
        among = {"task": task.classes, "domain": (0, 1), "class": range(6)}[scenario]
        assert came == by_hand(model, tasks, task.test.x, among)


def test_its_mean_is_that_of_all_features_in_float64(few):
    tasks = cl.split(few, 2, "domain")[:3]
    model, method = cl.MLP(SIZES, seed=1), cl.NCM()
    cl.train(method, tasks, model, **HOW)
    x, y = (torch.cat([getattr(task.train, name) for task in tasks]) for name in "xy")
    with torch.no_grad():
        phi = model.double().features(x.double())
    phi = phi / phi.square().sum(1, keepdim=True).sqrt()
    expected = torch.stack([phi[y == c].sum(0) / (y == c).sum() for c in (0, 1)])
    torch.testing.assert_close(method.means((0, 1)), expected, rtol=0, atol=1e-7)
    assert method.counts == {c: int((y == c).sum()) for c in (0, 1)}
    assert len({*map(tuple, method.means((0, 1)).tolist())}) == 2


def test_the_order_of_tasks_leaves_no_trace(few):
    """A label has examples in all four tasks. Sums of floats would differ in their last bits."""
    tasks = cl.split(few, 2, "domain")[:4]
    model = cl.MLP(SIZES, seed=2)
    found, floats = [], []
    for order in permutations(tasks):
        method = cl.NCM()
        cl.train(method, list(order), model, **HOW)
        found.append((method.means((0, 1)), method.predict(model, tasks[0].test.x, tasks[0])))
        with torch.no_grad():
            each = [model.features(t.train.x)[t.train.y == 0].sum(0) for t in order]
        floats.append(sum(each[1:], each[0]))
    means, labels = found[0]
    assert all(torch.equal(m, means) and torch.equal(p, labels) for m, p in found)
    assert not all(torch.equal(v, floats[0]) for v in floats)  # what the test could not see


def test_whole_numbers_hold_what_float32_tells_apart():
    """A feature of length-1 vectors above 2⁻¹⁶ is a multiple of 2⁻⁴⁰ to the bit."""
    phi = torch.rand(1000, generator=torch.Generator().manual_seed(0)).clamp_min(2.0**-16).double()
    assert torch.equal((phi * ncm.GRID).round().long().double() / ncm.GRID, phi)
    assert 2**63 / ncm.GRID > 8_000_000  # examples of a class before a sum overflows


def test_nothing_is_trained_and_every_example_is_seen_once(few):
    tasks, model = cl.split(few, 2), cl.MLP(SIZES, seed=3)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    events = list(cl.train_steps(cl.NCM(), tasks, model, epochs=4, device="cpu"))
    assert {event.kind for event in events} == {"start", "task"}
    assert all(event.step == event.n_steps == 0 for event in events)
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    run = events[-1].run
    assert run.complete
    assert [(c["forward"], c["backward"]) for c in run.costs] == [(0, 0)] * 5
    assert sum(run.method.counts.values()) == sum(len(task.train) for task in tasks)
    assert run.costs[-1]["stored"] == {"class means": 10 * 24 * 8}


def test_in_task_il_it_forgets_nothing_and_in_class_il_only_classes_compete(few):
    model = cl.MLP(SIZES, seed=3)
    task_il = cl.train(cl.NCM(), cl.split(few, 2, "task"), model, **HOW)
    assert task_il.forgetting == 0
    class_il = cl.train(cl.NCM(), cl.split(few, 2, "class"), model, **HOW)
    assert class_il.forgetting > 0
    assert (class_il.accuracy[-1] <= task_il.accuracy[-1]).all()


def test_an_unseen_head_is_asked_by_the_largest_output(few):
    first, second = cl.split(few, 2, "task")[:2]
    model, method = cl.MLP(SIZES, seed=3), cl.NCM()
    cl.train(method, [first], model, **HOW)
    x = second.test.x
    assert torch.equal(method.predict(model, x, second), second.prediction(model(x)))
    assert set(method.predict(model, x, first).tolist()) <= {*first.classes}


def test_dropout_is_in_eval_mode(few):
    a, b = cl.NCM(), cl.NCM()
    for method, dropout in ((a, 0.5), (b, 0.0)):
        model = cl.MLP(SIZES, dropout=dropout, seed=1).train()
        cl.train(method, cl.split(few, 5), model, **HOW)
    assert torch.equal(a.means(range(10)), b.means(range(10)))


def test_another_network_is_refused(few):
    tasks, model, method = cl.split(few, 5), cl.MLP(SIZES, seed=1), cl.NCM()
    cl.train(method, tasks[:1], model, **HOW)
    with torch.no_grad():
        model.fc1.weight[0, 0] += 1
    with pytest.raises(ValueError, match=r"another network's features: make a new one, cl.NCM\(\)"):
        cl.train(method, tasks, model, **HOW)


def test_a_frozen_weight_that_changes_is_noticed(few):
    tasks, model, method = cl.split(few, 5), cl.MLP(SIZES, seed=1), cl.NCM()
    model.fc1.requires_grad_(False)
    cl.train(method, tasks[:1], model, **HOW)
    with torch.no_grad():
        model.fc1.bias[3] += 1
    with pytest.raises(ValueError, match="another network's features"):
        cl.train(method, tasks, model, **HOW)


def test_it_refuses_a_model_without_features_and_a_task_without_classes(few):
    layer = torch.nn.utils.skip_init(torch.nn.Linear, 784, 10)
    plain = torch.nn.Sequential(torch.nn.Flatten(), layer)
    torch.nn.utils.vector_to_parameters(torch.zeros(7850), plain.parameters())
    with pytest.raises(ValueError, match="NCM compares features, but Sequential has none"):
        cl.train(cl.NCM(), cl.split(few, 2), plain, **HOW)

    class Regression(Task):
        def loss(self, logits, y):
            return (logits[:, 0] - y).square().mean()

        def log_likelihood(self, logits, y):
            return -(logits[:, 0] - y).square()

        def prediction(self, logits):
            return logits[:, 0]

        def score(self, prediction, y):
            return -(prediction - y).square()

    data = InMemory(torch.eye(6), torch.linspace(0, 1, 6))
    task = Regression("a line", "toy", data, data, ())
    for method in (cl.NCM(), cl.DERpp(memory=3)):
        with pytest.raises(ValueError, match="a line has a prediction of its own: take ER"):
            cl.train(method, [task], cl.MLP((6, 4, 1)), **HOW)


def test_features_that_are_not_finite_are_refused(few):
    class Broken(cl.MLP):
        def features(self, x):
            return super().features(x) + float("inf")

    method, model = cl.NCM(), Broken(SIZES, seed=1)
    task = cl.split(few, 10)[0]
    method.begin_task(model, task)
    with pytest.raises(ValueError, match="features of Broken are not finite"):
        method.end_task(model, task)


def test_a_checkpoint_goes_on_with_the_same_means(few, tmp_path):
    tasks, path = cl.split(few, 2), tmp_path / "run.checkpoint"
    whole = cl.train(cl.NCM(), tasks, cl.MLP(SIZES, seed=1), **HOW)
    for event in cl.train_steps(cl.NCM(), tasks, cl.MLP(SIZES, seed=1), checkpoint=path,
                                epochs=3, device="cpu"):  # fmt: skip
        if event.kind == "task" and event.task == 1:
            break
    again = cl.train(cl.NCM(), tasks, cl.MLP(SIZES, seed=1), checkpoint=path, **HOW)
    np.testing.assert_array_equal(again.accuracy, whole.accuracy)
    assert torch.equal(again.method.means(range(10)), whole.method.means(range(10)))


def test_a_sweep_without_steps_comes_to_its_end(few):
    runs = cl.sweep(cl.NCM(), cl.split(few, 2)[:2], cl.MLP(SIZES), seeds=[0, 1], engine=1, **HOW)
    assert [run.complete for run in runs] == [True, True]
