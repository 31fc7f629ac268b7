"""DER++ by autograd in float64, beside ER, and what its memory holds."""

import math
import warnings
from collections import Counter

import pytest
import torch
from scipy.stats import binom
from torch.nn import functional as F
from toys import SCENARIOS, begun, gradient, mlp, rng, two_tasks

import cl_helpers as cl
from cl_helpers.models.flat import flatten


class Watched(cl.DERpp):
    """Notes which stored examples were drawn."""

    def drawn(self, n):
        index = super().drawn(n)
        vars(self).setdefault("draws", []).append(index)
        return index


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_its_loss_and_gradient_are_the_three_terms(scenario):
    method, model, task = begun(Watched(memory=30, alpha=0.7, beta=0.4), scenario)
    x, y = task.train.batch(torch.arange(8))
    method.draws = []
    loss = method.loss(model, x, y)
    first, second = method.draws
    assert len(first) == len(second) == 8
    assert first.tolist() != second.tolist()  # two draws of their own
    tasks = two_tasks(scenario)
    squares = []
    for k in first.tolist():
        then = tasks[method.of[k]].active
        now = model(method.x[k : k + 1])[0]
        squares += [(now[c] - method.z[k, c]).square() for c in then]
    labels = []
    for k in second.tolist():
        of = tasks[method.of[k]] if scenario == "task" else task
        z = of.mask(model(method.x[k : k + 1]))
        labels.append(F.cross_entropy(z, method.y[k : k + 1]))
    expected = F.cross_entropy(task.mask(model(x)), y)
    expected = expected + 0.7 * torch.stack(squares).mean() + 0.4 * torch.stack(labels).mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient(loss, model), gradient(expected, model))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_without_alpha_it_is_er_up_to_a_factor(scenario):
    """ER's loss is one mean over both batches, and this one a sum of two means: twice as much.

    So SGD with half the learning rate takes the same steps, up to rounding.
    """
    ends, memories = [], []
    for method, lr in ((cl.ER(memory=12), 0.1), (cl.DERpp(memory=12, alpha=0, beta=1), 0.05)):
        model = mlp()
        method.rng = rng()
        for t, task in enumerate(two_tasks(scenario)):
            method.begin_task(model, task)
            rate = 0.1 if t == 0 else lr  # in the first task there is no memory, and no factor
            optimizer = torch.optim.SGD(model.parameters(), lr=rate)
            for step in range(4):
                optimizer.zero_grad()
                method.begin_step(model)
                x, y = task.train.batch(torch.arange(8) + 8 * step)
                method.traced_loss(model, x, y).backward()
                optimizer.step()
                method.after_step(model)
            method.end_task(model, task)
        ends.append(flatten(model).theta)
        memories.append((method.x, method.y, method.of))
    torch.testing.assert_close(*ends, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(*memories, rtol=0, atol=0)  # the same draws of the reservoir


def test_without_both_weights_it_is_the_baseline_to_the_bit(few):
    tasks, how = cl.split(few, 5), {"epochs": 1, "batch_size": 32, "progress": False}
    ends = []
    for method in (cl.Baseline(), cl.DERpp(memory=20, alpha=0, beta=0)):
        model = cl.MLP((784, 16, 10))
        cl.train(method, tasks, model, **how)
        ends.append(flatten(model).theta)
    assert torch.equal(*ends)


def test_it_stores_the_logits_of_the_step_in_which_an_example_came(few):
    """Compared with all logits that the network ever gave; they are not those of the end."""
    given: dict[tuple, torch.Tensor] = {}

    class Noted(cl.DERpp):
        def loss(self, model, x, y):
            with torch.no_grad():
                for image, z in zip(x, model(x), strict=True):
                    given[(self.task.name, tuple(image.flatten()[::7].tolist()))] = z
            return super().loss(model, x, y)

    tasks, model = cl.split(few, 2), cl.MLP((784, 16, 10), seed=1)
    method = Noted(memory=40)
    cl.train(method, tasks, model, epochs=1, lr=0.01, batch_size=16, progress=False)
    assert set(method.of.tolist()) == {0, 1, 2, 3, 4}
    for x, z, of in zip(method.x, method.z, method.of, strict=True):
        then = given[(tasks[of].name, tuple(x.flatten()[::7].tolist()))]
        torch.testing.assert_close(z, then, rtol=1e-5, atol=1e-6)
    now = model(method.x)
    assert (now - method.z).abs().amax(1).min() > 1e-3


def test_stored_logits_stay_as_they_are_until_their_place_is_taken():
    method, model, task = begun(cl.DERpp(memory=500), "class")
    before, n = method.z[: method.n_stored].clone(), method.n_stored
    assert not method.z.requires_grad
    for step in range(5):
        flatten(model).theta.add_(0.1)
        method.loss(model, *task.train.batch(torch.arange(10) + step))
        method.after_step(model)
    assert torch.equal(method.z[:n], before)
    assert method.n_stored == n + 50


def test_the_pull_is_zero_where_the_network_gives_the_stored_logits():
    method, model, _ = begun(cl.DERpp(memory=30), "class")
    index = torch.arange(10)
    assert gradient(method.logit_loss(model, index), model).abs().max() > 1e-4
    with torch.no_grad():
        method.z[index] = model(method.x[index])
    assert gradient(method.logit_loss(model, index), model).abs().max() == 0


def test_logits_that_did_not_compete_when_stored_are_not_held():
    """In Class-IL the second task's outputs did not compete in the first."""
    method, model, _ = begun(cl.DERpp(memory=60), "class")
    index = (method.of[: method.n_stored] == 0).nonzero()[:, 0]
    pull = torch.autograd.grad(method.logit_loss(model, index), model[2].bias)[0]
    assert pull[:2].abs().min() > 0
    assert pull[2:].abs().max() == 0


def test_its_memory_is_a_uniform_sample():
    """Each of 40 examples in one of 9 places: 3,000 streams, the worst of 40."""
    n_trials, kept = 3_000, Counter()
    model, [task, _] = mlp(), two_tasks("class")
    method = cl.DERpp(memory=9)
    x, y = task.train.batch(torch.arange(40))
    z = model(x).detach()
    method.rng = rng(5)
    for _ in range(n_trials):
        method.seen = 0
        for index in torch.arange(40).split(8):
            method.batch = {"x": x[index], "y": y[index], "z": z[index]}
            method.after_step(model)
        places = (method.x[:, None] == x[None]).all(2).nonzero()[:, 1]
        assert torch.equal(method.z, z[places])  # the logits are those of the same example
        kept.update(places.tolist())
    low, high = binom.interval(1 - 1e-4 / 40, n_trials, 9 / 40)
    assert all(low <= kept[i] <= high for i in range(40)), kept


@pytest.mark.parametrize("knob", ["alpha", "beta"])
@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), "1"])
def test_a_weight_that_is_no_number_is_refused(knob, wrong):
    with pytest.raises(ValueError, match="choose a number, 0 or larger"):
        cl.DERpp(**{knob: wrong})


def test_a_task_loss_of_ones_own_is_refused():
    with pytest.raises(TypeError, match="override loss instead"):
        type("Mine", (cl.DERpp,), {"task_loss": lambda self, model, x, y: model(x).sum()})


def test_it_costs_three_forward_and_three_backward_passes(few):
    run = cl.train(cl.DERpp(memory=64), cl.split(few, 5), cl.MLP((784, 16, 10)), epochs=1,
                   batch_size=16, progress=False)  # fmt: skip
    cost = run.costs[-1]
    assert (round(cost["forward"], 1), round(cost["backward"], 1)) == (3, 3)
    assert cost["stored"]["logits"] == 64 * 10 * 4


def test_of_a_task_learned_before_the_logits_at_its_end_are_stored():
    """As `learned` in the settings has it: no step is taken, the memory is filled at the end."""
    [task, _] = two_tasks("class")
    method, model = cl.DERpp(memory=12), mlp()
    method.rng = rng()
    method.begin_task(model, task)
    method.end_task(model, task)
    assert method.n_stored == 12
    torch.testing.assert_close(method.z, model(method.x).detach(), rtol=0, atol=0)
    for x, y in zip(method.x, method.y, strict=True):
        [at] = (task.train.x == x).all(1).nonzero()
        assert y == task.train.y[at]


def test_share_is_what_each_of_the_two_draws_has_on_average():
    method, model, task = begun(Watched(memory=30, share=0.3), "domain")
    x, y = task.train.batch(torch.arange(8))
    method.draws = []
    for _ in range(400):
        method.loss(model, x, y)
    sizes = [len(index) for index in method.draws]
    assert set(sizes) == {2, 3}
    assert sum(sizes) / len(sizes) == pytest.approx(0.3 * 8, abs=0.1)  # six standard errors


def test_a_small_share_leaves_steps_without_memory():
    method, model, task = begun(Watched(memory=30, share=0.01), "domain")
    x, y = task.train.batch(torch.arange(8))
    method.draws = []
    losses = [method.loss(model, x, y).item() for _ in range(50)]
    plain = task.loss(model(x), y).item()
    assert all(math.isfinite(loss) for loss in losses)
    assert losses.count(plain) > 30


def test_what_is_stored_of_a_learned_task_is_said_in_eval_mode():
    model, tasks = (
        cl.MLP((784, 8, 10), dropout=0.5),
        cl.permuted(cl.load("digits").first(60, 20), 2),
    )
    method = cl.DERpp(memory=20)
    how = {"epochs": 1, "batch_size": 16, "device": "cpu", "progress": False, "lr": 0.0 + 1e-9}
    model.draw_weights(0)
    cl.train(method, tasks[:1], model, learned=1, **how)
    model.eval()
    torch.testing.assert_close(method.z[: method.n_stored], model(method.x).detach())


def test_stored_logits_are_kept_in_the_weights_precision(few):
    method = cl.DERpp(memory=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a processor without such products
        how = {"epochs": 1, "batch_size": 16, "device": "cpu", "progress": False}
        cl.train(method, cl.permuted(few, 1), cl.MLP((784, 8, 10)), precision="bfloat16", **how)
    assert method.z.dtype == torch.float32


def test_bytes_are_those_of_the_examples_that_are_there(few):
    method = cl.ER(memory=100_000)
    how = {"epochs": 1, "batch_size": 16, "device": "cpu", "progress": False}
    cl.train(method, cl.permuted(few, 1), cl.MLP((784, 8, 10)), **how)
    n = len(few.train_labels)
    assert method.n_stored == n
    assert method.stored == {"exemplars": n * (784 * 4 + 8 + 8)}
