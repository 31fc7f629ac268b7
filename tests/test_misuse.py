"""What people do with a model, data or a method of their own: refused in a line, or right."""

import math
import random
import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import InMemory

import cl_helpers as cl
from cl_helpers.data.tasks import Task, hold_out, joined

HOW = {"epochs": 2, "batch_size": 32, "lr": 0.01, "device": "cpu", "progress": False}
INPUTS = torch.randn(90, 2, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > 0).long() + (INPUTS[:, 1] > 0).long()


def ramp(*shape):
    return torch.linspace(0, 1, math.prod(shape)).view(shape)


def without_a_trace(make):
    """What `make` makes; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        return make()


def dataset(shift=0.0, x=INPUTS, y=LABELS, **options):
    x = x + shift if x.is_floating_point() else x
    return cl.Dataset.from_tensors(x, y, x[:30], y[:30], **options)


def some_tasks(kind=Task, **options):
    made = [Task.from_dataset(dataset(s), f"clouds {s}", **options) for s in (0.0, 4.0)]
    return [kind(**vars(task)) for task in made]


class Net(nn.Module):
    def __init__(self, out=3, seed=0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.hidden, self.out = nn.Linear(2, 16), nn.Linear(16, out)

    def forward(self, x):
        return self.out(torch.tanh(self.hidden(x)))


def train(method=None, tasks=None, model=None, **how):
    tasks = some_tasks() if tasks is None else tasks
    model = Net() if model is None else model
    return cl.train(method or cl.Baseline(), tasks, model, **(HOW | how))


def sweep(method, model=None, **how):
    model = Net() if model is None else model
    return cl.sweep(method, some_tasks(), model, **(HOW | {"engine": 1} | how))


def made_of(forward, base=Net, **options):
    """A model that computes something else; `forward` gets the model and the inputs."""
    return type("Own", (base,), {"forward": forward})(**options)


def usual(model, x):
    return Net.forward(model, x)


@torch.inference_mode()
def made_in_inference_mode():
    return Net()


def on_meta():
    with torch.device("meta"):
        return nn.Linear(2, 3)


def keeps_its_features(model, x):
    model.last = torch.tanh(model.hidden(x))
    return model.out(model.last)


class OnePerExample(Task):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y, reduction="none")


class ANumber(Task):
    def loss(self, logits, y):
        return 1.0


class Squared(Task):
    """A regression that forgot its likelihood."""

    def loss(self, logits, y):
        return F.mse_loss(logits[:, 0], y.float())

    def prediction(self, logits):
        return logits[:, 0]

    def score(self, prediction, y):
        return -(prediction - y).square()


class KeepsADimension(Task):
    def prediction(self, logits):
        return logits.argmax(1, keepdim=True)


class OneHot(cl.Baseline):
    def predict(self, model, x, task):
        return F.one_hot(model(x).argmax(1), 3)


class Importance(cl.methods.Quadratic):
    name, label, lam = "own", "Own", 1.0

    def __init__(self, importance):
        self.importance_ = importance

    def importance_of(self, model, task):
        return self.importance_(cl.flat.flatten(model).theta)


class MeanSI(cl.SI):
    def importance_of(self, model, task):
        return super().importance_of(model, task).mean()


class Stack(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Unflatten(1, (1, 2)), nn.Conv1d(1, 4, 1))
        self.out = nn.Linear(8, 3)

    def forward(self, x):
        return self.out(self.features(x).flatten(1))


def class_il(active):
    tasks = cl.split(dataset(), 1)
    return [task.with_(active=a) for task, a in zip(tasks, active, strict=True)]


NORM = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
WORDS = (torch.arange(360) % 5).view(90, 4)

REFUSED = [
    # models
    (lambda: train(model=Net), "model is <class .*: give an nn.Module, such as cl.MLP"),
    (lambda: train(model=Net().state_dict()), "model is OrderedDict.*: give an nn.Module"),
    (lambda: sweep(cl.EWC(), lambda x: x), "model is <function .*: give an nn.Module"),
    (lambda: train(model=on_meta()), "weight was made in the meta device.*: make it without"),
    (
        lambda: train(model=made_in_inference_mode()),
        "hidden.weight was made in torch.inference_mode",
    ),
    (lambda: train(model=Net().double()), r"Float and Double; give the model as model.float\(\)"),
    (
        lambda: train(model=made_of(lambda m, x: usual(m, x)[:, 0])),
        r"shape \(2,\).*return logits \(B, K\)",
    ),
    (
        lambda: train(model=made_of(lambda m, x: usual(m, x)[..., None])),
        r"shape \(2, 3, 1\).*\(B, K\)",
    ),
    (
        lambda: train(model=made_of(lambda m, x: usual(m, x).detach())),
        "for autograd: leave out detach",
    ),
    (
        lambda: train(model=made_of(keeps_its_features)),
        "Own cannot be copied .*: do not keep what a",
    ),
    (
        lambda: train(model=NORM, batch_size=89),
        "a single example.*: choose drop_last=True or another",
    ),
    (
        lambda: train(cl.ICaRL(), class_il([(0,), (0, 1), (0, 1, 2)]), without_a_trace(Stack)),
        r"features of Stack .*\(B, d\)",
    ),
    # data
    (lambda: cl.permuted("digits"), "dataset is 'digits': give one that cl.load"),
    (
        lambda: dataset(y=LABELS * 1_000_000),
        "labels go up to 2000000, but only 3 occur: number them",
    ),
    (
        lambda: cl.Dataset.from_dataset(pd.DataFrame({"a": [1.0]}), [0]),
        r"DataFrame: give \(inputs.to_numpy",
    ),
    (lambda: dataset(x=ramp(90, 8, 8, 3)), "give the channels before height and width"),
    (lambda: dataset().first(4.0, 4), "n_train is 4.0: choose a whole number"),
    (
        lambda: cl.Dataset.from_tensors(
            np.ma.array(INPUTS.numpy(), mask=True), LABELS, INPUTS, LABELS
        ),
        "masked entries: fill",
    ),
    (
        lambda: train(
            cl.DGR(),
            [Task.from_dataset(dataset(x=WORDS))],
            without_a_trace(
                lambda: nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(12, 3))
            ),
        ),
        "DGR draws numbers, but .* torch.int64",
    ),
    # tasks
    (lambda: train(tasks=[dataset()]), "a task is .*: give cl.Task.from_dataset"),
    (lambda: train(tasks="digits"), "tasks is a str: give a list"),
    (
        lambda: train(tasks=[Task("a", "a", INPUTS, INPUTS, (0, 1, 2))]),
        "are a Tensor: give a DatasetView",
    ),
    (
        lambda: train(tasks=some_tasks(active=(0, 1))),
        r"active of clouds 0.0 is \(0, 1\), without 2",
    ),
    (
        lambda: train(tasks=some_tasks(active=())),
        r"active of clouds 0.0 is \(\): name each output once",
    ),
    (lambda: train(tasks=some_tasks(active=(0, 1, 2, 2))), "name each output once"),
    (
        lambda: train(tasks=class_il([(0,), (1,), (2,)])),
        r"is \(1,\), without 0: .*those of earlier tasks too",
    ),
    (
        lambda: some_tasks(scenario="class"),
        'scenario is "class", but active is None: name the outputs',
    ),
    (
        lambda: train(tasks=some_tasks(OnePerExample)),
        r"loss of clouds 0.0 is .*\(2,\): return a tensor with one",
    ),
    (lambda: train(tasks=some_tasks(ANumber)), "loss of clouds 0.0 is a float: return a tensor"),
    (
        lambda: train(cl.EWC(), some_tasks(Squared)),
        "log_likelihood of a classifier.*: give it its own",
    ),
    (lambda: train(tasks=some_tasks(KeepsADimension)), r"predictions .*\(30, 1\): give labels"),
    (lambda: train(OneHot()), r"predictions .*\(30, 3\): give labels"),
    (
        lambda: train(tasks=[some_tasks()[0], Task.from_dataset(dataset(x=ramp(90, 3)))]),
        "does not take the images of mine",
    ),
    (lambda: joined([]), "there are no tasks to join"),
    (lambda: hold_out(some_tasks()[0], 3), "tasks is a Task: give a list"),
    (lambda: hold_out(some_tasks(), 0.2), "n is 0.2: choose a whole number"),
    # settings
    (lambda: train(optimizer=torch.optim.SparseAdam), "SparseAdam takes sparse gradients alone"),
    (
        lambda: train(optimizer=lambda p, lr: torch.optim.SGD(p, lr=0.5)),
        "with lr 0.5, not 0.01: hand lr on",
    ),
    (
        lambda: train(optimizer=torch.optim.Adam(Net().parameters())),
        'optimizer is Adam .*choose "adam" or',
    ),
    (lambda: train(device=None), "device None cannot be used"),
    (lambda: cl.RWalk(alpha="0.9"), "α is '0.9': choose"),
    (lambda: train(checkpoint=True), "checkpoint is True: give the path of a file"),
    (lambda: sweep(cl.EWC(), folder=3), "folder is 3: give the path of one"),
    # methods
    (lambda: train(Importance(lambda theta: theta / 0)), "return finite numbers ≥ 0"),
    (
        lambda: train(Importance(lambda theta: theta.abs().detach().numpy())),
        "returned a ndarray: return a vector",
    ),
    (
        lambda: train(MeanSI()),
        r"MeanSI returned .*\(\): return a vector with one number for each of the 99",
    ),
    (
        lambda: train(type("A", (cl.Baseline,), {"name": "a/b"})()),
        "name of A is 'a/b', as no file can be",
    ),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("do", "words"), REFUSED, ids=[words[:40] for _, words in REFUSED])
def test_is_refused_in_a_line(do, words):
    with pytest.raises(ValueError, match=words) as refused:
        do()
    assert "\n" not in str(refused.value)


class OtherInputs(cl.MLP):
    """Takes images of any size."""

    def forward(self, x):
        return super().forward(F.adaptive_avg_pool2d(x, 4))


@pytest.mark.parametrize("name", ["er", "gem", "agem", "dgr", "joint"])
def test_inputs_of_two_shapes_do_not_come_together(name):
    images = (ramp(60, 1, size, size) for size in (8, 10))
    tasks = [Task.from_dataset(dataset(x=x, y=LABELS[:60])) for x in images]
    with pytest.raises(ValueError, match=r"shape \(1, 8, 8\), .*\(1, 10, 10\): give all of one"):
        cl.train(cl.METHODS[name](), tasks, OtherInputs((16, 8, 3)), **HOW)
    assert cl.train(cl.EWC(), tasks, OtherInputs((16, 8, 3)), **HOW).complete


# --- within a run ---


def frozen(model):
    model.hidden.requires_grad_(False)


def replaced(model):
    model.out.weight.data = model.out.weight.data.clamp(-1, 1)


def changed_at(kind, change, method, **how):
    model = Net()
    for event in cl.train_steps(method, some_tasks(), model, epochs=2, batch_size=32, **how):
        if event.kind == kind:
            change(model)


@pytest.mark.parametrize("change", [frozen, replaced])
def test_parameters_are_not_replaced_or_frozen_within_a_task(change):
    with pytest.raises(ValueError, match="replaced, frozen or unfrozen within a task"):
        changed_at("step", change, cl.EWC(), every=1)


def test_an_optimizer_that_goes_on_has_the_same_parameters():
    """Fused Adam would read behind the end of its moments."""
    with pytest.raises(ValueError, match=r"other parameters are trained .*: choose .fresh."):
        changed_at("task", frozen, cl.Baseline(), optimizer_state="keep")


@pytest.mark.parametrize("name", ["ewc", "si", "er", "gem", "agem", "lwf", "dgr"])
def test_a_method_is_of_one_run(name):
    method = cl.METHODS[name]()
    train(method)
    with pytest.raises(ValueError, match="holds on to the weights of another model: make a new"):
        train(method, model=Net(seed=1))
    other = Net()
    other.hidden.requires_grad_(False)
    with pytest.raises(ValueError, match="holds on to 99 weights, and of this model 51 can be"):
        train(method, model=other)


def test_two_runs_cannot_share_a_method():
    method = cl.ER()
    how = {"epochs": 1, "batch_size": 32}
    runs = [cl.train_steps(method, some_tasks(), Net(seed=s), **how) for s in (0, 1)]
    with pytest.raises(ValueError, match="holds on to the weights of another model"):
        [*zip(*runs, strict=True)]


def test_training_goes_on_under_no_grad():
    with torch.no_grad():
        inside = train(cl.EWC())
    np.testing.assert_array_equal(inside.accuracy, train(cl.EWC()).accuracy)
    with torch.inference_mode(), pytest.raises(ValueError, match=r"inference_mode\(\) is on"):
        train()


# --- hooks ---


@pytest.mark.parametrize(
    ("base", "hook"),
    [
        (cl.Baseline, "begin_task"),
        (cl.EWC, "begin_step"),
        (cl.MAS, "after_backward"),
        (cl.SI, "after_step"),
        (cl.SCP, "end_task"),
        (cl.GEM, "after_backward"),
        (cl.RWalk, "after_interval"),
    ],
)
def test_a_hook_whose_work_would_be_lost_is_refused(base, hook):
    def silent(self, *args):
        return None

    with pytest.raises(TypeError, match=rf"Own overrides {hook}, whose work is lost: call super"):
        type("Own", (base,), {hook: silent})
    scope = {"base": base}
    exec(f"class Own(base):\n    def {hook}(self, *args):\n        super().{hook}(*args)", scope)
    kind = scope["Own"]
    assert train(kind()).complete


class PenaltyOnce(cl.EWC):
    def traced_loss(self, model, x, y):
        return self.loss(model, x, y)


class PenaltyAndMore(cl.EWC):
    def traced_loss(self, model, x, y):
        return super().traced_loss(model, x, y) + 0.0 * model(x).sum()


@pytest.mark.parametrize("kind", [PenaltyOnce, PenaltyAndMore])
def test_a_traced_penalty_counts_once(kind):
    ends = [cl.flat.flatten(train(k(lam=50.0)).model).theta for k in (kind, cl.EWC)]
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-5)
    with pytest.raises(TypeError, match="overrides traced_loss without the penalty"):
        type("Own", (cl.EWC,), {"traced_loss": lambda self, model, x, y: model(x).sum()})
    with pytest.raises(TypeError, match="overrides importance, which only shows Ω"):
        type("Own", (cl.EWC,), {"importance": lambda self, model, task: 0})


class AddsPenalty:
    def penalty(self, model):
        return cl.flat.flatten(model).theta.square().sum()


def test_what_is_set_on_a_method_must_act_too():
    with pytest.raises(TypeError, match="overrides penalty, which loss of ER does not call"):
        type("Own", (AddsPenalty, cl.ER), {})
    method = cl.ER()
    method.penalty = lambda model: 0
    with pytest.raises(ValueError, match="overrides penalty, which loss of ER does not call"):
        train(method)
    method = cl.SI()
    method.loss = lambda model, x, y: model(x).sum()
    with pytest.raises(ValueError, match="overrides loss, but its path needs the gradient"):
        train(method)


def test_an_importance_below_0_is_said():
    with pytest.warns(UserWarning, match=r"holds -1.*: below 0 the penalty pushes away from θ\*"):
        train(Importance(lambda theta: -theta.square() - 1), epochs=1)


def test_a_penalty_without_strength_is_said():
    class L2(AddsPenalty, cl.methods.Method):
        pass

    with pytest.warns(UserWarning, match="λ of L2 is 0, so that its penalty does nothing"):
        assert train(L2()).config["method"] == "l2"


class Derived(cl.methods.Quadratic):
    name, label = "derived", "Derived"

    def __init__(self, lam=1.0):
        self.lam, self.decay = lam, lam / 2

    def importance_of(self, model, task):
        return torch.full_like(cl.flat.flatten(model).theta, self.decay)


def test_what_a_method_computes_from_lambda_is_computed_anew():
    runs = sweep(Derived(), lam=[0.0, 100.0])
    assert [run.config["knobs"] for run in runs] == [
        {"lam": 0.0, "decay": 0.0}, {"lam": 100.0, "decay": 50.0}
    ]  # fmt: skip
    alone = train(Derived(100.0))
    np.testing.assert_allclose(runs[1].accuracy, alone.accuracy, atol=0.04)


# --- a sweep trains what `train` trains ---


def test_gradient_hooks_act_or_are_refused_in_a_sweep():
    model = Net()
    model.hidden.weight.register_hook(lambda g: g * 0)
    with pytest.raises(ValueError, match=r"hidden.weight has a hook, which the copies of a sweep"):
        sweep(cl.EWC(), model)
    model = Net()
    model.out.register_full_backward_hook(lambda module, into, out: (into[0] * 0,))
    runs = sweep(cl.EWC(), model, seeds=[0, 1])
    assert [run.config["together"] for run in runs] == [1, 1]


class Counts(Net):
    n = 0

    def forward(self, x):
        self.n += self.training
        return super().forward(x) * (self.n / 20)


class Draws(Net):
    def forward(self, x):
        return super().forward(x) * (1 + self.training * random.random())


@pytest.mark.parametrize("kind", [Counts, Draws])
def test_a_model_that_counts_or_draws_is_trained_alone(kind):
    runs = sweep(cl.EWC(), kind(), seeds=[0, 1])
    assert [run.config["together"] for run in runs] == [1, 1]


def test_one_method_that_differs_is_not_stacked_with_the_others():
    other = cl.Baseline()
    other.task_loss = lambda model, x, y: 0 * F.cross_entropy(model(x), y)
    runs = sweep([cl.Baseline(), other])
    alone = train(other.__class__())
    np.testing.assert_allclose(runs[0].accuracy, alone.accuracy, atol=0.04)
    np.testing.assert_array_equal(runs[1].accuracy[-1], runs[1].initial)


@dataclass(eq=False)
class Equal(cl.Baseline):
    """Two that differ are equal, and have one hash."""

    name = "equal"
    factor: float = 1.0

    def task_loss(self, model, x, y):
        return self.factor * super().task_loss(model, x, y)

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def test_methods_that_are_equal_are_stored_apart(tmp_path):
    sweep([Equal(factor=1.0), Equal(factor=0.0)], folder=tmp_path)
    assert len([*tmp_path.glob("equal-*.json")]) == 2


OWN = """
import cl_helpers as cl
class Mine(cl.Baseline):
    name = "mine"
    def task_loss(self, model, x, y):
        return {} * super().task_loss(model, x, y)
"""


def test_workers_train_the_code_that_is_asked_for(tmp_path, monkeypatch):
    """loky's processes stay, with the modules that they have imported."""
    import importlib
    import os
    import time

    path = tmp_path / "somebodys_methods.py"
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    path.write_text(OWN.format(1))
    module = importlib.import_module(path.stem)
    how = {"engine": 2, "seeds": [0, 1], "together": 1}
    first = sweep(module.Mine(), **how)
    path.write_text(OWN.format(0))
    os.utime(path, (time.time() + 5, time.time() + 5))
    importlib.reload(module)
    second = sweep(module.Mine(), **how)
    sys.modules.pop(path.stem)
    assert first[0].accuracy[-1].tolist() != first[0].initial.tolist()
    assert second[0].accuracy[-1].tolist() == second[0].initial.tolist()


# --- what a checkpoint and a stored run hold ---


class Anchored(cl.Baseline):
    def end_task(self, model, task):
        self.at = cl.flat.flatten(model).theta.clone()


class KeepsASet(cl.Baseline):
    kept = {"found": ""}  # noqa: RUF012

    def end_task(self, model, task):
        self.found = {object}


def test_what_a_checkpoint_does_not_hold_is_said(tmp_path):
    with pytest.warns(UserWarning, match=r"Anchored.at, which is not in kept\): what is resumed"):
        train(Anchored(), checkpoint=tmp_path / "a")
    with pytest.warns(UserWarning, match="attributes of Counts, which are no buffers"):
        train(model=Counts(), checkpoint=tmp_path / "b")
    with pytest.warns(UserWarning, match="generator of Python's random or NumPy's global one"):
        train(model=Draws(), checkpoint=tmp_path / "c")
    with pytest.warns(UserWarning, match="d is not written, since it could not be read again"):
        assert train(KeepsASet(), checkpoint=tmp_path / "d").complete
    assert not (tmp_path / "d").exists()


class Warm(Net):
    """Has a buffer that no state_dict holds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("n", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.n += 1
        return super().forward(x) * (self.n / 20)


def test_buffers_that_are_not_saved_elsewhere_are_in_a_checkpoint(tmp_path):
    whole = train(model=Warm())
    how = {k: v for k, v in HOW.items() if k != "progress"} | {"checkpoint": tmp_path / "a"}
    for event in cl.train_steps(cl.Baseline(), some_tasks(), Warm(), **how):
        if event.kind == "task":
            break
    resumed = train(model=Warm(), checkpoint=tmp_path / "a")
    for a, b in zip(resumed.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_what_is_no_checkpoint_is_nobodys_to_delete(tmp_path):
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    with pytest.raises(ValueError, match="holds something else than a checkpoint: give another"):
        train(checkpoint=tmp_path / "net.pt")
    with pytest.raises(ValueError, match="give a file in this folder"):
        train(checkpoint=tmp_path)


class Capped(cl.Baseline):
    name = "capped"

    def __init__(self, cap):
        self.cap = cap


class NoScore(Task):
    def score(self, prediction, y):
        return torch.full((len(y),), math.nan)


def test_numbers_that_json_does_not_know_do_not_cost_a_run(tmp_path):
    [run] = sweep(Capped(math.inf), folder=tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    run = train(tasks=some_tasks(NoScore), lr=Fraction(1, 100))
    run.save(tmp_path / "nan")
    assert np.isnan(cl.Run.load(tmp_path / "nan").history[-1]["accuracy"]).all()


# --- data and tasks that look right ---


def test_data_are_copied():
    x = INPUTS.clone()
    ours = cl.Dataset.from_tensors(x, LABELS, x, LABELS)
    x += 1
    torch.testing.assert_close(ours.train_images, INPUTS)


def test_what_looks_wrong_in_the_data_is_said():
    with pytest.warns(UserWarning, match="no example has the label 0; the first is 1"):
        dataset(y=LABELS + 1)
    with pytest.warns(UserWarning, match="taken for sequences of vectors whose 8 numbers"):
        cl.permuted(dataset(x=ramp(90, 8, 8)))


def test_what_looks_wrong_in_a_model_is_said():
    with pytest.warns(UserWarning, match="seems to return probabilities.*: leave out its softmax"):
        train(model=made_of(lambda m, x: usual(m, x).softmax(1)))
    with pytest.warns(UserWarning, match="other outputs alone than beside another one"):
        train(model=made_of(lambda m, x: usual(m, x) - usual(m, x).mean(0)))
    capped = made_of(lambda m, x: usual(m, x) * (1 + (len(x) > 50)))
    with pytest.warns(UserWarning, match="other outputs in a batch than alone: its Ω is that of"):
        train(cl.EWC(), model=capped)


def test_joint_training_takes_no_active_outputs_for_all():
    first, second = some_tasks()
    assert joined([first, second.with_(active=(0, 1, 2))]).active is None
    assert train(cl.Joint(), [first, second.with_(active=(0, 1, 2))]).complete


class Weighted(Task):
    weight = 1.0

    def loss(self, logits, y):
        seen.append(self.weight)
        return super().loss(logits, y)


seen: list[float] = []


def test_what_is_set_on_a_task_goes_along():
    tasks = some_tasks(Weighted)
    for task in tasks:
        object.__setattr__(task, "weight", 5.0)
    train(tasks=tasks)
    assert {*seen} == {5.0}


def many_targets(n):
    return InMemory(INPUTS[:n], torch.stack([LABELS, LABELS], 1)[:n])


class Both(Task):
    def loss(self, logits, y):
        return F.cross_entropy(logits, y[:, 0]) + F.cross_entropy(logits, y[:, 1])

    def log_likelihood(self, logits, y):
        return logits.log_softmax(1).gather(1, y).sum(1)

    def prediction(self, logits):
        return logits.argmax(1)

    def score(self, prediction, y):
        return (prediction[:, None] == y).float().mean(1)


@pytest.mark.parametrize("name", ["ewc", "er", "gem", "agem"])
def test_an_example_may_have_many_targets(name):
    tasks = [
        Both(f"both {t}", "both", many_targets(90), many_targets(30), (0, 1, 2)) for t in (0, 1)
    ]
    assert train(cl.METHODS[name](), tasks, epochs=20).average_accuracy > 0.5


def test_a_generator_draws_in_the_range_of_all_tasks():
    method = cl.DGR(hidden=8, latent=4)
    train(method, some_tasks())
    shown = torch.cat([INPUTS, INPUTS + 4])
    assert method.generator.low.item() == pytest.approx(shown.min().item())
    assert method.generator.high.item() == pytest.approx(shown.max().item())


class Explodes(cl.Baseline):
    def end_task(self, model, task):
        cl.flat.flatten(model).theta.fill_(math.nan)


class LastBuffer(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.seen += math.nan
        return super().forward(x)


def test_what_is_not_finite_at_the_end_is_no_result():
    assert train(Explodes()).diverged["task"] == 0
    assert train(model=LastBuffer()).diverged["task"] == 0


# --- what is unusual, and right ---


class Masked(Net):
    """Has infinite numbers in a buffer, as the mask of attention does."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mask", torch.full((3, 3), -math.inf).triu(1))


class Keywords(cl.EWC):
    name = "keywords"

    def __init__(self, **knobs):
        super().__init__(**knobs)


class SetLater(cl.EWC):
    name = "later"

    def __init__(self, lam=1.0):
        super().__init__(lam=lam)
        self.power = 2


def test_a_sweep_over_lambda_keeps_all_else():
    runs = sweep(Keywords(fisher="true", n_samples=10), lam=[1.0])
    assert runs[0].config["knobs"] == {
        "lam": 1.0, "fisher": "true", "anchors": "latest", "n_samples": 10
    }  # fmt: skip
    method = SetLater()
    method.power = 4
    seen_powers = []
    method.importance_of = lambda model, task: (
        seen_powers.append(method.power) or cl.flat.flatten(model).theta.square()
    )
    sweep(method, lam=[3.0])
    assert {*seen_powers} == {4}


def shrinks(method):
    def end_task(model, task):
        type(method).end_task(method, model, task)
        cl.flat.flatten(model).theta.mul_(0.9)

    method.end_task = end_task
    return method


def decorated(function):
    def wrapper(*args):
        return function(*args)

    return wrapper


class Decorated(cl.EWC):
    @decorated
    def end_task(self, model, task):
        cl.EWC.end_task(self, model, task)


class Delegates(cl.EWC):
    def finish(self, model, task):
        super().end_task(model, task)

    def end_task(self, model, task):
        self.finish(model, task)


class Replaces(cl.EWC):
    def end_task(self, model, task):
        flat = cl.flat.flatten(model)
        self.omega, self.theta_star = torch.ones_like(flat.theta), flat.theta.clone()
        self.shapes, self.tasks_held = flat.shapes, 1


class PerPixel(Task):
    def score(self, prediction, y):
        return (prediction == y).float().flatten(1).mean(1)


@pytest.mark.parametrize(
    "do",
    [
        lambda: train(model=Masked()),
        lambda: train(shrinks(cl.ER())),
        lambda: train(shrinks(cl.GEM())),
        lambda: train(Decorated()),
        lambda: train(Delegates()),
        lambda: train(Replaces()),
        lambda: train(optimizer=lambda p, lr: torch.optim.Adam(p, lr=torch.tensor(lr))),
        lambda: train(tasks=some_tasks(active=tuple(LABELS.unique().numpy()))),
        lambda: train(cl.MAS(lam=1.0), optimizer="sgd", lr=1e4) and None,
        lambda: dataset(x=ramp(90, 6, 12, 1)),
        lambda: dataset(y=LABELS * 50),
        lambda: dataset().first(None, 10),
    ],
)
def test_is_taken(do):
    result = do()
    assert not isinstance(result, cl.Run) or result.complete


def test_segmentation_is_classification_of_each_pixel():
    x, y = ramp(90, 2, 4, 4), (ramp(90, 4, 4) * 2.9).long()
    view = InMemory(x, y)
    tasks = [PerPixel(f"pixels {t}", "pixels", view, view, (0, 1, 2)) for t in (0, 1)]
    model = without_a_trace(lambda: nn.Conv2d(2, 3, 1))
    assert train(tasks=tasks, model=model).complete


class Computes(Task):
    @property
    def off(self):
        return len(self.active)


def test_what_a_task_computes_follows_its_fields():
    tasks = class_il([(0,), (0, 1), (0, 1, 2)])
    own = [Computes(**vars(task)) for task in tasks]
    runs = [train(tasks=given) for given in (tasks, own)]
    np.testing.assert_array_equal(runs[0].accuracy, runs[1].accuracy)
    assert own[0].with_(active=(0, 1)).off == 2


def test_a_frozen_backbone_between_tasks_is_no_other_model():
    changed_at("task", frozen, cl.ER())
    with pytest.raises(ValueError, match="holds on to 99 weights, and of this model 51 can"):
        changed_at("task", frozen, cl.EWC())
