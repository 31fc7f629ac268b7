"""Every Ω against a formula or plain autograd, and what all methods have in common."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import InMemory, gradient, mlp, one_by_one, random_, random_task

import cl_helpers as cl
from cl_helpers.data.tasks import Task
from cl_helpers.models.flat import flatten

QUADRATIC = ["ewc", "mas", "si", "rwalk", "scp"]


def by_hand(method, model, task, optimizer, steps=5, batch_size=10, before_step=None):
    """The hooks in their order, and nothing else of our loop."""
    method.begin_task(model, task)
    for step in range(steps):
        x, y = task.train.batch(torch.arange(batch_size) + step)
        optimizer.zero_grad()
        method.begin_step(model)
        method.traced_loss(model, x, y).backward()
        method.after_backward(model)
        if before_step is not None:
            before_step(gradient(F.cross_entropy(model(x), y), model))
        optimizer.step()
        method.after_step(model)
        if method.interval and (step + 1) % method.interval == 0:
            method.after_interval(model)
    method.end_task(model, task)


def learned(name, model=None, lam=None, **knobs):
    """A method that has been through one task and is now a few steps away from its end."""
    model = mlp() if model is None else model
    method = cl.METHODS[name](**({} if lam is None else {"lam": lam}), **knobs)
    by_hand(method, model, random_task(), torch.optim.SGD(model.parameters(), lr=0.1))
    method.begin_task(model, random_task(seed=1))
    with torch.no_grad():
        generator = torch.Generator().manual_seed(5)
        for p in model.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype), alpha=0.1)
    return method, model


# --- the Ω of each method ---


def softmax_regression():
    return random_(nn.Sequential(nn.utils.skip_init(nn.Linear, 6, 4)))


@pytest.mark.parametrize("fisher", ["empirical", "true"])
def test_ewc_on_softmax_regression_is_the_closed_form(fisher):
    """∂ log p_y / ∂W_kd = (1[y = k] − p_k) x_d; its expected square p_k (1 − p_k) x_d²."""
    model, task = softmax_regression(), random_task()
    x, y = task.train.x, task.train.y
    p = model(x).softmax(-1).detach()
    factor = p * (1 - p) if fisher == "true" else (F.one_hot(y, 4) - p).square()
    weight = (factor[:, :, None] * x.square()[:, None, :]).mean(0)
    bias = factor.mean(0)
    omega = cl.EWC(fisher=fisher).importance_of(model, task)
    torch.testing.assert_close(omega, torch.cat([weight.flatten(), bias]))


def test_true_fisher_is_the_mean_of_many_sampled_ones():
    model, task = mlp(), random_task(n=10)
    exact = cl.EWC(fisher="true").importance_of(model, task)
    p = model(task.train.x).softmax(-1)
    generator = torch.Generator().manual_seed(0)
    draws = [torch.multinomial(p, 1, generator=generator).squeeze(1) for _ in range(1500)]
    sampled = torch.stack(
        [
            cl.EWC().importance_of(model, Task("", "", InMemory(task.train.x, y), task.test, ()))
            for y in draws
        ]
    )
    error_of_mean = sampled.std(0) / len(draws) ** 0.5
    off = (sampled.mean(0) - exact).abs() / error_of_mean.clamp_min(1e-12)
    assert off.max() < 5  # standard errors, the worst of 59 parameters


@pytest.mark.parametrize("fisher", ["empirical", "true"])
def test_ewc_on_a_deep_model_is_the_fisher_one_sample_at_a_time(fisher):
    model, task = mlp(), random_task(n=15)
    if fisher == "empirical":
        expected = one_by_one(model, task, lambda z, y: z.log_softmax(-1)[y], torch.square)
    else:
        expected = torch.zeros(59, dtype=torch.float64)
        for x, _ in task.train.batches(1):
            log_p = model(x)[0].log_softmax(-1)
            for k in range(4):
                expected += log_p[k].exp().detach() * gradient(log_p[k], model).square() / 15
    torch.testing.assert_close(cl.EWC(fisher=fisher).importance_of(model, task), expected)


def test_mas_on_a_linear_map_is_the_closed_form():
    """∂ ‖W x‖² / ∂W = 2 W x xᵀ."""
    model, task = random_(nn.utils.skip_init(nn.Linear, 6, 4, bias=False)), random_task()
    x = task.train.x
    expected = (2 * model(x)[:, :, None] * x[:, None, :]).abs().mean(0)
    omega = cl.MAS().importance_of(model, task)
    torch.testing.assert_close(omega, expected.detach().flatten())


def test_mas_on_a_deep_model_one_sample_at_a_time():
    model, task = mlp(), random_task(n=15)
    expected = one_by_one(model, task, lambda z, y: z.square().sum(), torch.abs)
    torch.testing.assert_close(cl.MAS().importance_of(model, task), expected)


@pytest.mark.parametrize("name", ["mas", "scp"])
def test_no_labels_needed(name):
    model, task = mlp(), random_task()
    method = cl.METHODS[name]()
    shuffled = Task("", "", InMemory(task.train.x, task.train.y.flip(0)), task.test, ())
    torch.testing.assert_close(
        method.importance_of(model, task), method.importance_of(model, shuffled)
    )


@pytest.mark.parametrize("n_slices", [1, 3, 4, 5, 50])
def test_scp_is_the_mean_over_its_slices(n_slices):
    model, task = mlp(), random_task(n=15)
    method = cl.SCP(slices=n_slices, batch_size=5)
    generator = torch.Generator().manual_seed(method.seed)
    xi = F.normalize(torch.randn(n_slices, 4, generator=generator, dtype=torch.float64), dim=1)
    expected = sum(
        gradient(slice_ @ model(x).mean(0), model).square() / n_slices / 3
        for x, _ in task.train.batches(5)
        for slice_ in xi
    )
    torch.testing.assert_close(method.importance_of(model, task), expected)


def test_scp_with_many_slices_tends_to_the_mean_over_outputs():
    model, task = mlp(), random_task(n=15)
    expected = sum(gradient(model(task.train.x).mean(0)[j], model).square() / 4 for j in range(4))
    omega = cl.SCP(slices=400_000, batch_size=15).importance_of(model, task)
    torch.testing.assert_close(omega, expected, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (cl.SCP(slices=1000, batch_size=1000), 4),
        (cl.SCP(slices=3, batch_size=1000), 3),
        (cl.EWC(fisher="true"), 4),
        (cl.EWC(fisher="empirical"), 1),
        (cl.MAS(), 1),
    ],
)
def test_never_more_than_a_backward_pass_per_output(method, passes, monkeypatch):
    calls, autograd = [], torch.autograd.grad
    monkeypatch.setattr(
        torch.autograd, "grad", lambda *a, **k: calls.append(1) or autograd(*a, **k)
    )
    counts = []
    for n in (1000, 2000):  # a batch more; a few examples are passes of their own
        calls.clear()
        method.importance_of(mlp(), random_task(n=n))
        counts.append(len(calls))
    assert counts[1] - counts[0] == passes


def test_scp_depends_on_its_batch_since_the_mean_comes_before_the_square():
    model, task = mlp(), random_task(n=40)
    a, b = (cl.SCP(batch_size=n).importance_of(model, task) for n in (5, 40))
    assert not torch.allclose(a, b, rtol=0.1)


class OnAQuadratic(cl.SI):
    """SI with the task loss ½ (θ − c)ᵀ A (θ − c)."""

    def task_loss(self, model, x, y):
        off = torch.cat([p.reshape(-1) for p in model.parameters()]) - self.centre
        return 0.5 * off @ self.curvature @ off


def test_si_accounts_for_the_whole_fall_of_the_loss():
    """Σ ω ≈ L(start) − L(end), the better the smaller the steps."""
    model = random_(nn.utils.skip_init(nn.Linear, 3, 2, bias=False))
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    method = OnAQuadratic(lam=0)
    method.curvature, method.centre = root @ root.T, torch.ones(6, dtype=torch.float64)

    def loss():
        return method.task_loss(model, None, None).item()

    start = loss()
    by_hand(method, model, random_task(n=3000), torch.optim.SGD(model.parameters(), 1e-4), 2000)
    assert start - loss() > 0.5
    assert method.path.sum().item() == pytest.approx(start - loss(), rel=2e-3)


RWALK = {"interval": 4, "alpha": 0.7, "epsilon": 1e-4}


@pytest.mark.parametrize("lam", [0.0, 30.0])
def test_si_and_rwalk_follow_their_formulas_along_the_path(lam):
    """Three tasks with Adam; the oracle sees only positions and gradients of the task loss.

    Chaudhry et al. 2018, eqs. 6, 8 and 9, for the paper's form: F goes on, the first score is not
    halved, and the latest F + s is all of Ω.
    """
    paper = RWALK | {"online": True}
    for name, knobs in (("si", {}), ("rwalk", RWALK), ("rwalk", paper)):
        model = mlp()
        online = knobs.get("online", False)
        method = cl.METHODS[name](lam=lam, **knobs)
        expected, old_score = torch.zeros(59, dtype=torch.float64), None
        fisher = [torch.zeros(59, dtype=torch.float64)]
        for task in (random_task(), random_task(seed=1), random_task(seed=2)):
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            theta, g = [], []

            def keep(grad, model=model, theta=theta, g=g):
                theta.append(flatten(model).theta.clone())
                g.append(grad)

            by_hand(method, model, task, optimizer, steps=10, before_step=keep)
            theta.append(flatten(model).theta.clone())
            if name == "si":
                omega = -sum(g[i] * (theta[i + 1] - theta[i]) for i in range(10))
                expected += (omega / ((theta[-1] - theta[0]) ** 2 + method.xi)).clamp_min(0)
            else:
                fisher = fisher[-1:] if online else [torch.zeros_like(theta[0])]
                score = torch.zeros_like(theta[0])
                for i in range(10):
                    fisher.append(0.7 * fisher[-1] + 0.3 * g[i] ** 2)
                for a, b in ((0, 4), (4, 8), (8, 10)):  # the last stretch is a short one
                    fall = -sum(g[i] * (theta[i + 1] - theta[i]) for i in range(a, b))
                    distance = 0.5 * fisher[b] * (theta[b] - theta[a]) ** 2
                    score += (fall / (distance + 1e-4)).clamp_min(0)
                halved = 0.5 * (score if old_score is None else old_score + score)
                old_score = score if online and old_score is None else halved
                both = fisher[-1] / fisher[-1].max() + old_score / old_score.max()
                expected = both if online else expected + both
            torch.testing.assert_close(method.omega, expected)


def test_separate_anchors_are_a_penalty_a_task(few):
    """Kirkpatrick's sum over the tasks, each with its own Ω and θ*, in value and gradient."""
    model, method = mlp(), cl.EWC(lam=2.0, anchors="separate")
    tasks, held = [random_task(seed=s) for s in range(4)], []
    for task in tasks[:3]:
        by_hand(method, model, task, torch.optim.SGD(model.parameters(), lr=0.1))
        held.append((cl.EWC().importance_of(model, task), flatten(model).theta.clone()))
    method.begin_task(model, tasks[3])
    theta = flatten(model).theta
    theta += 0.1 * torch.randn(theta.shape, generator=torch.Generator().manual_seed(1)).to(theta)
    away = theta.clone().requires_grad_()
    expected = sum(0.5 * (omega * (away - star) ** 2).sum() for omega, star in held)
    torch.testing.assert_close(method.penalty(model), expected.detach())
    method.begin_step(model)
    flatten(model).grad.zero_()
    method.after_backward(model)
    [slope] = torch.autograd.grad(2.0 * expected, away)
    torch.testing.assert_close(flatten(model).grad, slope)
    latest = cl.EWC(lam=2.0)
    assert not torch.allclose(method.theta_star, held[-1][1])
    assert latest.knobs["anchors"] == "latest"


def test_separate_anchors_know_the_model_they_were_learned_with(few, tmp_path):
    tasks, how = cl.permuted(few, 3), {"epochs": 1, "progress": False}
    method = cl.EWC(anchors="separate")
    run = cl.train(method, tasks, cl.MLP((784, 16, 10)), checkpoint=tmp_path / "a", **how)
    assert run.complete
    method.begin_task(run.model, tasks[0])
    with pytest.raises(ValueError, match="holds on to the weights of another model"):
        method.begin_task(cl.MLP((784, 16, 10), seed=3), tasks[0])
    again = cl.train(
        cl.EWC(anchors="separate"), tasks, cl.MLP((784, 16, 10)), checkpoint=tmp_path / "a", **how
    )
    assert again.method.offset == method.offset > 0
    assert torch.equal(again.method.theta_star, method.theta_star)


# --- what they share ---


@pytest.mark.parametrize("name", QUADRATIC)
def test_penalty_is_half_omega_times_distance_squared(name):
    method, model = learned(name)
    theta = dict(model.named_parameters())
    star = dict(
        zip(theta, method.theta_star.split([p.numel() for p in theta.values()]), strict=True)
    )
    expected = 0.0
    for n, p in theta.items():
        assert method.importance[n].shape == p.shape
        expected += 0.5 * (method.importance[n] * (p - star[n].view_as(p)) ** 2).sum().item()
    assert expected > 0
    assert method.penalty(model).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", QUADRATIC)
def test_penalty_is_zero_before_the_first_task_ends_and_at_the_anchor(name):
    model = mlp()
    method = cl.METHODS[name]()
    assert method.penalty(model).item() == 0
    assert method.importance == {}
    by_hand(method, model, random_task(), torch.optim.SGD(model.parameters(), lr=0.1))
    assert method.penalty(model).item() == 0
    assert all((v >= 0).all() for v in method.importance.values())


@pytest.mark.parametrize("name", QUADRATIC)
def test_the_gradient_written_down_is_the_one_autograd_finds(name):
    method, model = learned(name, lam=3.0)
    x, y = random_task(seed=1).train.batch(torch.arange(10))
    expected = gradient(method.loss(model, x, y), model)
    task_alone = gradient(F.cross_entropy(model(x), y), model)
    assert not torch.allclose(expected, task_alone, rtol=1e-3)
    model.zero_grad()
    method.begin_step(model)
    method.traced_loss(model, x, y).backward()
    method.after_backward(model)
    torch.testing.assert_close(flatten(model).grad, expected)


@pytest.mark.parametrize("name", QUADRATIC)
def test_omega_is_summed_and_storage_does_not_grow(name):
    model, method = mlp(), cl.METHODS[name](lam=0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    sizes, before = [], 0.0
    for seed in range(3):
        by_hand(method, model, random_task(seed=seed), optimizer)
        sizes.append(sum(v.numel() for v in method.state().values() if torch.is_tensor(v)))
        assert (method.omega >= before).all()
        assert method.omega.sum() > (before.sum() if seed else 0)
        before = method.omega
    assert sizes[0] == sizes[1] == sizes[2]


@pytest.mark.parametrize("name", cl.METHODS)
def test_defaults_and_knobs(name):
    method = cl.METHODS[name]()
    assert method.name == name
    assert cl.METHODS[name](**method.knobs).knobs == method.knobs
    assert ("lam" in method.knobs) == (name in [*QUADRATIC, "lwf"])


@pytest.mark.parametrize("lam", [-1, float("nan"), float("inf"), "much", None, True])
def test_a_senseless_lambda_is_refused_also_in_mid_run(lam):
    with pytest.raises(ValueError, match=r"λ is .*choose a number, 0"):
        cl.EWC(lam=lam)
    method = cl.EWC()
    with pytest.raises(ValueError, match="λ is"):
        method.lam = lam
    assert method.lam == cl.EWC().lam


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: cl.EWC(fisher="half"), "half"),
        (lambda: cl.SI(xi=0), "ξ is 0"),
        (lambda: cl.RWalk(alpha=1.0), "α is 1.0"),
        (lambda: cl.RWalk(interval=0), "Δt is 0"),
        (lambda: cl.RWalk(interval=2.5), "Δt is 2.5"),
        (lambda: cl.SCP(seed=0.5), "seed is 0.5"),
        (lambda: cl.RWalk(epsilon=-1), "ε is -1"),
        (lambda: cl.SCP(slices=0), "slices is 0"),
        (lambda: cl.SCP(batch_size=0), "batch_size is 0"),
    ],
)
def test_a_senseless_knob_is_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()


def test_class_il_masks_loss_and_prediction(few):
    tasks = cl.split(few, 2, scenario="class")
    model, method = cl.MLP(), cl.Baseline()
    method.begin_task(model, tasks[1])
    x, y = tasks[1].train.batch(torch.arange(8))
    expected = F.cross_entropy(model(x)[:, :4], y)  # outputs 0 … 3 have been seen
    torch.testing.assert_close(method.loss(model, x, y), expected)
    assert method.predict(model, x, tasks[1]).max() < 4


@pytest.mark.parametrize("name", ["ewc", "mas", "scp"])
def test_omega_can_be_measured_on_a_part_of_the_examples(name, few):
    """Those that the run's generator draws, and the same for the same seed."""
    task, model = random_task(n=50), mlp()
    method = cl.METHODS[name](n_samples=10)
    method.rng = torch.Generator().manual_seed(4)
    drawn = torch.randperm(50, generator=torch.Generator().manual_seed(4))[:10]
    part = replace(task, train=cl.data.views.PartialView(task.train, drawn))
    expected = cl.METHODS[name]().importance_of(model, part)
    torch.testing.assert_close(method.importance_of(model, task), expected)
    whole = cl.METHODS[name]().importance_of(model, task)
    assert not torch.allclose(expected, whole)
    torch.testing.assert_close(cl.METHODS[name](n_samples=50).importance_of(model, task), whole)
    large = random_task(n=1100)
    drawn = torch.randperm(1100, generator=torch.Generator().manual_seed(0))[:1024]
    part = replace(large, train=cl.data.views.PartialView(large.train, drawn))
    some = cl.METHODS[name](n_samples=1024).importance_of(model, large)  # no run: the same ones
    every = cl.METHODS[name](n_samples=None)
    torch.testing.assert_close(some, every.importance_of(model, part))
    assert not torch.allclose(some, every.importance_of(model, large))
    assert cl.METHODS[name]().n_samples == (4096 if name == "ewc" else 1024)
    how = {"epochs": 1, "progress": False}
    runs = [
        cl.train(cl.METHODS[name](n_samples=20), cl.permuted(few, 2), cl.MLP((784, 8, 10)), **how)
        for _ in range(2)
    ]
    assert torch.equal(runs[0].method.omega, runs[1].method.omega)
    for wrong in (0, 2.5, -3):
        with pytest.raises(ValueError, match=f"n_samples is {wrong}: choose a whole number"):
            cl.METHODS[name](n_samples=wrong)
