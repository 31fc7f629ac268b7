"""The key of the quiz, worked out again: whoever computes a question need not trust its author.

A fact is named by a question and says of each of its options whether it is right, by running the
course's own code or a few lines of algebra. It never sees the key.
"""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn import functional as F
from toys import InMemory, gradient, mlp, one_by_one, random_, random_task

import cl_helpers as cl
from cl_helpers.data.tasks import Scenario, Task
from cl_helpers.data.views import Permute
from cl_helpers.methods import PathIntegral
from cl_helpers.models.flat import flatten
from cl_helpers.training.evaluation import as_of
from quiz import bank

QUIZ = bank.load()
Truth = dict[str, bool]  # option id -> is it right?
FACTS: dict[str, Callable[[], Truth]] = {}


def fact(work_out: Callable[[], Truth]) -> Callable[[], Truth]:
    FACTS[work_out.__name__.replace("_", "-")] = work_out
    return work_out


NAMED = sorted(q.fact for q in QUIZ.questions.values() if q.fact)


@pytest.mark.parametrize("name", NAMED)
def test_the_key_is_what_comes_out(name):
    (question,) = [q for q in QUIZ.questions.values() if q.fact == name]
    truth = FACTS[name]()
    assert set(truth) == {option.id for option in question.options}
    assert {option for option, right in truth.items() if right} == question.key


def test_every_fact_has_its_question_and_most_questions_have_one():
    assert sorted(FACTS) == NAMED
    assert len(FACTS) >= 12


CODE = re.compile(r"`([^`]+)`\s+gives\s+`([^`]+)`")
SHOWN = [
    pytest.param(code, value, id=f"{q.id}-{option.id}")
    for q in QUIZ.questions.values()
    for option in q.options
    for code, value in CODE.findall(option.why)
]


@pytest.mark.parametrize(("code", "value"), SHOWN)
def test_code_in_an_explanation_gives_what_it_says(code, value):
    *before, last = ast.parse(code).body
    names = {"cl": cl, "torch": torch}
    exec(compile(ast.Module(before, []), "why", "exec"), names)
    assert repr(eval(ast.unparse(last), names)) == value


def test_several_explanations_can_be_run():
    assert len(SHOWN) >= 6


# --- shared by the facts ---


def same(a: Tensor, b: Tensor) -> bool:
    """The same numbers, up to rounding."""
    return torch.allclose(a, b, rtol=1e-6, atol=1e-12)


def few_digits() -> cl.Dataset:
    return cl.load("digits").first(300, 100)


def trained(method, tasks, model=None, **settings):
    return cl.train(method, tasks, model, progress=False, device="cpu", **settings)


def labelled(task: Task, y: Tensor) -> Task:
    """The task with other labels."""
    return replace(task, train=InMemory(task.train.x, y))


def learn(method, model, task, steps=12, watch=None):
    """The steps of a task on ten samples each, up to but not including `end_task`."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    method.begin_task(model, task)
    for step in range(steps):
        x, y = task.train.batch(torch.arange(10) + step)
        before = flatten(model).theta.clone()
        optimizer.zero_grad()
        method.begin_step(model)
        method.traced_loss(model, x, y).backward()
        g = flatten(model).grad.clone()
        method.after_backward(model)
        penalised = flatten(model).grad.clone()
        optimizer.step()
        method.after_step(model)
        if method.interval and (step + 1) % method.interval == 0:
            method.after_interval(model)
        if watch is not None:
            watch(g, penalised, flatten(model).theta - before, before)


def walk(method: PathIntegral, g: Sequence, moves: Sequence) -> nn.Module:
    """Lead a model with one output through `moves` (S, P), with these gradients `g` (S, P)."""
    g, moves = torch.tensor(g).double(), torch.tensor(moves).double()
    model = random_(nn.utils.skip_init(nn.Linear, g.shape[1], 1, bias=False), scale=0)
    flat = flatten(model)
    method.begin_task(model, random_task())
    for step, (g_step, move) in enumerate(zip(g, moves, strict=True), start=1):
        method.g.copy_(g_step)
        flat.theta.add_(move)
        method.after_step(model)
        if method.interval and step % method.interval == 0:
            method.after_interval(model)
    return model


# --- basics ---


@fact
def permuted_tasks() -> Truth:
    data = cl.load("digits")
    tasks = cl.permuted(data, 5)
    x = [task.train.x.flatten(1) for task in tasks]
    orders = [torch.arange(784), *(task.train.transform.order for task in tasks[1:])]
    shuffled_alike = all(torch.equal(x[t], x[0][:, order]) for t, order in enumerate(orders))
    each_its_own = not any(torch.equal(a, b) for a, b in combinations(orders, 2))

    labels_differ = any(not torch.equal(task.train.y, tasks[0].train.y) for task in tasks)
    outputs_differ = len({(task.classes, task.active) for task in tasks}) > 1

    # Columns in another order are as likely a draw, and lead the fifth task to the same answers.
    first, fifth = cl.MLP((784, 32, 10), seed=0), cl.MLP((784, 32, 10), seed=0)
    with torch.no_grad():
        fifth.fc1.weight.copy_(first.fc1.weight[:, orders[-1]])
    for task, model in ((tasks[0], first), (tasks[-1], fifth)):
        learned = trained(cl.Baseline(), [task], model, epochs=4, lr=1e-3)
        assert learned.average_accuracy > 0.8
    logits = first(tasks[0].test.x), fifth(tasks[-1].test.x)

    # The columns of what has learned the first task, in the second one's order.
    moved = cl.MLP((784, 32, 10), seed=0)
    moved.load_state_dict(first.state_dict())
    with torch.no_grad():
        moved.fc1.weight.copy_(first.fc1.weight[:, orders[1]])
    as_before = torch.allclose(first(tasks[0].test.x), moved(tasks[1].test.x), atol=1e-3)
    tests = [
        task.test.x.flatten(1)[:, order.argsort()]
        for task, order in zip(tasks, orders, strict=True)
    ]
    brightness = [of_task.mean(1) for of_task in x]

    images = {task.train.dataset.train_images.data_ptr() for task in tasks}
    unseen = [cl.evaluate(cl.Baseline(), first, task) for task in tasks[1:]]
    return {
        "a": shuffled_alike and each_its_own,
        "b": labels_differ or outputs_differ,
        "c": torch.allclose(*logits, atol=1e-3),
        "d": len(images) == 5,
        "e": abs(np.mean(unseen) - 0.1) < 0.05,
        "f": as_before,
        "g": not all(torch.equal(test, tests[0]) for test in tests),
        "h": bool((brightness[0] > brightness[1] + 1e-4).double().mean() > 0.5),
    }


@fact
def two_bowls() -> Truth:
    b = cl.bowls.Bowl((1.1, 0.6), curvature=12, degrees=120)

    def a(degrees):
        return cl.bowls.Bowl((-1.1, -0.6), curvature=12, degrees=degrees)

    def ends(degrees, penalty, *lams):
        return np.array([cl.bowls.end(a(degrees), b, penalty, lam) for lam in lams])

    def both(degrees):
        return minimize(lambda t: a(degrees).loss(t) + b.loss(t), [0, 0], tol=1e-12).x

    angles, lams = range(0, 180, 15), (0.1, 1.0, 10.0)
    diagonal = cl.bowls.importance(a(45), "diagonal")
    rigid = [np.linalg.norm(ends(d, "L2", 1e3, 1e6) - a(d).optimum, axis=1) for d in angles]
    return {
        "a": all(
            (np.diff([a(d).loss(end) for end in ends(d, "exact", 0, *lams, 1e3)]) < 1e-9).all()
            for d in angles
        ),
        "b": all(near < far / 100 and near < 1e-4 for far, near in rigid),
        "c": all(np.allclose(ends(d, "exact", 1), both(d), atol=1e-5) for d in angles),
        "d": all(np.allclose(ends(d, "diagonal", *lams), ends(d, "exact", *lams)) for d in (0, 90)),
        "e": bool(np.isclose(diagonal[0, 0], diagonal[1, 1])),
    }


# --- EWC ---


@fact
def laplace() -> Truth:
    """Softmax regression on classes that overlap, at its very minimum."""
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 300, 3, generator=generator, dtype=torch.float64)
    y = (x + noise).argmax(1)
    x *= torch.tensor([1.0, 0.1, 0.01])  # the smaller the input, the flatter the loss
    model = random_(nn.Sequential(nn.utils.skip_init(nn.Linear, 3, 3, bias=False)), scale=0)
    w = flatten(model).theta

    def loss(w):
        return F.cross_entropy(x @ w.view(3, 3).T, y)

    def curvature(w):
        return torch.autograd.functional.hessian(loss, w)

    for _ in range(30):  # Newton; the logits' common shift is free, hence the pseudo-inverse
        w -= torch.linalg.pinv(curvature(w), rtol=1e-9) @ torch.func.grad(loss)(w)
    hessian = curvature(w)
    data = InMemory(x, y)
    omega = cl.EWC().importance_of(model, Task("", "", data, data, (0, 1, 2)))

    def error_at(distance):
        """Of the whole second-order term, as a share of the rise of the loss."""
        off = distance * torch.tensor([1.0, 0, 0, -1, 0, 0, 0, 0, 0], dtype=torch.float64)
        rise = loss(w + off) - loss(w)
        return abs(0.5 * off @ hessian @ off / rise - 1)

    def by_input(v):
        """From the steepest to the flattest input: the smallest and the largest of its weights."""
        return [(column.min(), column.max()) for column in v.view(3, 3).T]

    assert error_at(0.01) < 0.01
    assert all(a[0] > b[1] for a, b in pairwise(by_input(hessian.diag())))
    return {
        "a": bool(torch.func.grad(loss)(w).norm() < 1e-9),
        "b": bool((hessian - hessian.diag().diag()).abs().max() < 1e-6),
        "c": bool(omega.max() < 1e-3 * hessian.diag().max()),
        "d": bool(error_at(30) < 0.1),
        "e": all(bool(a[0] > b[1]) for a, b in pairwise(by_input(omega))),
    }


@fact
def ewc_three_tasks() -> Truth:
    tasks = cl.permuted(few_digits(), 3)
    how = {"epochs": 2, "lr": 1e-3, "device": "cpu"}
    method, model = cl.EWC(), cl.MLP((784, 16, 10))
    n = flatten(model).theta.numel()
    of_train, of_test, kept, ends, omegas = [], [], [], [], []
    for event in cl.train_steps(method, tasks, model, **how):
        if event.kind == "task":
            task = tasks[event.task]
            of_train.append(cl.EWC().importance_of(model, task))
            of_test.append(cl.EWC().importance_of(model, replace(task, train=task.test)))
            kept.append(sum(v.numel() for v in method.state().values() if torch.is_tensor(v)))
            ends.append(flatten(model).theta.clone())
            omegas.append(method.omega.clone())
    anew = [cl.EWC().importance_of(model, task) for task in tasks]

    first = []
    for lam in (0.0, 1e6):
        alone = cl.MLP((784, 16, 10))
        cl.train(cl.EWC(lam=lam), tasks[:1], alone, progress=False, **how)
        first.append(flatten(alone).theta)
    return {
        "a": not torch.equal(method.theta_star, ends[-1]) or method.penalty(model).item() > 0,
        "b": kept == [2 * n] * 3,
        "c": torch.allclose(method.omega, sum(anew)),
        "d": torch.allclose(method.omega, sum(of_train)),
        "e": torch.equal(*first) and torch.equal(first[0], ends[0]),
        "f": torch.allclose(method.omega, sum(of_test)),
        "g": torch.allclose(method.omega, sum(of_train) / 3),
        "h": method.penalty(model).item() == 0 and not torch.equal(ends[0], ends[-1]),
        "i": not torch.allclose(omegas[2] - omegas[1], of_train[2], rtol=1e-3),
    }


# --- MAS ---


@fact
def shuffled_after_training() -> Truth:
    methods = {
        "a": cl.SI,
        "b": cl.MAS,
        "c": lambda: cl.EWC(fisher="empirical"),
        "d": cl.RWalk,
        "e": lambda: cl.EWC(fisher="true"),
        "f": cl.SCP,
    }
    task = random_task()
    shuffled = labelled(task, task.train.y.roll(7))

    def omega(make, at_the_end):
        method, model = make(), mlp()
        learn(method, model, task)
        method.end_task(model, at_the_end)
        return method.omega

    return {o: same(omega(make, task), omega(make, shuffled)) for o, make in methods.items()}


@fact
def mas_sensitivity() -> Truth:
    mas, task = cl.MAS(), random_task(n=40)
    x, y = task.train.x, task.train.y
    model = random_(cl.MLP((6, 5, 4)))
    omega = mas.importance_of(model, task)
    without_labels = mas.importance_of(model, labelled(task, torch.zeros_like(y)))
    wrong = model(x).argmax(1) != y
    from_wrong, from_right = (
        mas.importance_of(model, replace(task, train=InMemory(x[rows], y[rows]))).mean()
        for rows in (wrong, ~wrong)
    )

    twice = replace(task, train=InMemory(torch.cat([x, x]), torch.cat([y, y])))
    of_norm = one_by_one(model, task, lambda z, y: z.norm(), torch.abs)
    of_biases = (2 * model(x).abs()).mean(0)
    on_twice = mas.importance_of(model, twice)

    with torch.no_grad():
        for p in model.fc2.parameters():
            p.mul_(2)
    doubled = mas.importance_of(model, task)
    n_first = sum(p.numel() for p in model.fc1.parameters())

    def linear(weight, x):
        """f(x) = W x, and its Ω from these inputs."""
        model = random_(nn.utils.skip_init(nn.Linear, len(weight[0]), len(weight), bias=False))
        flatten(model).theta.copy_(torch.tensor(weight).flatten())
        data = InMemory(torch.tensor(x).double(), torch.zeros(len(x), dtype=torch.long))
        return model, mas.importance_of(model, Task("", "", data, data, (0,)))

    # Two logits (w₁, w₂) at (1, 0): let w₂ go as far as 5.
    two_logits, of_each = linear([[1.0], [0.0]], [[1.0]])
    answer = two_logits(torch.ones(1, 1).double()).argmax()
    flatten(two_logits).theta[1] = 5
    changed = answer != two_logits(torch.ones(1, 1).double()).argmax()
    assert of_each[1] == 0

    # f = w₁ x₁ + w₂ x₂ is 1 for both images; w₁ makes ‖f‖² rise for one and fall for the other.
    _, opposed = linear([[0.0, 1.0]], [[1.0, 1.0], [-1.0, 1.0]])
    _, on_one_of_two = linear([[1.0]], [[0.0], [2.0]])
    return {
        "a": same(doubled[:n_first], 4 * omega[:n_first]),
        "b": bool(from_wrong < 0.1 * from_right),
        "c": not changed,
        "d": same(without_labels, omega),
        "e": opposed[0].item() == 0,
        "f": same(on_twice, omega),
        "g": same(of_norm, omega / 2),
        "h": same(omega[-4:], of_biases),
        "i": on_one_of_two.item() < 1,
    }


# --- SI ---


def credit_and_fall(**how) -> tuple[float, float]:
    """Σ ω over a task, and how far the loss on all its training data fell."""
    (task,) = cl.permuted(cl.load("digits").first(1000, 100), 1)
    model, method = cl.MLP((784, 32, 10), seed=0), cl.SI()

    @torch.no_grad()
    def loss():
        return F.cross_entropy(model(task.train.x), task.train.y).item()

    start = loss()
    trained(method, [task], model, **how)
    return method.path.sum().item(), start - loss()


def needs_data_at_the_end(method) -> bool:
    model, task = mlp(), random_task()
    learn(method, model, task)
    try:
        method.end_task(model, replace(task, train=None))
    except (AttributeError, TypeError):
        return True
    return False


@fact
def si_path() -> Truth:
    # L = ½ (a − b)². From (0, 0) weight a goes to 1, then b does, then a goes back; by small moves.
    moves = np.repeat([[1, 0], [0, 1], [-1, 0]], 1000, axis=0) / 1000
    a, b = (moves.cumsum(0) - moves).T
    method = cl.SI()
    walk(method, np.stack([a - b, b - a], 1), moves)
    falls_alone = [0.0, -0.5]  # L(0, 0) less L where only a, or only b, is at its end

    credit, fall = credit_and_fall(batch_size=1000, epochs=60, lr=0.01, optimizer="sgd")
    promised, kept = credit_and_fall(batch_size=32, epochs=3, lr=1e-3)
    assert min(fall, kept) > 0.1
    assert needs_data_at_the_end(cl.MAS())
    return {
        "a": abs(method.path[0].item()) < 0.01,
        "b": np.allclose(method.path, falls_alone, atol=0.1),
        "c": abs(credit / fall - 1) < 0.05,
        "d": needs_data_at_the_end(cl.SI()),
        "e": promised > 1.1 * kept,
    }


@fact
def si_omega() -> Truth:
    def credit_and_omega(g, moves, xi=1e-3):
        method = cl.SI(xi=xi)
        model = walk(method, g, moves)
        return method.path, method.importance_of(model, random_task())

    credit, omega = credit_and_omega([[-1.0, -0.1]], [[0.1, 1.0]])  # a short way and a long one
    assert same(credit, torch.tensor([0.1, 0.1]).double())
    _, swamped = credit_and_omega([[-1.0, -0.1]], [[0.1, 1.0]], xi=1e4)
    credit_of_both, to_and_fro = credit_and_omega([[-1.0], [0.0]], [[1.0], [-0.5]])
    by_length = credit_of_both / (1.5**2 + 1e-3)

    class WithoutRelu(cl.SI):
        def importance_of(self, model, task):
            return self.path / ((self.theta_before - self.theta_start).square() + self.xi)

    upside_down = WithoutRelu(lam=1.0)
    model = walk(upside_down, [[1.0]], [[1.0]])  # uphill
    upside_down.end_task(model, random_task())
    flat = flatten(model)
    flat.theta.add_(0.1)  # a little to the right of θ*
    flat.grad.zero_()
    upside_down.begin_step(model)
    upside_down.after_backward(model)

    again, model = cl.SI(), mlp()
    learn(again, model, random_task())
    again.end_task(model, random_task())
    again.begin_task(model, random_task(seed=1))
    return {
        "a": torch.allclose(swamped, credit / 1e4, rtol=1e-3),
        "b": bool(omega[0] > omega[1]),
        "c": same(to_and_fro, by_length),
        "d": bool(flat.grad < 0),  # a step against it goes further to the right
        "e": bool(again.path.abs().sum() > 0),
    }


# --- RWalk ---


def quotients(g, moves, ends, credited_from=None, epsilon=1e-3) -> np.ndarray:
    """(stretches, P): ΔL / (½ F Δθ² + ε) by hand, for the stretches that end at these steps.

    credited_from: the step from which ΔL is summed; the beginning of each stretch when None.
    """
    f, rows = np.zeros(g.shape[1]), []
    for end in range(1, ends[-1] + 1):
        f = 0.9 * f + 0.1 * g[end - 1] ** 2
        if end in ends:
            start = [0, *ends][len(rows)]
            credited = slice(start if credited_from is None else credited_from, end)
            fall = -(g[credited] * moves[credited]).sum(0)
            rows.append(fall / (0.5 * f * moves[start:end].sum(0) ** 2 + epsilon))
    return np.array(rows)


@fact
def rwalk_stretches() -> Truth:
    rng = np.random.default_rng(0)
    g = rng.normal(size=(6, 4))
    moves = 0.2 * rng.normal(size=(6, 4)) - 0.3 * g
    and_back = np.vstack([moves[:3], -moves[:3]])  # with the same gradients: what fell, rises

    def score(interval, g=g, moves=moves, kind=cl.RWalk):
        method = kind(interval=interval)
        model = walk(method, g, moves)
        if interval > len(g):
            method.after_interval(model)  # as `importance_of` does when the task ends
        return method.new_score.numpy()

    class NotSetBack(cl.RWalk):
        def after_interval(self, model):
            fall = self.fall.clone()
            super().after_interval(model)
            self.fall.copy_(fall)

    there, there_and_back = score(3, g[:3], moves[:3]), score(3, np.vstack([g[:3]] * 2), and_back)
    credited_twice = quotients(g, moves, [3, 6], credited_from=0).clip(0).sum(0)
    assert not np.allclose(score(3), credited_twice)

    method, model, each = cl.RWalk(), mlp(), []
    for seed in range(3):
        task = random_task(seed=seed)
        learn(method, model, task)
        method.end_task(model, task)
        each.append(method.new_score)
    return {
        "a": np.allclose(score(3, kind=NotSetBack), credited_twice),
        "b": bool((there_and_back < there - 1e-9).any()),
        "c": np.allclose(score(10**6), quotients(g, moves, [6]).clip(0).sum(0)),
        "d": same(method.score, sum(each)),
    }


# --- SCP ---


@fact
def batch_size() -> Truth:
    model, task = random_(cl.MLP((6, 5, 4))), random_task(n=1000)

    class BatchSquared(cl.EWC):
        def importance_of(self, model, task):
            return gradient(F.cross_entropy(model(task.train.x), task.train.y), model).square()

    class AbsoluteMean(cl.MAS):
        def importance_of(self, model, task):
            return gradient(model(task.train.x).square().sum(1).mean(), model).abs()

    methods = {
        "a": cl.EWC(fisher="empirical"),
        "b": BatchSquared(),
        "c": cl.EWC(fisher="true"),
        "d": cl.SCP(batch_size=1000),
        "e": AbsoluteMean(),
        "f": cl.MAS(),
    }

    def omega(method, size):
        batches = [replace(task, train=InMemory(x, y)) for x, y in task.train.batches(size)]
        return torch.stack([method.importance_of(model, batch) for batch in batches]).mean(0)

    return {o: not same(omega(method, 10), omega(method, 100)) for o, method in methods.items()}


@fact
def scp_slices() -> Truth:
    model, task = mlp(), random_task(n=20)
    x, y = task.train.x, task.train.y
    method = cl.SCP(slices=3)
    omega = method.importance_of(model, task)
    xi = method.directions(4) * 3**0.5  # the package has divided by √L already
    slices = [model(x) @ direction for direction in xi]
    by_hand = sum(gradient(slice_.mean(), model).square() for slice_ in slices) / 3

    # f(x) = W x, and the first input is 1 as often as it is −1.
    linear = random_(nn.utils.skip_init(nn.Linear, 6, 4, bias=False))
    balanced = x.clone()
    balanced[:, 0] = torch.tensor([1.0, -1.0]).repeat(10)
    even = replace(task, train=InMemory(balanced, y))
    of_scp, of_mas = (m.importance_of(linear, even).view(4, 6)[:, 0] for m in (method, cl.MAS()))
    assert of_mas.min() > 0.01  # single answers do change

    def spread(n_slices):
        """How much Ω differs between draws of the directions."""
        draws = [cl.SCP(slices=n_slices, seed=s).importance_of(model, task) for s in range(20)]
        return torch.stack(draws).std(0).mean()

    one_number_each = all(slice_.shape == (20,) for slice_ in slices)
    of_length_one = torch.allclose(xi.norm(dim=1), torch.ones(3).double())
    return {
        "a": one_number_each and of_length_one and same(omega, by_hand),
        "b": bool(of_scp.max() < 1e-12),
        "c": bool(spread(10) > 2 * spread(100) > 4 * spread(1000)),
        "d": same(omega, method.importance_of(model, labelled(task, torch.zeros_like(y)))),
    }


# --- other methods and scenarios ---


def seen_by(model: nn.Module, act: Callable[[], object]) -> list[Tensor]:
    """The batches of images that the model is shown while `act` is done."""
    shown: list[Tensor] = []
    hook = model.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    act()
    hook.remove()
    return shown


def after_one_task(method, scenario: Scenario):
    """The method in the middle of its second task of two digits: tasks, model, a batch of it."""
    tasks = cl.split(few_digits(), 2, scenario=scenario)
    model = cl.MLP((784, 32, 10), seed=0)
    trained(method, tasks[:1], model, epochs=8, lr=1e-3)
    method.begin_task(model, tasks[1])
    return tasks, model, *tasks[1].train.batch(torch.arange(32))


@fact
def icarl() -> Truth:
    method = cl.ICaRL(memory=20)
    tasks, model, x, y = after_one_task(method, "class")
    of_task_1 = dict(method.exemplars)
    zeros = tasks[0].train.x[tasks[0].train.y == 0]
    features = F.normalize(model.features(zeros), dim=1)
    nearest = (features - features.mean(0)).norm(dim=1).argsort()[:10]

    def as_set(images: Tensor) -> set:
        return {tuple(image.flatten().tolist()) for image in images}

    with torch.no_grad():  # away from the old network, or its answers pull nowhere
        model.fc2.bias += 0.5
    losses: list[Tensor] = []
    (joined,) = seen_by(model, lambda: losses.append(method.loss(model, x, y)))
    (pull,) = torch.autograd.grad(losses[0], model.fc2.bias)
    z, z_old = (m(joined).detach()[:, :2] for m in (model, method.teacher))
    towards_the_old = (z.sigmoid() - (z_old / method.temperature).sigmoid()).mean(0)

    method.end_task(model, tasks[1])
    means = [F.normalize(model.features(e), dim=1).mean(0) for e in method.exemplars.values()]
    distances = torch.cdist(
        F.normalize(model.features(x), dim=1), F.normalize(torch.stack(means), dim=1)
    )
    return {
        "a": all(torch.equal(method.exemplars[c], of_task_1[c][:5]) for c in of_task_1),
        "b": len(joined) == len(x),
        "c": torch.equal(method.predict(model, x, tasks[1]), distances.argmin(1)),
        "d": as_set(of_task_1[0]) == as_set(zeros[nearest]),
        "e": torch.allclose(pull[:2], towards_the_old, atol=1e-6),
    }


@fact
def lwf() -> Truth:
    method = cl.LwF()
    tasks, model, x, y = after_one_task(method, "task")
    before = {name: value.clone() for name, value in method.teacher.state_dict().items()}
    asked = seen_by(method.teacher, lambda: method.loss(model, x, y))
    answered = seen_by(model, lambda: method.loss(model, x, y))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    z_old = model(x).detach().requires_grad_()
    (pull,) = torch.autograd.grad(method.distillation(z_old, method.soft_targets(x)), z_old)
    for _ in range(5):
        method.loss(model, x, y).backward()
        optimizer.step()
    logits = torch.tensor([4.0, 0.0])

    def held(second: Task) -> float:
        """Accuracy on task 1 after a second task learned with LwF."""
        run = trained(
            cl.LwF(lam=4.0), [tasks[0], second], cl.MLP((784, 32, 10), seed=0), epochs=20, lr=1e-3
        )
        return float(run.accuracy[-1, 0])

    order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    strange = replace(tasks[1], train=replace(tasks[1].train, transform=Permute(order)))
    return {
        "a": (logits / 2).softmax(0).max() > logits.softmax(0).max(),
        "b": set(method.stored) == {"teacher"}
        and [torch.equal(shown, x) for shown in asked + answered] == [True, True],
        "c": any(not torch.equal(before[k], v) for k, v in method.teacher.state_dict().items()),
        "d": pull.abs().max() < 1e-7,
        "e": held(strange) > held(tasks[1]),
    }


@fact
def three_scenarios() -> Truth:
    data = cl.load("digits")
    tasks = {s: cl.split(data, 2, scenario=s) for s in ("task", "domain", "class")}

    def competing(scenario: Scenario, task: int) -> list[int]:
        """After three tasks, for an image of a task."""
        asked = as_of(tasks[scenario][2], tasks[scenario][task])
        return asked.mask(torch.zeros(1, 10))[0].isfinite().nonzero().flatten().tolist()

    runs = {
        s: trained(cl.EWC(), tasks[s], cl.MLP((784, 32, 10)), epochs=4, lr=1e-3)
        for s in ("task", "class")
    }
    of_task_il, of_class_il = (run.average_accuracy for run in runs.values())
    last = tasks["class"][-1]
    answers = runs["class"].method.predict(
        runs["class"].model, data.normalise(data.test_images), last
    )
    assert of_task_il > 0.9
    assert of_class_il < 0.4
    assert (answers >= 8).double().mean() > 0.5  # one of the last two digits

    trained_on = [set(task.train.y.tolist()) for task in tasks["class"]]
    side_by_side = {pair for digits in trained_on for pair in combinations(sorted(digits), 2)}
    same_images = all(
        torch.equal(a.train.x, b.train.x)
        for a, b in zip(tasks["task"], tasks["class"], strict=True)
    )
    earlier_come_back = any(a & b for a, b in combinations(trained_on, 2))
    permuted = cl.permuted(data, 5)
    return {
        "a": competing("domain", 1) == [0, 1, 2, 3, 4, 5],
        "b": competing("task", 1) == [2, 3],
        "c": competing("class", 1) == [0, 1, 2, 3, 4, 5],
        "d": abs(of_task_il - of_class_il) < 0.1,
        "e": bool(set(combinations(last.active, 2)) - side_by_side),
        "f": not same_images or earlier_come_back,
        "g": len(competing("domain", 1)) < len(competing("class", 1)),
        "h": len({tuple(competing("domain", task)) for task in range(3)}) > 1,
        "i": all(task.scenario == "domain" and task.active is None for task in permuted)
        and len({task.classes for task in permuted}) == 1,
    }
