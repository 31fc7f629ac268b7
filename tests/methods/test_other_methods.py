"""LwF, iCaRL, GEM, A-GEM, ER and DGR, each against a formula, brute force or another solver."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import binom
from torch import nn
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional as F
from toys import (
    SCENARIOS,
    InMemory,
    begun,
    full_but,
    gradient,
    mlp,
    normal,
    random_,
    rng,
    two_tasks,
)

import cl_helpers as cl
from cl_helpers.data.tasks import Task
from cl_helpers.methods import agem, er, gem, icarl, memory
from cl_helpers.models.flat import flatten

# --- LwF ---


@pytest.mark.parametrize(
    ("scenario", "competing"), [("task", [0, 1]), ("domain", [0, 1]), ("class", [0, 1, 2, 3])]
)
def test_lwf_is_the_cross_entropy_with_the_old_answers(scenario, competing):
    method, model, task = begun(cl.LwF(lam=3.0, temperature=2.0), scenario)
    x, y = task.train.batch(torch.arange(8))
    z = model(x).detach().numpy()[:, competing] / 2
    z_old = method.teacher(x).detach().numpy()[:, [0, 1]] / 2
    p_old = np.zeros_like(z)
    p_old[:, :2] = np.exp(z_old) / np.exp(z_old).sum(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    expected = F.cross_entropy(task.mask(model(x)), y).item() - 3 * (p_old * log_p).sum(1).mean()
    assert method.loss(model, x, y).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_lwf_pulls_nowhere_while_student_and_teacher_agree(scenario):
    method, model, task = begun(cl.LwF(), scenario)
    x, _ = task.train.batch(torch.arange(8))
    z = model(x)
    pull = gradient(method.distillation(z, method.soft_targets(x)), model)
    assert pull.abs().max() > 1e-4
    model.load_state_dict(method.old)
    z = model(x)
    if scenario == "class":  # the teacher gives the new classes no chance
        z = z - torch.tensor([0.0, 0.0, 1e3, 1e3])
    pull = gradient(method.distillation(z, method.soft_targets(x)), model)
    assert pull.abs().max() < 1e-14


def test_lwf_holds_new_classes_back_only_where_they_compete():
    """Its pull on their outputs, against the softmax by hand."""
    for scenario in SCENARIOS:
        method, model, task = begun(cl.LwF(temperature=2.0), scenario)
        x, _ = task.train.batch(torch.arange(8))
        z = model(x).detach().requires_grad_()
        method.distillation(z, method.soft_targets(x)).backward()
        p = (z.detach() / 2).softmax(1)[:, 2:]
        expected = p / (2 * 8) if scenario == "class" else torch.zeros_like(p)
        torch.testing.assert_close(z.grad[:, 2:], expected)


def test_lwf_asks_each_old_head_by_itself_with_task_il(few):
    tasks = cl.split(few, 2, scenario="task")[:3]
    method, model = cl.LwF(), cl.MLP((784, 16, 10), seed=1)
    for task in tasks:
        method.begin_task(model, task)
        if task is not tasks[-1]:
            method.end_task(model, task)
    x, _ = tasks[2].train.batch(torch.arange(4))
    a, b = method.soft_targets(x)
    z = method.teacher(x)
    torch.testing.assert_close(a, (z[:, [0, 1]] / 2).softmax(1))
    torch.testing.assert_close(b, (z[:, [2, 3]] / 2).softmax(1))


@pytest.mark.parametrize("name", ["lwf", "icarl", "dgr"])
def test_the_teacher_answers_in_eval_mode_and_never_learns(few, name):
    method, model = cl.METHODS[name](), cl.MLP((784, 16, 10), dropout=0.5, seed=1)
    tasks = cl.split(few, 5, scenario="class")
    cl.train(method, tasks, model, epochs=1, lr=0.01, progress=False)
    method.begin_task(model, tasks[1])
    assert not any(module.training for module in method.teacher.modules())
    assert not any(p.requires_grad for p in method.teacher.parameters())
    x = tasks[1].train.x
    torch.testing.assert_close(method.teacher(x), model.eval()(x))
    before = {k: v.clone() for k, v in method.teacher.state_dict().items()}
    flatten(model).theta.add_(1.0)
    torch.testing.assert_close(method.teacher.state_dict(), before)


# --- iCaRL ---


@pytest.mark.parametrize("n", [1, 4, 9])
def test_herding_is_the_greedy_choice_at_every_prefix(n):
    features = F.normalize(normal(9, 3), dim=1)
    chosen = icarl.herding(features, n).tolist()
    assert len(set(chosen)) == n
    for k in range(n):
        rest = [i for i in range(9) if i not in chosen[:k]]
        distance = {
            i: (features.mean(0) - features[[*chosen[:k], i]].mean(0)).norm().item() for i in rest
        }
        assert distance[chosen[k]] == pytest.approx(min(distance.values()), abs=1e-15)


def test_herding_of_more_than_there_are_takes_them_all():
    assert sorted(icarl.herding(normal(5, 2), 50).tolist()) == [0, 1, 2, 3, 4]


class WithFeatures(cl.MLP):
    def __init__(self):
        super().__init__((6, 5, 4))
        random_(self)


@pytest.mark.parametrize("t", [1.0, 2.0])
def test_icarl_is_a_sigmoid_loss_with_the_old_answers_as_targets(t):
    method, model, task = begun(cl.ICaRL(memory=8, temperature=t), "class", WithFeatures())
    x, y = task.train.batch(torch.arange(10))
    method.rng = rng(3)
    loss = method.loss(model, x, y).item()
    # Eight exemplars beside forty images: a fifth of the batch, so two.
    index = torch.randint(8, (2,), generator=rng(3))
    x, y = torch.cat([x, method.x[index]]), torch.cat([y, method.y[index]])
    p = model(x).sigmoid().detach().numpy()
    q = F.one_hot(y, 4).double().numpy()
    q[:, :2] = 1 / (1 + np.exp(-method.teacher(x).numpy()[:, :2] / t))
    expected = -(q * np.log(p) + (1 - q) * np.log(1 - p)).sum(1).mean()
    assert loss == pytest.approx(expected, rel=1e-12)


def test_icarl_answers_with_the_nearest_mean_of_exemplars_at_length_one():
    method, model, task = begun(cl.ICaRL(memory=8), "class", WithFeatures())
    x = task.train.x
    assert torch.equal(method.predict(model, x, task), task.mask(model(x)).argmax(1))
    method.end_task(model, task)
    means = {}
    for c, exemplars in method.exemplars.items():
        phi = np.array([f / np.linalg.norm(f) for f in model.features(exemplars).detach().numpy()])
        means[c] = phi.mean(0) / np.linalg.norm(phi.mean(0))
    phi = [f / np.linalg.norm(f) for f in model.features(x).detach().numpy()]
    nearest = [min(means, key=lambda c, f=f: np.linalg.norm(f - means[c])) for f in phi]
    assert method.predict(model, x, task).tolist() == nearest
    assert len(set(nearest)) > 1


def test_icarl_answers_with_the_classes_that_it_knows_whatever_their_numbers():
    # Above 25 rows, as here, distances come from a matrix product.
    tasks = cl.split(cl.load("digits").first(600, 200), 2, scenario="class", seed=1, n_tasks=3)
    run = cl.train(
        cl.ICaRL(memory=60), tasks, cl.MLP((784, 32, 10)), epochs=5, lr=0.01, progress=False
    )
    x = tasks[-1].test.x
    assert len(x) > 25
    answers = run.method.predict(run.model, x, tasks[-1])
    assert set(answers.tolist()) <= {c for task in tasks for c in task.classes}
    assert run.accuracy[-1].min() > 0.4


def test_icarl_keeps_the_front_of_each_list_when_the_memory_is_shared_anew(few):
    tasks = cl.split(few, 2, scenario="class")
    method, model = cl.ICaRL(memory=23), cl.MLP((784, 16, 10), seed=1)
    before: dict[int, torch.Tensor] = {}
    for t, task in enumerate(tasks):
        method.begin_task(model, task)
        method.end_task(model, task)
        share = 23 // (2 * t + 2)
        assert [len(x) for x in method.exemplars.values()] == [share] * (2 * t + 2)
        for c, x in before.items():
            assert torch.equal(method.exemplars[c], x[:share])
        before = dict(method.exemplars)


def test_icarl_says_what_a_model_lacks():
    first, _ = two_tasks("class")
    with pytest.raises(ValueError, match=r"Sequential has none: give it a method features\(x\)"):
        cl.ICaRL().begin_task(mlp(), first)


# --- GEM and A-GEM ---


def solved_otherwise(g, old, margin=0.0):
    """GEM's problem by SciPy's SLSQP: the primal as it is stated, the dual where γ is in it."""
    if not margin:
        return minimize(
            lambda w: 0.5 * ((w - g) ** 2).sum(),
            g,
            jac=lambda w: w - g,
            constraints={"type": "ineq", "fun": lambda w: old @ w, "jac": lambda w: old},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        ).x
    gram, linear = old @ old.T, old @ g
    v = minimize(
        lambda v: 0.5 * v @ gram @ v + linear @ v,
        np.full(len(old), margin),
        jac=lambda v: gram @ v + linear,
        bounds=[(margin, None)] * len(old),
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    ).x
    return g + old.T @ v


@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize("t", [1, 2, 5])
def test_gem_against_another_solver(t, margin):
    n_projected = 0
    for seed in range(20):
        g, old = normal(7, seed=seed), normal(t, 7, seed=100 + seed)
        found = gem.projected(g, old, margin)
        if (old @ g >= 0).all():
            assert found is g
            continue
        n_projected += 1
        expected = torch.from_numpy(solved_otherwise(g.numpy(), old.numpy(), margin))
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert n_projected > 5


def test_gem_with_one_memory_and_no_margin_is_agem():
    for seed in range(20):
        g, r = normal(7, seed=seed), normal(7, seed=50 + seed)
        torch.testing.assert_close(gem.projected(g, r[None]), agem.averaged(g, r))


def test_agem_is_orthogonal_where_it_was_contrary_and_the_same_where_not():
    for seed in range(20):
        g, r = normal(7, seed=seed), normal(7, seed=50 + seed)
        found = agem.averaged(g, r)
        if g @ r < 0:
            assert abs((found @ r).item()) < 1e-12
            torch.testing.assert_close(found, g - (g @ r) / (r @ r) * r)
        else:
            assert torch.equal(found, g)
    assert torch.equal(agem.averaged(g, torch.zeros(7, dtype=torch.float64)), g)


def cosines(g, old):
    """Of g̃ and each old gradient, in float64; 0 where one of them is nothing."""
    g, old = g.double(), old.double()
    length = old.norm(dim=1) * g.norm()
    return torch.where(length > 0, old @ g / length.clamp(min=1e-300), 0.0)


@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e15])
@pytest.mark.parametrize(
    "kind", ["parallel", "opposite", "nothing", "nearly parallel", "more than dimensions"]
)
def test_no_gram_matrix_is_too_much_for_gem(kind, scale):
    """Float32, as in training: singular, contradictory, tiny and huge."""
    a = normal(6, seed=1)
    g = (-a + 0.3 * normal(6, seed=2)).float()
    rows = {
        "parallel": [a, 2 * a, a / 3],
        "opposite": [a, -a],
        "nothing": [a, 0 * a],
        "nearly parallel": [a + 1e-7 * normal(6, seed=s) for s in range(5)],
        "more than dimensions": [normal(6, seed=s) for s in range(12)],
    }
    old = scale * torch.stack(rows[kind]).float()
    found = gem.projected(g, old)
    assert torch.isfinite(found).all()
    assert (cosines(found, old) >= -1e-6).all() or found.norm() < 1e-5 * g.norm()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("where", ["g", "old"])
def test_gem_leaves_a_gradient_that_has_diverged_as_it_is(where, value):
    """As all other methods do; SciPy's solver would raise, or take the process with it."""
    g, old = normal(6, seed=1).float(), normal(2, 6, seed=2).float()
    {"g": g, "old": old[0]}[where][3] = value
    assert gem.projected(g, old, margin=0.5) is g


class Watched(cl.GEM):
    """GEM that notes how far each projected gradient is from contradicting an old task."""

    margin_of_all = 0.0
    worst = float("inf")
    n_projected = 0

    def after_backward(self, model):
        if not self.competed:
            return
        g = flatten(model).grad
        before, old = g.clone(), self.old_gradients(model)
        super().after_backward(model)
        self.worst = min(self.worst, cosines(g, old).min().item())
        self.n_projected += not torch.equal(g, before)


@pytest.mark.parametrize("margin", full_but([0.0, 0.5], 0.5))
def test_no_step_of_a_real_run_contradicts_an_old_task(mnist, margin):
    method = Watched(memory=50, margin=margin)
    tasks = cl.permuted(mnist.first(2000, 200), 5)
    cl.train(method, tasks, cl.MLP((784, 50, 10)), epochs=1, lr=0.05, batch_size=20,
             optimizer="sgd", progress=False)  # fmt: skip
    assert method.n_projected > 50
    assert method.worst >= -1e-6


# --- memories ---


def test_a_reservoir_keeps_each_example_with_the_same_probability():
    """Each of 30 in one of 7 slots with probability 7 / 30: 20,000 times, the worst of 30."""
    n_trials, generator = 20_000, rng()
    kept: Counter[int] = Counter()
    for _ in range(n_trials):
        slots: dict[int, int] = {}
        for start in range(0, 30, 6):  # as batches
            new = er.reservoir(start, 6, 7, generator)
            slots |= {slot: start + i for slot, i in new.items()}
        kept.update(slots.values())
        assert sorted(slots) == list(range(7))
    low, high = binom.interval(1 - 1e-4 / 30, n_trials, 7 / 30)
    assert all(low <= kept[i] <= high for i in range(30)), kept


def test_the_first_example_beyond_a_full_reservoir_is_not_certain_of_a_place():
    """The usual slip, randint(0, n − 1), would let it in for sure; it is M / (M + 1)."""
    generator = rng()
    n_in = sum(bool(er.reservoir(3, 1, 3, generator)) for _ in range(10_000))
    low, high = binom.interval(1 - 1e-6, 10_000, 3 / 4)
    assert low <= n_in <= high


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_er_is_the_mean_over_the_batch_and_as_many_stored_examples(scenario):
    method, model, task = begun(cl.ER(memory=6), scenario)
    x, y = task.train.batch(torch.arange(8))
    joined = method.loss(model, x, y).item()
    losses = [F.cross_entropy(task.mask(model(x)), y, reduction="none")]
    for k in range(method.n_stored):  # fewer than the batch: all of them
        z = model(method.x[k : k + 1])
        first, second = two_tasks(scenario)
        then = [first, second][method.of[k]] if scenario == "task" else task
        losses.append(F.cross_entropy(then.mask(z), method.y[k : k + 1], reduction="none"))
    assert set(method.of.tolist()) == {0, 1}
    assert joined == pytest.approx(torch.cat(losses).mean().item(), rel=1e-12)


def test_er_stores_images_with_their_own_labels_and_tasks(few):
    tasks = cl.split(few, 2, scenario="task")
    run = cl.train(cl.ER(memory=40), tasks, cl.MLP((784, 16, 10)), epochs=1, progress=False)
    assert set(run.method.of.tolist()) == {0, 1, 2, 3, 4}
    for x, y, of in zip(run.method.x, run.method.y, run.method.of, strict=True):
        data = tasks[of].train
        here = (data.x == x).flatten(1).all(1)
        assert y.item() in data.y[here].tolist()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_loss_on_the_memory_lets_compete_what_competed(scenario):
    method, model, task = begun(cl.AGEM(memory=10), scenario)
    first, _ = two_tasks(scenario)
    index = torch.arange(10)
    then = first if scenario == "task" else task
    expected = F.cross_entropy(then.mask(model(method.x)), method.y)
    torch.testing.assert_close(method.memory_loss(model, index), expected)


@pytest.mark.parametrize("method", [cl.ER(memory=12), cl.AGEM(memory=12), cl.GEM(memory=12)])
def test_every_stored_example_of_many_tasks_is_asked_with_the_outputs_of_its_own(method):
    tasks, model = two_tasks("task", n_tasks=4), mlp((6, 5, 8))
    method.rng = rng()
    for task in tasks:
        method.begin_task(model, task)
        x, y = task.train.batch(torch.arange(30))
        method.traced_loss(model, x, y)
        method.after_step(model)
        if task is not tasks[-1]:
            method.end_task(model, task)
    assert {0, 1, 2} <= set(method.of.tolist())
    losses = [
        F.cross_entropy(tasks[of].mask(model(x[None])), y[None])
        for x, y, of in zip(method.x, method.y, method.of, strict=True)
    ]
    torch.testing.assert_close(
        method.memory_loss(model, torch.arange(len(losses))), torch.stack(losses).mean()
    )


@pytest.mark.parametrize("n", [1, 4, 10, 11])
def test_evenly_takes_from_each_class_in_turn(n):
    y = torch.tensor([0] * 20 + [1] * 5 + [2] * 2 + [7] * 30)
    chosen = memory.evenly(y, n, rng())
    assert len(set(chosen.tolist())) == n
    for k in range(1, n + 1):
        counts = Counter(y[chosen[:k]].tolist())
        for a, b in combinations((0, 1, 7), 2):  # two has only two
            assert abs(counts[a] - counts[b]) <= 1


@pytest.mark.parametrize("budget", [1, 3, 10, 40])
@pytest.mark.parametrize("name", ["er", "gem", "agem", "icarl"])
def test_no_memory_grows_beyond_its_budget(few, name, budget):
    tasks = cl.split(few, 2, scenario="class")
    method, model = cl.METHODS[name](memory=budget), cl.MLP((784, 16, 10))
    image = 784 * 4
    for event in cl.train_steps(method, tasks, model, epochs=1, batch_size=32):
        if event.kind == "task":
            [*_, cost] = event.run.costs
            n = cost["stored"]["exemplars"] / (image if name == "icarl" else image + 8 + 8)
            classes = 2 * event.task + 2
            # iCaRL has at least one exemplar a class, or there would be no mean.
            assert n <= (max(budget, classes) if name == "icarl" else budget)
            assert n == {
                "er": budget,
                "icarl": classes * max(1, budget // classes),
            }.get(name, min(budget, (event.task + 1) * max(1, budget // (event.task + 1))))


# --- DGR ---


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_dgr_mixes_new_and_replayed_as_one_to_the_tasks_before(scenario):
    first, second = two_tasks(scenario)
    first, second = (
        Task(t.name, "toy", *[InMemory(t.train.x.float().view(-1, 1, 2, 3), t.train.y)] * 2,
             t.classes, t.active, scenario)
        for t in (first, second)
    )  # fmt: skip
    method, model = cl.DGR(hidden=5, latent=2), cl.MLP((6, 5, 4), seed=1)
    method.rng = rng()
    for task in (first, second):
        method.begin_task(model, task)
        if task is first:
            method.end_task(model, task)
    with torch.no_grad():
        flatten(model).theta.add_(0.1)
    x, y = second.train.batch(torch.arange(10))
    method.rng = rng(5)
    loss = method.loss(model, x, y).item()
    dreamt = method.old_generator.sample(10, rng(5))
    assert torch.equal(method.batch[1], dreamt)
    y_old = method.teacher(dreamt)[:, :2].argmax(1)  # of what it knew
    rivals = {"task": [0, 1], "domain": [0, 1], "class": [0, 1, 2, 3]}[scenario]
    replay = F.cross_entropy(model(dreamt)[:, rivals], y_old).item()
    new = F.cross_entropy(second.mask(model(x)), y).item()
    assert loss == pytest.approx(new / 2 + replay / 2, rel=1e-5)


def test_the_vae_s_loss_is_the_negative_elbo():
    model = random_(cl.VAE((1, 2, 3), hidden=4, latent=2, rng=rng()), scale=0.3)
    x = torch.rand(7, 1, 2, 3, generator=rng(), dtype=torch.float64)
    loss = model.loss(x, rng(4))
    mean, log_variance = model.encoder(x).chunk(2, 1)
    posterior = Normal(mean, (log_variance / 2).exp())
    code = mean + posterior.scale * torch.randn(7, 2, generator=rng(4)).double()
    log_p = Bernoulli(logits=model.decoder(code), validate_args=False).log_prob(x.flatten(1))
    kl = kl_divergence(posterior, Normal(0.0, 1.0))
    torch.testing.assert_close(loss, (kl.sum(1) - log_p.sum(1)).mean())


def test_the_vae_dreams_within_the_range_of_its_data(few):
    task = cl.permuted(few, 1)[0]
    model = cl.VAE(rng=rng())
    model.fit_range(task.train)
    assert (model.low, model.high) == (task.train.x.min(), task.train.x.max())
    dreamt = model.sample(20, rng())
    assert dreamt.shape == (20, 1, 28, 28)
    assert dreamt.min() >= model.low
    assert dreamt.max() <= model.high
    torch.testing.assert_close(dreamt, model.sample(20, rng()))


@pytest.mark.full
def test_the_vae_learns_what_its_data_look_like(few):
    """The mean of its dreams approaches the mean image."""
    x = cl.permuted(few, 1)[0].train.x
    model = cl.VAE(rng=rng())
    model.fit_range(cl.permuted(few, 1)[0].train)
    optimizer, noise = torch.optim.Adam(model.parameters(), lr=1e-3), rng(1)

    def off():
        return (model.sample(500, rng(2)).mean(0) - x.mean(0)).square().mean().item()

    before = off()
    for _ in range(150):
        optimizer.zero_grad()
        model.loss(x, noise).backward()
        optimizer.step()
    assert off() < 0.2 * before


# --- scenarios ---


@pytest.mark.parametrize("make", [cl.permuted, cl.rotated])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_permuted_and_rotated_tasks_in_each_scenario(few, make, scenario):
    tasks = make(few, 3, scenario=scenario)
    for t, task in enumerate(tasks):
        start = 0 if scenario == "domain" else 10 * t
        assert task.scenario == scenario
        assert task.classes == tuple(range(start, start + 10))
        assert torch.equal(task.train.y, few.train_labels + start)
        assert torch.equal(task.train.x, make(few, 3)[t].train.x)
        z = normal(2, 30)
        competing = {
            "domain": range(30), "task": range(start, start + 10), "class": range(start + 10),
        }[scenario]  # fmt: skip
        assert torch.isfinite(task.mask(z)[0]).nonzero()[:, 0].tolist() == list(competing)


def test_a_scenario_that_a_method_does_not_serve_is_refused_with_the_cure(few):
    with pytest.raises(ValueError, match=r'iCaRL is not made for scenario="domain".*"class"'):
        cl.train(cl.ICaRL(), cl.permuted(few, 2), progress=False)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: cl.LwF(temperature=0), "τ is 0"),
        (lambda: cl.LwF(lam=-1), "λ is -1"),
        (lambda: cl.ICaRL(memory=0), "memory is 0"),
        (lambda: cl.ICaRL(temperature=-1), "τ is -1"),
        (lambda: cl.ER(memory=2.5), "memory is 2.5"),
        (lambda: cl.GEM(memory=True), "memory is True"),
        (lambda: cl.GEM(margin=-1), "γ is -1"),
        (lambda: cl.GEM(margin=float("inf")), "γ is inf"),
        (lambda: cl.GEM(margin="1"), "γ is '1'"),
        (lambda: cl.LwF(temperature="2"), "τ is '2'"),
        (lambda: cl.AGEM(batch=0), "batch is 0"),
        (lambda: cl.DGR(hidden=0), "hidden is 0"),
        (lambda: cl.DGR(lr=0), "lr is 0"),
        (lambda: cl.permuted(cl.load("digits"), scenario="all"), "scenario is 'all'"),
    ],
)
def test_a_senseless_knob_is_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()


# --- what they cost ---


@pytest.mark.parametrize(
    ("method", "forward", "backward", "stored"),
    [
        (cl.Baseline(), 1, 1, {}),
        (cl.EWC(), 1, 1, {"importance": 4, "anchor": 4}),
        (cl.RWalk(), 1, 1, {"importance": 4, "anchor": 4, "path score": 4}),
        (cl.LwF(), 2, 1, {"teacher": 4}),
        (cl.ER(memory=60), 2, 2, {"exemplars": 60}),
        (cl.AGEM(memory=60, batch=15), 1.5, 1.5, {"exemplars": 60}),
        # Twenty stored examples of each of two tasks beside a batch of thirty.
        (cl.GEM(memory=60), 1 + 2 / 3 + 2 / 3, 1 + 2 / 3 + 2 / 3, {"exemplars": 60}),
        (cl.Joint(), 1, 1, {}),
    ],
    ids=lambda value: getattr(value, "label", ""),
)
def test_cost_of_the_third_task_as_counted_by_hand(few, method, forward, backward, stored):
    """In passes of a batch of thirty; in bytes a weight, or examples."""
    model = cl.MLP((784, 16, 10))
    how = {"epochs": 1, "batch_size": 30, "progress": False}
    run = cl.train(method, cl.permuted(few, 3), model, **how)
    cost = run.costs[-1]
    if method.name == "gem":  # thirty of each in the third task: what the second left
        forward = backward = 1 + 2 * 30 / 30
    assert cost["forward"] == pytest.approx(forward, rel=1e-9)
    assert cost["backward"] == pytest.approx(backward, rel=1e-9)
    n = sum(p.numel() for p in model.parameters())
    in_bytes = {k: v * (784 * 4 + 16 if k == "exemplars" else n) for k, v in stored.items()}
    assert cost["stored"] == in_bytes
    assert [c["task"] for c in run.costs] == ([0, 1, 2] if method.name != "joint" else [2])
    assert 0 < sum(c["seconds"] for c in run.costs) <= run.seconds


class Scaled(nn.Module):
    """A model without a product of matrices."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(10))

    def forward(self, x):
        return self.scale * x.flatten(1)[:, 400:410]


def test_a_model_without_matrices_is_trained_too(few):
    run = cl.train(cl.Baseline(), cl.permuted(few, 1), Scaled(), epochs=1, progress=False)
    assert (run.costs[0]["forward"], run.costs[0]["backward"]) == (1, 1)


def test_dgr_s_generator_counts_for_its_size(few):
    """Three networks of one size in a step, and a generator of another."""
    model = cl.MLP((784, 16, 10))
    method = cl.DGR(hidden=8, latent=4)
    how = {"epochs": 1, "batch_size": 30, "progress": False}
    cost = cl.train(method, cl.permuted(few, 2), model, **how).costs[-1]
    plain = 784 * 16 + 16 * 10  # multiplications an image
    encoder, decoder = 784 * 8 + 8 * 8 + 8 * 8, 4 * 8 + 8 * 8 + 8 * 784
    dreams = 2 * (encoder + decoder) + decoder  # learns on both halves; dreamt up one
    assert cost["forward"] == pytest.approx(3 + dreams / plain, rel=1e-9)
    # Backwards: twice the forward pass, less the derivative by the image, which nobody asks for.
    trained = 2 * (2 * (encoder + decoder) - 784 * 8)
    assert cost["backward"] == pytest.approx(2 + trained / (2 * plain - 784 * 16), rel=1e-9)
