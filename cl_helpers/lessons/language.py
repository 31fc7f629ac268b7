"""What lesson 13 shows of language models: learning against forgetting, merging, routing, texts.

Its stored results are rows, one a run: method, setting, seed, and bits per character in each
language before and after a model that knew English learned Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.tasks import Task
from ..data.text import decode, encode
from ..methods import Quadratic
from ..models.flat import flatten
from ..models.forward import evaluating
from ..models.gpt import GPT
from ..report.plots import LOOK, OTHER, Chart, blank, described, frame
from ..training.metrics import bits
from .seeds import difference, mean_sd

M = TypeVar("M", bound=nn.Module)
Row = Mapping[str, Any]

LOOKS = {  # method -> colour and marker
    "full": LOOK["baseline"][:2],
    "LoRA": LOOK["lora"][:2],
    "replay 1 %": (LOOK["er"][0], "v"),
    "replay 5 %": (LOOK["er"][0], "^"),
    "L2": ("#888888", "D"),
    "EWC": LOOK["ewc"][:2],
}


@dataclass(eq=False)
class L2(Quadratic):
    """Hold every weight near θ* with the same strength: Ω = 1.

    Args:
        lam: λ ≥ 0; 0 is off. Default 0.01.
    """

    name = "l2"
    label = "L2"

    lam: float = 0.01

    def importance_of(self, model: nn.Module, task: Task) -> Tensor:
        return torch.ones_like(flatten(model).theta)


def merged(before: M, after: nn.Module, w: float = 0.5) -> M:
    """Make a model between two: θ = θ₀ + w (θ₁ − θ₀).

    w from 0 to 1 is WiSE-FT (Wortsman et al. 2021, arXiv:2109.01903). θ₁ − θ₀ is a task vector, and
    any w its arithmetic (Ilharco et al. 2022, arXiv:2212.04089).

    Args:
        before, after: models of one shape, with θ₀ and θ₁; they stay as they are.
        w: how much of the way is gone. Default 0.5.
    """
    model = deepcopy(before)
    theta, end = flatten(model).theta, flatten(after).theta
    theta.lerp_(end, w)
    for here, there in zip(model.buffers(), after.buffers(), strict=True):
        if here.is_floating_point():  # running means, where there are some
            here.lerp_(there, w)
    return model


@torch.no_grad()
def routed(models: Sequence[nn.Module], x: Tensor, n: int = 32) -> Tensor:
    """Choose for each text the model that finds its first `n` characters likeliest: (B,) long.

    Args:
        models: of characters.
        x: (B, T) long, texts of n characters or more.
        n: how many are read before the choice. Default 32.
    """
    nats = []
    for model in models:
        with evaluating(model):
            z = model(x[:, : n - 1])
        log_p = z.log_softmax(-1).gather(-1, x[:, 1:n, None])[..., 0]
        nats.append(-log_p.sum(1))
    return torch.stack(nats).argmin(0)


def writes(model: GPT, start: str, n: int = 160, seed: int = 0) -> str:
    """Let a model go on with a text.

    Args:
        model: draws one character after the other.
        start: the text before.
        n: characters to write. Default 160.
        seed: of the draws. Default 0.
    """
    return start + decode(model.write(encode(start), n, torch.Generator().manual_seed(seed)))


def changes(rows: Sequence[Row]) -> dict[str, tuple[NDArray, NDArray]]:
    """Collect from `rows` what was learned of Python and forgotten of English, in bits.

    Returns:
        Method -> (learned, forgotten), arrays over the seeds in their order.
    """
    by: dict[str, list[Row]] = {}
    for row in rows:
        by.setdefault(row["method"], []).append(row)
    return {name: _changes(sorted(of, key=lambda r: r["seed"])) for name, of in by.items()}


def _changes(rows: Sequence[Row]) -> tuple[NDArray, NDArray]:
    learned = np.array([row["before"]["Python"] - row["after"]["Python"] for row in rows])
    lost = np.array([row["after"]["English"] - row["before"]["English"] for row in rows])
    return learned, lost


def table(results: Row) -> pd.DataFrame:
    """Format the stored `results`: mean ± standard deviation over seeds, in bits per character."""
    rows = {}
    for name, (learned, lost) in changes(results["final"]).items():
        [first, *_] = [row for row in results["final"] if row["method"] == name]
        setting = ", ".join(f"{k} {v:g}" for k, v in first["setting"].items())
        rows[name] = [
            setting.replace("lam", "λ"),
            mean_sd(learned.tolist(), 3),
            mean_sd(lost.tolist(), 3),
        ]
    columns = ["best setting", "learned of Python", "forgotten of English"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def compared(results: Row, *pairs: tuple[str, str]) -> Markdown:
    """Say how two methods differ within a seed, and whether seeds alone can explain it.

    Args:
        results: stored.
        pairs: of names of methods.
    """
    every, sentences = changes(results["final"]), []
    if min(len(learned) for learned, _ in every.values()) < 2:
        return Markdown("One seed alone: the differences could be chance.")
    for a, b in pairs:
        said = []
        for k, what in enumerate(("learned", "forgot")):
            by = difference(every[a][k].tolist(), every[b][k].tolist())
            word = "more" if by.mean > 0 else "less"
            said.append(f"{what} {abs(by.mean):.3f} ± {by.half:.3f} bits {word} ({by.verdict})")
        sentences.append(f"* **{a}** {' and '.join(said)} than **{b}**.")
    return Markdown("\n".join(sentences))


def picture(results: Row, live: Mapping[str, tuple[float, float]] | None = None) -> Chart:
    """Draw learning against forgetting: a point a run, small where a setting was only tried.

    Args:
        results: stored, as `cl.load_results("language")` gives them.
        live: name -> (learned, forgotten) of runs just trained, drawn as rings.
    """
    figure = blank(8, 4.4)
    ax = figure.subplots()
    for row in results["tried"]:
        learned, lost = _changes([row])
        colour, marker = LOOKS.get(row["method"], OTHER[:2])
        ax.plot(learned, lost, ls="", marker=marker, color=colour, markersize=4, alpha=0.35)
    told = []
    for name, (learned, lost) in changes(results["final"]).items():
        colour, marker = LOOKS.get(name, OTHER[:2])
        ax.plot(learned, lost, ls="", marker=marker, color=colour, ms=9, mec="white", label=name)
        told.append(f"{name} learned {learned.mean():.2f} and forgot {lost.mean():.2f}")
    path = between(results)
    ax.plot(*path.T, ":", color=LOOK["baseline"][0], linewidth=1.5, label="full, merged")
    for name, point in (live or {}).items():
        ax.plot(
            *point, "o", color="#D55E00", markersize=13, fillstyle="none", label=f"{name}, live"
        )
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xlabel("learned of Python, bits per character (more is better)")
    ax.set_ylabel("forgotten of English,\nbits per character")
    ax.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    frame(ax)
    return described(
        figure,
        "Bits per character learned of Python against those forgotten of English, a point for each "
        f"run of three seeds. Means: {'; '.join(told)}. A dotted line joins the pretrained weights "
        "and those of full fine-tuning, by way of their weighted means.",
    )


def _means(rows: Sequence[Row]) -> tuple[float, float]:
    learned, lost = _changes(rows)
    return float(learned.mean()), float(lost.mean())


def between(results: Row) -> NDArray:
    """Compute from `results` where weighted means of weights lie: (W, 2), learned, forgotten."""
    rows = [row for row in results["final"] if row["method"] == "full"]
    points = [(0.0, 0.0)]
    for w in rows[0]["merged"]:
        some = [row | {"after": row["merged"][w]} for row in rows]
        points.append(_means(some))
    points.append(_means(rows))
    return np.array(points)


class Logits(nn.Module):
    """A model of the library `transformers`, as this package calls models.

    Args:
        model: called with token numbers (B, T), it returns an object with `logits` (B, T, K).
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B, T, K) of the token after each of `x` (B, T)."""
        return self.model(x).logits


def least(results: Row, names: Sequence[str], k: int = 1) -> str:
    """Name the method among `names` that learned least (`k` 0) or forgot least (1) in `results`."""
    every = changes(results["final"])
    return min(names, key=lambda name: every[name][k].mean())


def per_character(model: nn.Module, text: str) -> float:
    """Compute the bits per character of a `model` on a short `text`, its first one left out."""
    x = encode(text)[None]
    with evaluating(model), torch.no_grad():
        log_p = model(x[:, :-1]).log_softmax(-1).gather(-1, x[:, 1:, None])
    return bits(-float(log_p.mean()))
