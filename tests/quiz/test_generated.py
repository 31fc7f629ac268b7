"""The generated questions: what is right is worked out again, and the form must not tell.

An oracle reads the numbers of a variant from its stem and each claim from its text, and decides it
with the course's own code, NumPy or an enumeration. It never sees the generator's key.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.nn import functional as F
from toys import InMemory

import cl_helpers as cl
from cl_helpers.data.tasks import Task
from cl_helpers.methods.agem import averaged
from cl_helpers.methods.gem import projected
from cl_helpers.models.flat import flatten
from cl_helpers.training.settings import Settings

FILE = Path(__file__).parents[2] / "quiz" / "bank" / "generated.py"
spec = importlib.util.spec_from_file_location("generated_questions", FILE)
generated = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated)

SEEDS = range(250)
NUMBER = r"(?P<blank>−?[\d./]+)"
WORDS = r"(?P<blank>.+)"
Value = float | tuple | str
Oracle = Callable[[str], dict[str, Callable[..., Value]]]  # stem -> pattern -> what is right
ORACLES: dict[str, Oracle] = {}


def oracle(work_out: Oracle) -> Oracle:
    ORACLES[work_out.__name__] = work_out
    return work_out


@cache
def variants(name: str) -> list[dict]:
    return [getattr(generated, name)(seed) for seed in SEEDS]


# --- what a stem says, and what a claim does ---


def given(stem: str) -> dict[str, np.ndarray]:
    """The numbers that a stem gives by name, such as `g = [1, 2]` and `lr=0.1`."""
    named = re.findall(r"`(\w+) ?= ?([^`]+)`", stem)
    return {name: np.array(ast.literal_eval(value), dtype=float) for name, value in named}


def number(text: str) -> float:
    return float(Fraction(text.replace("−", "-")))


def is_right(text: str, rules: dict[str, Callable[..., Value]]) -> bool:
    """Whether a claim is right: the group `blank` is what it says, the others what is asked."""
    fits = [(match, rules[rule]) for rule in rules if (match := re.fullmatch(rule, text))]
    ((match, work_out),) = fits
    blank = match["blank"]
    at = match.re.groupindex["blank"]
    right = work_out(*(group for i, group in enumerate(match.groups(), 1) if i != at))
    if isinstance(right, str):
        return blank == right
    says = tuple(map(number, blank.strip("()").split(", ")))
    return np.allclose(says, np.asarray(right), rtol=1e-5, atol=1e-9)  # rates are float32


def index(name: str) -> int:
    return "₁₂".index(name)


def best(values, names) -> str:
    return names[int(np.argmax(np.asarray(values)))]


def toy(x, y=None) -> Task:
    """A task of these inputs (N, …); of two classes."""
    x = torch.as_tensor(x).double()
    y = torch.zeros(len(x), dtype=torch.long) if y is None else torch.as_tensor(y).long()
    data = InMemory(x, y)
    return Task("toy", "toy", data, data, (0, 1))


class Weights(nn.Module):
    """Logits that `logits(theta, x)` gives."""

    def __init__(self, theta, logits):
        super().__init__()
        self.theta = nn.Parameter(torch.as_tensor(theta).double())
        self.logits = logits

    def forward(self, x):
        return self.logits(self.theta, x)


# --- an oracle for each generator ---


@oracle
def accuracies(stem):
    says = given(stem)
    a = says["a"]
    return {
        rf"After the last task, the average accuracy is {NUMBER} %\.": lambda: (
            cl.metrics.average_accuracy(a)
        ),
        rf"After task 2, the average accuracy is {NUMBER} %\.": lambda: (
            cl.metrics.average_accuracies(a)[1]
        ),
        rf"Forgetting is {NUMBER} percentage points\.": lambda: cl.metrics.forgetting(a),
        rf"Backward transfer is {NUMBER} percentage points\.": lambda: cl.metrics.backward_transfer(
            a
        ),
        rf"Forward transfer is {NUMBER} percentage points\.": lambda: cl.metrics.forward_transfer(
            a, says["before"]
        ),
        rf"Of tasks 1, 2 and 3, task {NUMBER} was forgotten most\.": lambda: best(
            cl.metrics.forgettings(a), "123"
        ),
    }


@oracle
def learning_rate(stem):
    says = {name: value.item() for name, value in given(stem).items()}
    at = {
        "halfway through": 3000,
        "after a third of": 2000,
        "in the middle third of": 3000,
        "at the first step of": 0,
        "at the last step of": -1,
    }

    def rate(schedule, when, task):
        settings = Settings(schedule=schedule, **says)
        rates = settings.rates(int(task) - 1, 6001)
        return settings.lr_of(int(task) - 1) if rates is None else rates[at[when]]

    return {
        rf'With `schedule="(.+)"`, (.+) task (\d) the learning rate is {NUMBER}\.': rate,
    }


@oracle
def fisher(stem):
    says = given(stem)
    p, y = says["p"], says["y"].astype(int)
    slopes = [ast.literal_eval(each) for each in re.findall(r"∂z/∂θ. is `([^`]+)`", stem)]

    @cache
    def squares(sample, label):
        """(2,): (∂ log p(y | x) / ∂θ)² by autograd, for z = θ · slopes + log-odds, at θ = 0."""
        theta = torch.zeros(2, requires_grad=True)
        slope = torch.tensor([float(each[sample]) for each in slopes])
        z = theta @ slope + np.log(p[sample] / (1 - p[sample]))
        log_p = F.logsigmoid(z if label else -z)
        return torch.autograd.grad(log_p, theta)[0].square().double().numpy()

    def omega(kind, y=y):
        if kind == "empirical":
            return np.mean([squares(n, int(label)) for n, label in enumerate(y)], 0)
        over_y = [p[n] * squares(n, 1) + (1 - p[n]) * squares(n, 0) for n in range(3)]
        return np.mean(over_y, 0)

    return {
        rf"The (empirical|true) Fisher of θ(.) is {NUMBER}\.": lambda kind, name: omega(kind)[
            index(name)
        ],
        rf"If the first label were (\d), the (.+) Fisher of θ(.) would be {NUMBER}\.": (
            lambda first, kind, name: omega(kind, [first, *y[1:]])[index(name)]
        ),
        rf"With the (.+) Fisher, EWC holds {WORDS} tighter\.": lambda kind: best(
            omega(kind), ("θ₁", "θ₂")
        ),
    }


@oracle
def mas(stem):
    says = given(stem)

    @cache
    def omega(w=1.0, x=1.0):
        slopes = []
        for image in torch.from_numpy(x * says["x"]):
            weight = torch.from_numpy(w * says["W"]).requires_grad_()
            norm = (weight @ image).square().sum()
            slopes.append(torch.autograd.grad(norm, weight)[0])
        return torch.stack(slopes).abs().mean(0).numpy()

    entry = r"`W\[(\d)\]\[(\d)\]`"
    rows = {
        rf"Of the weights of the {which} logit, MAS holds {WORDS} tighter\.": lambda i=i: best(
            omega()[i], (f"`W[{i}][0]`", f"`W[{i}][1]`")
        )
        for i, which in enumerate(("first", "second"))
    }
    return rows | {
        rf"MAS's Ω of {entry} is {NUMBER}\.": lambda i, j: omega()[int(i), int(j)],
        rf"If all of `W` were twice as large, Ω of {entry} would be {NUMBER}\.": lambda i, j: omega(
            w=2.0
        )[int(i), int(j)],
        rf"If both images were twice as large, Ω of {entry} would be {NUMBER}\.": lambda i, j: (
            omega(x=2.0)[int(i), int(j)]
        ),
    }


@oracle
def path(stem):
    says = given(stem)
    method = cl.SI(lam=1.0, xi=number(re.search(r"ξ = ([\d.]+)", stem)[1]))
    model = Weights([0.0, 0.0], lambda theta, x: x)
    flat = flatten(model)
    method.begin_task(model, toy(np.zeros((1, 2))))
    for g, step in zip(says["g"], says["step"], strict=True):
        method.g.copy_(torch.from_numpy(g))
        flat.theta.add_(torch.from_numpy(step))
        method.after_step(model)
    omega = method.importance_of(model, toy(np.zeros((1, 2))))
    return {
        rf"ω(.) is {NUMBER}\.": lambda name: method.path[index(name)],
        rf"Ω(.) is {NUMBER}\.": lambda name: omega[index(name)],
        rf"Without the relu, Ω(.) would be {NUMBER}\.": lambda name: (
            method.path / ((flat.theta - method.theta_start).square() + method.xi)
        )[index(name)],
        r"According to SI, the three steps have lowered the task's loss by "
        rf"{NUMBER}\.": method.path.sum,
        rf"Because of this task, {WORDS} is held tighter\.": lambda: best(
            omega, ("weight 1", "weight 2")
        ),
    }


@oracle
def rwalk(stem):
    says = {name: torch.from_numpy(value) for name, value in given(stem).items()}
    model, task = Weights([0.0] * 3, lambda theta, x: x), toy(np.zeros((1, 2)))

    def ended(times=1.0):
        """RWalk after the task's last step, with F so many times as large."""
        method = cl.RWalk(alpha=number(re.search(r"α = ([\d.]+)", stem)[1]))
        method.begin_task(model, task)
        method.tasks_held, method.omega = 1, says["omega"]
        method.fisher, method.score = says["F"].clone(), says["s_old"].clone()
        method.new_score = says["s_new"].clone()
        method.accumulate(says["g"], torch.zeros(3).double())
        method.fisher *= times
        omega, _ = method.joined(method.importance_of(model, task), flatten(model).theta)
        return method, omega

    method, omega = ended()
    return {
        rf"After the last step, F of weight (\d) is {NUMBER}\.": lambda i: method.fisher[
            int(i) - 1
        ],
        rf"After the task, the score of weight (\d) is {NUMBER}\.": lambda i: method.score[
            int(i) - 1
        ],
        rf"After task 2, Ω of weight (\d) is {NUMBER}\.": lambda i: omega[int(i) - 1],
        r"If F after the last step were ten times as large, Ω of weight (\d) would be "
        rf"{NUMBER}\.": lambda i: ended(10.0)[1][int(i) - 1],
        rf"After task 2, weight {WORDS} is held tightest\.": lambda: best(omega, "123"),
    }


@oracle
def slices(stem):
    says = given(stem)

    class Drawn(cl.SCP):
        def directions(self, n_outputs):
            return torch.from_numpy(says["u"]) / len(says["u"]) ** 0.5

    model = Weights([0.0, 0.0], lambda theta, d: torch.einsum("i,nik->nk", theta, d))

    def omega(method=Drawn):
        return method.importance_of(model, toy(says["d"]))

    together, alone = (omega(Drawn(batch_size=size)) for size in (2, 1))

    def limit(name):
        """The mean over all directions of the plane: equally spaced ones have it."""
        angles = np.pi * np.arange(8) / 8
        slope = says["d"].mean(0)[index(name)]
        return np.mean((np.column_stack([np.cos(angles), np.sin(angles)]) @ slope) ** 2)

    return {
        rf"With both images in one batch, Ω of θ(.) is {NUMBER}\.": lambda name: together[
            index(name)
        ],
        rf"With a batch for each image, Ω of θ(.) is {NUMBER}\.": lambda name: alone[index(name)],
        rf"With one batch and ever more directions, Ω of θ(.) tends to {NUMBER}\.": limit,
        rf"With both images in one batch, {WORDS} is held tighter\.": lambda: best(
            together, ("θ₁", "θ₂")
        ),
    }


@oracle
def projection(stem):
    says = {name: torch.from_numpy(value) for name, value in given(stem).items()}
    g, old = says["g"], torch.stack([says["g1"], says["g2"]])
    agem = averaged(g, old.mean(0))

    def effect(k, step=agem):
        """Of a small step on an old loss, which is linear here."""
        change = old[int(k) - 1] @ (-0.001 * step)
        return "raises" if change > 1e-9 else "lowers" if change < -1e-9 else "keeps"

    def harmed():
        (task,) = [str(k) for k in (1, 2) if effect(k, g) == "raises"]
        return task

    return {
        rf"With only task (\d) in its memory, GEM steps along −g̃ with g̃ = {WORDS}\.": lambda k: (
            projected(g, old[[int(k) - 1]])
        ),
        rf"To first order, a small step along −g raises only the loss of task {WORDS}\.": harmed,
        rf"With both tasks in its memory, GEM's g̃ is {WORDS}\.": lambda: projected(g, old),
        rf"With as many examples of either task, A-GEM's g̃ is {WORDS}\.": lambda: agem,
        rf"To first order, a small step along −g̃ of A-GEM {WORDS} the loss of task (\d)\.": effect,
    }


@cache
def memories(slots: int, images: int, each: int) -> tuple[list[dict[tuple, float]], list[float]]:
    """By the rule of a reservoir itself, step by step.

    Returns:
        After each image, how probable each content of the memory is, and how probable it is that
        the image is stored. A content is a sorted tuple of 0 for image 0, 1 for the others of task
        1 and 2 for the rest.
    """
    now, after, stored = {(): 1.0}, [], []
    for i in range(images):
        kind, then, taken = min(i, 1) if i < each else 2, defaultdict(float), 0.0
        for memory, p in now.items():
            if i < slots:
                then[(*memory, kind)] += p
                taken += p
                continue
            for place in range(i + 1):
                kept = list(memory)
                if place < slots:
                    kept[place] = kind
                    taken += p / (i + 1)
                then[tuple(sorted(kept))] += p / (i + 1)
        now = dict(then)
        after.append(now)
        stored.append(taken)
    return after, stored


@oracle
def replay(stem):
    tasks, each, slots = (
        int(re.search(pattern, stem)[1])
        for pattern in (r"^(\d) tasks", r"of (\d) images", r"of (\d) places")
    )
    after, stored = memories(slots, tasks * each, each)

    def mean(of, when=-1):
        return sum(p * of(memory) for memory, p in after[when].items())

    def of_task_1(memory):
        return sum(kind < 2 for kind in memory)

    # What DGR's loss gives to replay, and what its generator draws, learned with the same weights.
    method, share = cl.DGR(), 1.0
    for t in range(2, tasks + 1):
        method.competed = [None] * (t - 1)
        weight = float(method.mixed(0.0, 1.0))
        in_the_loss = weight * share
        share *= weight
    return {
        r"At the end, the very first image is still in ER's memory with probability "
        rf"{NUMBER}\.": lambda: mean(lambda memory: 0 in memory),
        r"When it comes by, the last image of task (\d) is stored by ER with probability "
        rf"{NUMBER}\.": lambda k: stored[int(k) * each - 1],
        r"An image that is in ER's memory after task 1 is there at the end with probability "
        rf"{NUMBER}\.": lambda: mean(lambda m: 0 in m) / mean(lambda m: 0 in m, each - 1),
        r"At the end, the average number of task 1's images in ER's memory is "
        rf"{NUMBER}\.": lambda: mean(of_task_1),
        r"At the end, ER's memory holds no image of task 1 with probability "
        rf"{NUMBER}\.": lambda: mean(lambda memory: of_task_1(memory) == 0),
        r"While DGR learns the last task, the loss on replayed images has the weight "
        rf"{NUMBER}\.": lambda: weight,
        r"While DGR learns the last task, replayed images of task 1 have the weight "
        rf"{NUMBER} in its loss\.": lambda: in_the_loss,
    }


@oracle
def regime(stem):
    says = given(stem)
    h, step = says["H"], says["dw"]
    length = np.linalg.norm(step)
    lr, decay = (
        number(re.search(pattern, stem)[1])
        for pattern in (r"rate is ([\d.]+) in task 1", r"γ = ([\d.]+) from")
    )

    def rise(moves):
        return 0.5 * np.sum((moves @ h) * moves, -1)

    angles = np.pi * np.arange(360) / 360
    rises = rise(length * np.column_stack([np.cos(angles), np.sin(angles)]))
    steepest = {0: "(1, 0)", 45: "(1, 1)", 90: "(0, 1)", 135: "(1, −1)"}[np.argmax(rises) // 2]
    return {
        rf"The step of task 2 raises the loss of task 1 by {NUMBER}\.": lambda: rise(step),
        rf"The bound ½ μ_max ‖δ‖² on what task 1 loses is {NUMBER}\.": rises.max,
        rf"Half of that step would raise the loss of task 1 by {NUMBER}\.": lambda: rise(step / 2),
        rf"Of all steps as long as that one, a step along {WORDS} raises the loss of task 1 most"
        r"\.": lambda: steepest,
        r"A step as long as that one in the flattest direction would raise the loss by "
        rf"{NUMBER}\.": rises.min,
        r"Over all directions, a step as long as that one raises the loss by "
        rf"{NUMBER} on average\.": rises.mean,
        rf"In task (\d) the learning rate is {NUMBER}\.": lambda task: Settings(
            lr=lr, lr_decay=decay
        ).lr_of(int(task) - 1),
    }


# --- the key, and the form ---

MADE = sorted(
    name
    for name, value in vars(generated).items()
    if hasattr(value, "__wrapped__") and not name.startswith("_")
)


def test_every_generator_has_an_oracle_and_a_question():
    used = [
        question["generate"]
        for file in FILE.parent.glob("*.yaml")
        for question in yaml.safe_load(file.read_text("utf-8")).get("questions", [])
        if "generate" in question
    ]
    assert sorted(ORACLES) == MADE == sorted(used)
    assert len(MADE) >= 6


@pytest.mark.parametrize("name", MADE)
def test_the_key_is_what_comes_out(name):
    for seed in SEEDS:
        variant = variants(name)[seed]
        rules = ORACLES[name](variant["stem"])
        for option in variant["options"]:
            right = is_right(option["text"], rules)
            assert right == option["correct"], (seed, variant["stem"], option)


@pytest.mark.parametrize("name", MADE)
def test_a_variant_is_a_question_of_a_bank(name):
    for variant in variants(name):
        options = variant["options"]
        texts = [option["text"] for option in options]
        assert 4 <= len(set(texts)) == len(texts) == len(variants(name)[0]["options"]) <= 6
        assert any(option["correct"] for option in options)
        assert all(type(option["correct"]) is bool for option in options)
        for text in (variant["stem"], *texts, *(option["why"] for option in options)):
            assert 2 <= len(text) <= 600
            assert text == text.strip()
            assert text.count("`") % 2 == 0
        assert all(len(option["why"]) >= 20 for option in options)


@pytest.mark.parametrize("name", MADE)
def test_a_seed_makes_one_variant_and_others_make_others(name):
    make = getattr(generated, name)
    assert [make(seed) for seed in range(20)] == variants(name)[:20]
    assert len({repr(variant) for variant in variants(name)}) > 0.95 * len(SEEDS)
    keys = Counter(tuple(o["correct"] for o in v["options"]) for v in variants(name))
    assert keys.most_common(1)[0][1] < 0.2 * len(SEEDS)


def unlikely(hits: int, chances: list[float]) -> bool:
    """Whether the number of hits is far from what these chances make; once in 10,000 times."""
    spread = np.sqrt(sum(p * (1 - p) for p in chances))
    return abs(hits - sum(chances)) > 3.9 * spread


FORMS = {
    "longest": lambda option: len(option["text"]),
    "shortest": lambda option: -len(option["text"]),
    "longest number": lambda option: len(re.sub(r"[^\d./]", "", option["text"])),
    "most decimals": lambda option: len(option["text"].partition(".")[2]),
    "negative": lambda option: option["text"].count("−"),
}


@pytest.mark.parametrize("form", [*FORMS, *range(6)])
@pytest.mark.parametrize("name", MADE)
def test_the_form_of_an_option_does_not_tell(name, form):
    hits, chances = 0, []
    for variant in variants(name):
        options = variant["options"]
        if not isinstance(form, int):
            best = max(map(FORMS[form], options))
            picked = [option for option in options if FORMS[form](option) == best]
        else:
            picked = options[form : form + 1]
            if not picked:
                continue
        hits += picked[0]["correct"]
        chances.append(sum(option["correct"] for option in options) / len(options))
    assert not unlikely(hits, chances), (hits, sum(chances))


@pytest.mark.parametrize("name", MADE)
def test_no_statement_is_always_right_or_always_wrong(name):
    by_text, by_claim = defaultdict(list), defaultdict(list)
    for variant in variants(name):
        for option in variant["options"]:
            by_text[option["text"]].append(option["correct"])
            claim = re.sub(r"−?[\d./]*\d", "#", option["text"])
            by_claim[claim].append(option["correct"])
    often = {text: right for text, right in by_text.items() if len(right) >= 0.08 * len(SEEDS)}
    assert not [text for text, right in often.items() if len(set(right)) == 1]
    shares = {claim: np.mean(right) for claim, right in by_claim.items() if len(right) >= 40}
    assert all(0.3 < share < 0.75 for share in shares.values()), shares
