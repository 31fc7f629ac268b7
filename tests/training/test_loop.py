"""The loop carries what the course does not train: a language model, a frozen model with adapters.

Each has its own loss, its own metric or its own parameters; the loop, the methods, checkpoints and
stacks take them as they are.
"""

import ast
import inspect
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import InMemory

import cl_helpers as cl
from cl_helpers.data.tasks import Task
from cl_helpers.scale.stacked import train_together
from cl_helpers.training import loop
from cl_helpers.training.settings import Settings

# --- a character GPT ---


class Block(nn.Module):
    """Causal self-attention, then a layer of its own for each character; both are added."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm_a, self.norm_b = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, h):
        n, length, width = h.shape
        q, k, v = (
            part.view(n, length, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.norm_a(h)).chunk(3, -1)
        )
        z = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        future = torch.ones(length, length, dtype=torch.bool, device=h.device).triu(1)
        mixed = z.masked_fill(future, -math.inf).softmax(-1) @ v
        h = h + self.out(mixed.transpose(1, 2).reshape(n, length, width))
        return h + self.mlp(self.norm_b(h))


class CharGPT(nn.Module):
    """Characters (B, T) long -> logits of the next one (B, T, V)."""

    def __init__(self, n_characters: int, length: int, width: int = 16, n_blocks: int = 2):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.character = nn.Embedding(n_characters, width)
            self.place = nn.Parameter(0.1 * torch.randn(length, width))
            self.blocks = nn.Sequential(*[Block(width, heads=2) for _ in range(n_blocks)])
            self.head = nn.Linear(width, n_characters)

    def forward(self, x):
        return self.head(self.blocks(self.character(x) + self.place[: x.shape[1]]))


@dataclass(frozen=True)
class Text(Task):
    """A text to be continued: `train.x` and `train.y` are (N, T) long, y a character ahead."""

    def loss(self, logits, y):
        return F.cross_entropy(logits.flatten(0, 1), y.flatten())

    def log_likelihood(self, logits, y):
        return logits.log_softmax(-1).gather(-1, y[..., None]).squeeze(-1).sum(-1)

    def prediction(self, logits):
        """Bits that each character would cost, (B, T, V)."""
        return -logits.log_softmax(-1) / math.log(2)

    def score(self, prediction, y):
        """Bits per character."""
        return prediction.gather(-1, y[..., None]).squeeze(-1).mean(-1)


TEXTS = ("the cat sat on the mat. ", "a dog ran to a fog. ")
ALPHABET = sorted(set("".join(TEXTS)))
LENGTH = 12
HOW = {"epochs": 12, "batch_size": 20, "lr": 5e-3, "progress": False}


def text_task(text: str) -> Text:
    """All pieces of the text repeated; the last few of them, to test."""
    codes = torch.tensor([ALPHABET.index(c) for c in text * 6])
    pieces = codes.unfold(0, LENGTH + 1, 1)
    halves = [InMemory(p[:, :-1], p[:, 1:]) for p in (pieces[:80], pieces[80:100])]
    return Text(text, "characters", *halves, classes=tuple(range(len(ALPHABET))))


@pytest.fixture
def texts():
    return [text_task(text) for text in TEXTS]


def gpt():
    return CharGPT(len(ALPHABET), LENGTH)


def everything(run):
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def unigram_bits(task) -> float:
    """What a character costs for those who know how frequent each is, and nothing else."""
    p = task.train.y.flatten().bincount().double()
    p = p[p > 0] / p.sum()
    return -(p * p.log2()).sum().item()


def test_a_gpt_learns_in_bits_per_character(texts):
    run = cl.train(cl.Baseline(), texts, gpt(), **HOW)
    for t, task in enumerate(texts):
        assert run.initial[t] > 0.9 * math.log2(len(ALPHABET)) > unigram_bits(task) > 2.9
        assert run.accuracy[t, t] < 0.25 * unigram_bits(task)
    assert run.accuracy[1, 0] > 2 * run.accuracy[0, 0]  # the first text is forgotten
    logits, y = run.model(texts[1].test.x), texts[1].test.y
    expected = F.cross_entropy(logits.flatten(0, 1), y.flatten()).item() / math.log(2)
    assert run.accuracy[1, 1] == pytest.approx(expected, rel=1e-5)


def test_ewc_holds_a_gpt_and_its_omega_is_that_of_one_sequence_at_a_time(texts):
    ewc, free = (cl.train(cl.EWC(lam=lam), texts, gpt(), **HOW) for lam in (3.0, 0.0))
    assert ewc.accuracy[1, 0] < free.accuracy[1, 0] - 0.5  # bits
    assert ewc.accuracy[1, 1] < unigram_bits(texts[1])

    one = cl.train(cl.EWC(), texts[:1], gpt(), **HOW | {"epochs": 2})
    omega = {name: torch.zeros_like(p) for name, p in one.model.named_parameters()}
    x, y = texts[0].train.x, texts[0].train.y
    for n in range(len(x)):
        log_p = one.model(x[n : n + 1])[0].log_softmax(-1)
        whole = sum(log_p[i, character] for i, character in enumerate(y[n]))
        names, parameters = zip(*one.model.named_parameters(), strict=True)
        for name, g in zip(names, torch.autograd.grad(whole, parameters), strict=True):
            omega[name] += g.square() / len(x)
    for name, importance in one.method.importance.items():
        torch.testing.assert_close(importance, omega[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", [cl.Baseline, cl.EWC, cl.ER, cl.Joint])
def test_a_gpt_goes_on_from_its_checkpoint_to_the_same_bits(texts, tmp_path, method):
    how = HOW | {"epochs": 2}
    kept = {k: v for k, v in how.items() if k != "progress"}
    kept["checkpoint"] = tmp_path / "run.checkpoint"
    for event in cl.train_steps(method(), texts, gpt(), **kept):
        if event.kind == "task":
            break
    whole = cl.train(method(), texts, gpt(), **how)
    resumed = cl.train(method(), texts, gpt(), progress=False, **kept)
    torch.testing.assert_close(everything(resumed), everything(whole), rtol=0, atol=0)
    np.testing.assert_array_equal(resumed.accuracy, whole.accuracy)


def test_joint_training_and_replay_keep_both_texts(texts):
    """They have the task's own loss too, on all texts and on the memory."""
    for method in (cl.Joint(), cl.ER(memory=100)):
        run = cl.train(method, texts, gpt(), **HOW)
        assert run.accuracy[1].max() < 0.4 * unigram_bits(texts[0])


def test_several_gpts_take_their_steps_together(texts):
    runs = cl.sweep(
        cl.EWC(), texts, gpt(), lam=[0.0, 3.0], together=2, engine=1, **HOW | {"epochs": 2}
    )
    for run, lam in zip(runs, (0.0, 3.0), strict=True):
        alone = cl.train(cl.EWC(lam=lam), texts, gpt(), **HOW | {"epochs": 2})
        assert run.config["together"] == 2
        np.testing.assert_allclose(run.accuracy, alone.accuracy, atol=0.05)


# --- a frozen model with adapters ---


class Adapted(nn.Module):
    """A frozen layer with a product of low rank beside it: W x + b + B A x (Hu et al. 2021)."""

    def __init__(self, layer: nn.Linear, rank: int, generator: torch.Generator):
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.a = nn.utils.skip_init(nn.Linear, layer.in_features, rank, bias=False)
        self.b = nn.utils.skip_init(nn.Linear, rank, layer.out_features, bias=False)
        nn.init.normal_(self.a.weight, std=0.05, generator=generator)
        nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.layer(x) + self.b(self.a(x))


def adapted():
    generator = torch.Generator().manual_seed(1)
    model = cl.MLP((784, 24, 10), seed=0)
    model.fc1 = Adapted(model.fc1, 4, generator)
    model.fc2 = Adapted(model.fc2, 4, generator)
    return model


def test_adapters_alone_move_and_are_held(few):
    """Against a loop written by hand, with its Fisher, its penalty and its optimiser."""
    lam, tasks = 5.0, cl.permuted(few, 2)
    run = cl.train(
        cl.EWC(lam=lam), tasks, adapted(),
        epochs=3, batch_size=50, optimizer="sgd", lr=0.3, seed=2, precision="full", progress=False,
    )  # fmt: skip

    model = adapted()
    start = {name: value.clone() for name, value in model.state_dict().items()}
    names, trained = zip(
        *[(n, p) for n, p in model.named_parameters() if p.requires_grad], strict=True
    )
    optimizer = torch.optim.SGD(trained, lr=0.3)
    order = torch.Generator().manual_seed(2)
    fisher, anchor = [torch.zeros_like(p) for p in trained], [p.detach().clone() for p in trained]
    for t, task in enumerate(tasks):
        x, y = task.train.x, task.train.y
        for _ in range(3):
            for batch in torch.randperm(len(x), generator=order).split(50):
                pulls = zip(fisher, trained, anchor, strict=True)
                penalty = sum((f * (p - p_star).square()).sum() / 2 for f, p, p_star in pulls)
                optimizer.zero_grad()
                (F.cross_entropy(model(x[batch]), y[batch]) + lam * penalty).backward()
                optimizer.step()
        for x_n, y_n in zip(x, y, strict=True):
            log_p = -F.cross_entropy(model(x_n[None]), y_n[None])
            for f, g in zip(fisher, torch.autograd.grad(log_p, trained), strict=True):
                f.add_(g.square() / len(x))
        anchor = [p.detach().clone() for p in trained]
        right = [(model(j.test.x).argmax(1) == j.test.y).double().mean().item() for j in tasks]
        np.testing.assert_allclose(run.accuracy[t], right, atol=0.011)

    assert set(run.method.importance) == set(names)
    assert all(".a." in name or ".b." in name for name in names)
    for name, value in run.model.state_dict().items():
        if name in names:
            assert not torch.equal(value, start[name])
            torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-3, atol=1e-5)
        else:
            assert torch.equal(value, start[name])
    for name, f in zip(names, fisher, strict=True):
        torch.testing.assert_close(run.method.importance[name], f, rtol=1e-2, atol=1e-6)
    assert run.accuracy[1, 1] > run.initial[1] + 0.2


# --- the loop itself ---


def test_the_loop_is_a_page():
    """At most 100 lines without docstrings, comments and blank lines."""
    path = Path(inspect.getfile(loop))
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        has_docstring = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if has_docstring and ast.get_docstring(node) is not None:
            node.body[0].value.value = ""
    docstrings = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and getattr(node.value, "value", None) == ""
        for line in range(node.lineno, node.end_lineno + 1)
    }
    code = [
        text
        for n, text in enumerate(path.read_text().splitlines(), 1)
        if n not in docstrings and text.strip() and not text.lstrip().startswith("#")
    ]
    assert len(code) <= 100


def test_a_stack_gives_the_same_events_as_one_learner(few):
    tasks, how = cl.permuted(few, 2), {"epochs": 2, "batch_size": 64}

    def told(events):
        return [(e.kind, e.task, e.epoch, e.step, e.n_steps) for e in events]

    one = list(cl.train_steps(cl.EWC(), tasks, cl.MLP((784, 8, 10)), every=3, **how))
    several = list(
        train_together(
            [cl.EWC(), cl.SI(), cl.Baseline()],
            tasks,
            [cl.MLP((784, 8, 10)) for _ in range(3)],
            Settings(**how),
            [0, 1, 2],
            every=3,
        )
    )
    assert told(several) == told(one)
    assert [len(e.runs) for e in several] == [3] * len(one)
    assert {len(e.losses) for e in several if e.losses is not None} == {3}


@pytest.mark.parametrize("optimizer", ["'adam'", "'sgd'", "torch.optim.AdamW"])
def test_the_first_run_does_not_pay_for_what_torch_imports(optimizer, tmp_path):
    """What PyTorch's own optimisers import is there before the clock is started, or never."""
    code = (
        "import sys, torch, cl_helpers as cl\n"
        "from cl_helpers.training import train\n"
        "there = []\n"
        "class Watched(train.Clock):\n"
        "    def __init__(self, runs):\n"
        "        there.append('torch._dynamo' in sys.modules)\n"
        "        super().__init__(runs)\n"
        "train.Clock = Watched\n"
        "data = cl.load('digits').first(40, 10)\n"
        "how = {'epochs': 1, 'batch_size': 20, 'device': 'cpu', 'progress': False}\n"
        f"how['optimizer'] = {optimizer}\n"
        "for method in (cl.EWC(), cl.DGR()):\n"
        "    cl.train(method, cl.permuted(data, 2), cl.MLP((784, 4, 10)), **how)\n"
        "print([there[0], 'torch._dynamo' in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    expected = [True, True] if optimizer.startswith("torch") else [False, False]
    assert done.stdout.split("\n")[-2] == str(expected)
