"""A GPT that has learned English learns Python: what each method learns, and what is forgotten.

    python experiments/language/language.py

It starts from `GPT.pretrained()`. With seed 0 each method is tried at a few settings and judged by
held-out text; the best of each, by the mean of the two languages' bits per character, is trained
with three seeds and measured on the test text. Each run is a file in runs/: a finished one is found
again. The outcome ships with the package (`cl.load_results("language")`).
"""

from __future__ import annotations

import json
import platform
import time
from functools import cache
from pathlib import Path
from typing import Any

import torch

import cl_helpers as cl
from cl_helpers.data import text
from cl_helpers.data.text import Part
from cl_helpers.files import replacing
from cl_helpers.lessons.language import L2, merged
from cl_helpers.methods import Method
from cl_helpers.report.results import store_results

HERE = Path(__file__).parent
N_TRAIN, N_TEST = 102_401, 25_601  # characters: 800 and 200 windows
HOW: dict[str, Any] = {
    "learned": 1, "epochs": 1, "batch_size": 4, "schedule": "cosine", "warm_up": 0.1,
    "device": "cpu", "progress": False,
}  # fmt: skip
SEEDS = (0, 1, 2)
MERGES = (0.25, 0.5, 0.75)

# What is tried: by name of the method, its settings.
GRID: dict[str, list[dict[str, Any]]] = {
    "full": [{"lr": lr} for lr in (3e-5, 1e-4, 3e-4, 1e-3)],
    "LoRA": [{"lr": lr} for lr in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)],
    "replay 1 %": [{"lr": lr} for lr in (3e-5, 1e-4, 3e-4, 1e-3)],
    "replay 5 %": [{"lr": lr} for lr in (3e-5, 1e-4, 3e-4, 1e-3)],
    "L2": [{"lr": lr, "lam": lam} for lr in (1e-4, 3e-4, 1e-3, 3e-3) for lam in (0.1, 1.0, 10.0)],
    "EWC": [{"lr": lr, "lam": lam} for lr in (1e-4, 3e-4, 1e-3) for lam in (0.1, 1.0, 10.0, 100.0)],
}


def made(name: str, lam: float = 0.0) -> Method:
    """The method called `name`."""
    return {
        "full": cl.Baseline(),
        "LoRA": cl.LoRA(rank=8),
        "replay 1 %": cl.ER(memory=500, share=0.01),
        "replay 5 %": cl.ER(memory=500, share=0.05),
        "L2": L2(lam=lam),
        "EWC": cl.EWC(lam=lam, n_samples=64),
    }[name]


def measured(model: torch.nn.Module, tasks: list[cl.Task]) -> dict[str, float]:
    """Bits per character in each language."""
    return {t.name: round(cl.evaluation.bits_per_character(model, t), 4) for t in tasks}


@cache
def measured_before(part: Part) -> dict[str, float]:
    """Bits per character of the pretrained model."""
    tasks = [text.text_task(name, n_test=N_TEST, part=part) for name in ("English", "Python")]
    return measured(cl.GPT.pretrained(), tasks)


def trained(name: str, setting: dict[str, Any], seed: int, part: Part) -> dict[str, Any]:
    """One run; what it ended with is read from its file if there is one."""
    said = "-".join(f"{key}{value:g}" for key, value in setting.items())
    file = HERE / "runs" / f"{name}-{said}-seed{seed}-{part}.json".replace(" ", "")
    if file.exists():
        return json.loads(file.read_text())
    english = text.text_task("English", n_test=N_TEST, part=part)
    python = text.text_task("Python", n_train=N_TRAIN, n_test=N_TEST, part=part)
    tasks, model = [english, python], cl.GPT.pretrained()
    before, began = measured_before(part), time.process_time()
    method = made(name, setting.get("lam", 0.0))
    short = [text.text_task(t.name, n_train=len(t.train.characters), n_test=1_281) for t in tasks]
    run = cl.train(method, short, model, lr=setting["lr"], seed=seed, **HOW)
    row = {"method": name, "setting": setting, "seed": seed, "part": part, "before": before}
    row |= {"after": measured(model, tasks), "outcome": run.outcome}
    if name == "full":
        ways = {w: merged(cl.GPT.pretrained(), model, w) for w in MERGES}
        row["merged"] = {w: measured(each, tasks) for w, each in ways.items()}
    row["cpu seconds"] = round(time.process_time() - began, 1)
    file.parent.mkdir(exist_ok=True)
    with replacing(file) as out:
        out.write((json.dumps(row) + "\n").encode())
    print(name, setting, seed, part, row["after"], row["cpu seconds"], flush=True)
    return row


def mean_bits(row: dict[str, Any]) -> float:
    """What settings are judged by; a run that diverged is never chosen."""
    bits = sum(row["after"].values()) / 2
    return bits if bits == bits else float("inf")


def main() -> None:
    torch.set_num_threads(1)
    tried = [trained(name, each, 0, "held out") for name, grid in GRID.items() for each in grid]
    best = {
        name: min((r for r in tried if r["method"] == name), key=mean_bits)["setting"]
        for name in GRID
    }
    final: list[dict[str, Any]] = []
    for seed in SEEDS:
        final += [trained(name, best[name], seed, "test") for name in GRID]
        ship(tried, best, final)


def ship(
    tried: list[dict[str, Any]], best: dict[str, dict[str, Any]], final: list[dict[str, Any]]
) -> None:
    """Write what is finished into the package."""
    content = {
        "command": "make results",
        "made": cl.models.gpt.made(),
        "python": platform.python_version(),
        "texts": {language: text.digest(language) for language in ("English", "Python")},
        "characters": {"train": N_TRAIN - 1, "test": N_TEST - 1},
        "best": best,
        "tried": tried,
        "final": final,
    }
    store_results("language", content)


if __name__ == "__main__":
    main()
