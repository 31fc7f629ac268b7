"""CBP and shrink-and-perturb against a bookkeeping of their own, in float64."""

import math

import numpy as np
import pytest
import torch
from toys import mlp, random_task

import cl_helpers as cl
from cl_helpers.models.flat import flatten
from cl_helpers.training.settings import Settings
from cl_helpers.training.step import Step

HOW = {"epochs": 1, "batch_size": 50, "lr": 0.01, "progress": False, "device": "cpu"}


def stepped(method, model, task, n_steps, each=lambda index: None, optimizer="adam", batch=10):
    """Take steps as the loop does; `each` is called after each, with the rows of its batch."""
    method.rng = method.rng or torch.Generator().manual_seed(0)
    method.begin_task(model, task)
    step = Step(method, model, task, Settings(optimizer=optimizer, lr=0.01))
    for n in range(n_steps):
        index = (torch.arange(batch) + batch * n) % len(task.train)
        method.begin_step(model)
        step(index)
        each(index)
    method.end_task(model, task)
    return step


def weights(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


class Oracle:
    """Algorithm 1 in NumPy, one unit at a time, on the weights that the step has left behind.

    It knows the batch and the weights before and after each step, and nothing of the method.
    """

    def __init__(self, model, task, rho, maturity, eta):
        self.model, self.task, self.before = model, task, weights(model)
        self.rho, self.maturity, self.eta = rho, maturity, eta
        sizes = [w.shape[0] for w in self.before[::2]][:-1]
        self.u, self.age = ([[0.0] * n for n in sizes] for _ in range(2))
        self.due, self.replaced = [0.0] * len(sizes), []

    def __call__(self, index):
        now = weights(self.model)
        x = self.task.train.batch(index)[0].numpy()
        for layer in range(len(self.u)):
            x = np.tanh(x @ self.before[2 * layer].T + self.before[2 * layer + 1])
            mature = 0
            for i in range(len(self.u[layer])):
                self.age[layer][i] += 1
                out = sum(abs(w) for w in self.out[layer][:, i])
                size = sum(abs(h) for h in x[:, i]) / len(x)
                self.u[layer][i] = self.eta * self.u[layer][i] + (1 - self.eta) * size * out
                mature += self.age[layer][i] > self.maturity
            self.due[layer] += self.rho * mature
            while self.due[layer] >= 1 - 1e-9:
                old = [i for i, age in enumerate(self.age[layer]) if age > self.maturity]
                worst = min(old, key=lambda i: self.u[layer][i])
                self.u[layer][worst], self.age[layer][worst] = 0.0, 0
                self.due[layer] -= 1
                self.replaced.append((layer, worst))
        self.before = now


class Noting(cl.CBP):
    """CBP that shows the oracle the outgoing weights between the optimiser's move and its own."""

    oracle = None

    def after_step(self, model):
        self.replaced = []
        layers = [m for m in model if isinstance(m, torch.nn.Linear)]
        self.oracle.out = [m.weight.detach().numpy().copy() for m in layers[1:]]
        super().after_step(model)

    def replace(self, model, k, units):
        self.replaced = [*self.replaced, *((k, int(i)) for i in units)]
        self.all_replaced = [*getattr(self, "all_replaced", []), *((k, int(i)) for i in units)]
        super().replace(model, k, units)


@pytest.mark.parametrize(
    ("rho", "maturity", "decay"), [(0.02, 5, 0.9), (0.11, 3, 0.5), (0.3, 2, 0)]
)
def test_utility_age_and_choice_are_those_of_algorithm_1(rho, maturity, decay):
    model, task = mlp((6, 7, 5, 4)), random_task(n=200)
    method = Noting(rho=rho, maturity=maturity, decay=decay)
    method.oracle = Oracle(model, task, rho, maturity, decay)

    def compare(index):
        method.oracle(index)
        for k in range(2):
            np.testing.assert_allclose(method.utility[k].numpy(), method.oracle.u[k], rtol=1e-10)
            assert method.age[k].tolist() == method.oracle.age[k]

    stepped(method, model, task, 60, compare)
    assert method.all_replaced == method.oracle.replaced
    assert len(method.all_replaced) > 6


@pytest.mark.parametrize("rho", [1e-4, 3e-3, 0.01, 0.25])
def test_replacements_are_rho_times_steps_times_mature_units_rounded_down(rho):
    """As long as no new unit has matured again: 40 units, less those that were replaced."""
    model, task, m = mlp((6, 40, 4)), random_task(n=100), 100
    method, came = cl.CBP(rho=rho, maturity=m), []
    stepped(method, model, task, 2 * m, lambda index: came.append(method.new[0]), batch=2)
    count, expected = 0, [0] * m
    for _ in range(m):
        count += 40 - expected[-1]
        expected.append(math.floor(rho * count + 1e-9))
    assert came == expected


def test_immature_units_are_never_replaced():
    model, task = mlp((6, 9, 4)), random_task(n=100)
    method, ages = cl.CBP(rho=1.0, maturity=7), []
    replace = method.replace

    def noting(model, k, units):
        ages.extend(method.age[k][units].tolist())
        replace(model, k, units)

    method.replace = noting
    stepped(method, model, task, 40)
    assert len(ages) == 5 * 9  # all nine, as soon as they are mature: steps 8, 16, …, 40
    assert set(ages) == {8}


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_unit_without_influence_is_replaced_without_a_change_of_the_function(optimizer):
    model, task = mlp((6, 7, 5, 4)), random_task(n=60)
    method = cl.CBP(rho=0)
    stepped(method, model, task, 5, optimizer=optimizer)
    with torch.no_grad():
        model[2].weight[:, 3] = 0
    before = model(task.test.x).detach()
    unit, others = model[0].weight[3].clone(), model[0].weight[[0, 1, 2, 4, 5, 6]].clone()
    with torch.no_grad():
        method.replace(model, 0, torch.tensor([3]))
    torch.testing.assert_close(model(task.test.x), before)
    assert not torch.equal(model[0].weight[3], unit)
    assert torch.equal(model[0].weight[[0, 1, 2, 4, 5, 6]], others)


def test_a_new_unit_has_new_incoming_weights_and_no_bias_no_influence_and_no_moments():
    model, task = mlp((6, 400, 5, 4)), random_task(n=60)
    method = cl.CBP(rho=0)
    step = stepped(method, model, task, 5)
    units = torch.arange(0, 400, 2)
    mean, square = step.flat.moments()
    before = mean.clone(), square.clone(), flatten(model).theta.clone()
    with torch.no_grad():
        method.replace(model, 0, units)
    new = model[0].weight[units]
    assert new.abs().max() <= 6**-0.5
    assert abs(new.var().item() - 1 / (3 * 6)) < 0.1 / 18  # uniform on ±1/√6
    assert (model[0].bias[units] == 0).all()
    assert (model[2].weight[:, units] == 0).all()
    assert method.age[0][::2].eq(0).all()
    assert method.age[0][1::2].eq(5).all()
    assert (method.utility[0][units] == 0).all()
    changed = flatten(model).theta != before[2]
    for now, then in ((mean, before[0]), (square, before[1])):
        assert (now[changed] == 0).all()
        assert torch.equal(now[~changed], then[~changed])
    assert changed.sum() == 200 * (6 + 1 + 5)


def test_momentum_of_sgd_is_reset_too():
    model, task = mlp((6, 7, 4)), random_task(n=60)
    method = cl.CBP(rho=0)
    method.rng = torch.Generator()
    method.begin_task(model, task)
    step = Step(method, model, task, Settings(optimizer="sgd", momentum=0.9, lr=0.01))
    for _ in range(2):
        method.begin_step(model)
        step(torch.arange(10))
    [moment] = step.flat.moments()
    assert (moment != 0).all()
    with torch.no_grad():
        method.replace(model, 0, torch.tensor([2]))
    assert int((moment == 0).sum()) == 6 + 1 + 4


@pytest.mark.parametrize(
    "off", [cl.CBP(rho=0), cl.ShrinkPerturb(share=0)], ids=["cbp", "shrink and perturb"]
)
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_off_is_the_baseline_to_the_bit(off, optimizer, few):
    tasks, how = cl.permuted(few, 3), HOW | {"optimizer": optimizer}
    method = type(off)(**off.knobs)
    a, b = (cl.train(m, tasks, cl.MLP((784, 20, 12, 10)), **how) for m in (method, cl.Baseline()))
    assert torch.equal(flatten(a.model).theta, flatten(b.model).theta)
    on = cl.CBP(rho=0.1, maturity=1) if off.name == "cbp" else cl.ShrinkPerturb(share=0.1)
    c = cl.train(on, tasks, cl.MLP((784, 20, 12, 10)), **how)
    assert not torch.equal(flatten(c.model).theta, flatten(b.model).theta)


def test_lambda_means_nothing_to_them(few):
    for make in (cl.CBP, cl.ShrinkPerturb):
        assert "lam" not in make().knobs
        runs = []
        for lam in (0.0, 50.0):
            method = make()
            method.lam = lam
            runs.append(cl.train(method, cl.permuted(few, 2), cl.MLP((784, 12, 10)), **HOW))
        assert torch.equal(*(flatten(run.model).theta for run in runs))


@pytest.mark.parametrize(
    "make",
    [lambda: cl.CBP(rho=0.05, maturity=2), lambda: cl.ShrinkPerturb(share=0.4)],
    ids=["cbp", "shrink and perturb"],
)
def test_a_resumed_run_ends_with_the_same_bits(make, few, tmp_path):
    tasks, how = cl.permuted(few, 3), HOW | {"optimizer_state": "keep"}
    whole = cl.train(make(), tasks, cl.MLP((784, 20, 10)), **how)
    how.pop("progress")
    for event in cl.train_steps(
        make(), tasks, cl.MLP((784, 20, 10)), checkpoint=tmp_path / "c", **how
    ):
        if event.kind == "task" and event.task == 1:
            break
    again = cl.train(make(), tasks, cl.MLP((784, 20, 10)), checkpoint=tmp_path / "c", **HOW | how)
    assert torch.equal(flatten(whole.model).theta, flatten(again.model).theta)


def test_cbp_says_what_models_it_cannot_train(few):
    with pytest.raises(ValueError, match="conv1"):
        cl.train(cl.CBP(), cl.permuted(few, 2), cl.CNN(), **HOW)


# --- shrink and perturb ---


def perturbed(share, model, times=1):
    method = cl.ShrinkPerturb(share=share)
    method.rng = torch.Generator().manual_seed(3)
    method.begin_task(model, random_task())
    for _ in range(times):
        method.end_task(model, random_task())
        method.begin_task(model, random_task())
    return flatten(model).theta.clone()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_mean_and_variance_of_the_new_weights_are_the_closed_form(share):
    model = cl.MLP((400, 300, 10), seed=1).double()
    before = flatten(model).theta.clone()
    added = (perturbed(share, model) - (1 - share) * before)[: 400 * 300]
    n = len(added)
    sd = share / (3 * 400) ** 0.5
    assert abs(added.mean().item()) < 5 * sd / n**0.5
    assert added.abs().max() <= share / 400**0.5 * (1 + 1e-6)
    # Var of u² for u uniform on ±b is 4 b⁴ / 45, and b² = 3 sd²
    assert abs(added.square().mean().item() - sd**2) < 5 * (36 / 45 / n) ** 0.5 * sd**2
    assert abs(np.corrcoef(added, before[: 400 * 300])[0, 1]) < 5 / n**0.5


def test_its_limits_are_no_change_and_a_new_network():
    model = cl.MLP((30, 20, 4), seed=1)
    before = flatten(model).theta.clone()
    assert torch.equal(perturbed(0.0, model), before)
    new = perturbed(1.0, model)
    seed = int(torch.randint(2**31, (), generator=torch.Generator().manual_seed(3)))
    assert torch.equal(new, flatten(cl.MLP((30, 20, 4), seed=seed)).theta)
    assert not torch.equal(perturbed(1.0, model, times=2), new)


def test_the_first_task_is_learned_from_the_weights_as_they_were_drawn(few):
    how = HOW | {"lr": 0.001}
    runs = [
        cl.train(m, cl.permuted(few, 1), cl.MLP((784, 12, 10)), **how)
        for m in (cl.ShrinkPerturb(share=0.7), cl.Baseline())
    ]
    assert torch.equal(*(flatten(run.model).theta for run in runs))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: cl.CBP(rho=-0.1), "ρ is -0.1"),
        (lambda: cl.CBP(rho=1.1), "ρ is 1.1"),
        (lambda: cl.CBP(maturity=0), "maturity is 0"),
        (lambda: cl.CBP(decay=1), "decay is 1"),
        (lambda: cl.ShrinkPerturb(share=1.5), "share is 1.5"),
        (lambda: cl.ShrinkPerturb(share=-1), "share is -1"),
    ],
)
def test_a_senseless_setting_is_refused(make, named):
    with pytest.raises(ValueError, match=named):
        make()


def test_the_course_table_says_what_they_store_and_that_labels_are_not_needed(
    few, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tasks, sizes = cl.permuted(few, 2), (784, 12, 10)
    plain, cbp = (cl.train(m, tasks, cl.MLP(sizes), **HOW) for m in (cl.Baseline(), cl.CBP()))
    assert cbp.method.stored == {"utilities": 12 * 4 + 12 * 8}
    row = cl.summary(cbp, plain).iloc[-1]
    assert row["kept needs labels"] == "no"


def made(kind, *arguments):
    """A model, whose first weights PyTorch draws from its global generator."""
    with torch.random.fork_rng(devices=[]):
        return kind(*arguments)


class InAnotherOrder(torch.nn.Module):
    """`second` is declared first, and called last but one."""

    def __init__(self, twice=False):
        super().__init__()
        self.twice = twice
        self.second, self.first = torch.nn.Linear(6, 6), torch.nn.Linear(6, 6)
        self.last = torch.nn.Linear(6, 4)

    def forward(self, x):
        x = self.second(self.first(x.float()).relu()).relu()
        return self.last(self.first(x) if self.twice else x)


@pytest.mark.parametrize("twice", [False, True])
def test_units_are_not_looked_for_where_layers_are_called_in_another_order(twice):
    model, task = made(InAnotherOrder, twice), random_task()
    with pytest.raises(ValueError, match="in another order"):
        cl.plasticity.diagnose(model, task.test.x)
    with pytest.raises(ValueError, match="in another order"):
        cl.train(cl.CBP(), [task], model, **HOW)


def test_cbp_leaves_a_frozen_weight_alone():
    model = mlp()
    model[0].weight.requires_grad_(False)
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match="frozen, or computed"):
        cl.train(cl.CBP(rho=1.0, maturity=1), [random_task()], model, **HOW)
    assert torch.equal(model[0].weight, before)


def test_rho_can_be_moved_while_it_trains():
    method = cl.CBP(rho=0.0, maturity=1)
    how = {k: v for k, v in HOW.items() if k != "progress"} | {"batch_size": 5, "epochs": 3}
    events = cl.train_steps(method, [random_task()], mlp(), every=1, **how)
    for n, event in enumerate(events):
        method.rho = (0.0, 1.0, 0.3)[n % 3]
        last = event
    assert last.run.complete
    assert method.new[0] > 0


def test_shrink_and_perturb_draws_all_weights_or_says_that_it_cannot():
    class Partly(cl.models.Seeded):
        def __init__(self):
            super().__init__()
            self.seed, self.line = 0, torch.nn.Conv1d(1, 2, 3)
            self.last = torch.nn.Linear(8, 4)
            self.draw_weights(0)

        def forward(self, x):
            return self.last(self.line(x.float()[:, None]).flatten(1))

    with pytest.raises(ValueError, match="cannot draw all of its weights"):
        cl.train(cl.ShrinkPerturb(), [random_task()], made(Partly), **HOW)
    method = cl.ShrinkPerturb()
    cl.train(method, [random_task()], cl.MLP((6, 5, 4), seed=0).double(), **HOW)
    with pytest.raises(ValueError, match="weights of another model"):
        cl.train(method, [random_task()], cl.MLP((6, 5, 4), seed=3).double(), **HOW)


@pytest.mark.parametrize("make", [lambda v: cl.CBP(rho=v), lambda v: cl.ShrinkPerturb(share=v)])
@pytest.mark.parametrize("value", ["0.1", None, -0.1, 1.5, float("nan")])
def test_a_share_is_a_number_from_0_to_1(make, value):
    with pytest.raises(ValueError, match="choose 0 to 1"):
        make(value)
