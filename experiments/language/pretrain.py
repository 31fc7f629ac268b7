"""The weights that `GPT.pretrained()` loads: a small GPT that has learned English.

    python experiments/language/pretrain.py

2.7 million characters, about three minutes of one core. It writes the weights in float16, with how
they were made and what they reach on text that they were not trained on.
"""

from __future__ import annotations

import platform
import time
from functools import partial

import torch

import cl_helpers as cl
from cl_helpers.data import text
from cl_helpers.files import replacing
from cl_helpers.models import gpt
from cl_helpers.training.evaluation import bits_per_character

HOW = {"epochs": 4, "batch_size": 4, "lr": 2e-3, "schedule": "cosine", "warm_up": 0.05, "seed": 0}
ADAMW = partial(torch.optim.AdamW, betas=(0.9, 0.99), weight_decay=0.1, fused=True)


def main() -> None:
    task = text.text_task("English", part="held out")
    model, began = gpt.GPT(), time.process_time()
    how = HOW | {"optimizer": ADAMW, "device": "cpu"}
    for event in cl.train_steps(cl.Baseline(), [task], model, every=100, **how):
        loss = "" if event.loss is None else f"{float(event.loss):.3f} nats"
        print(event.kind, event.step, event.n_steps, loss, flush=True)
    made = {
        "command": "python experiments/language/pretrain.py",
        "python": platform.python_version(),
        "text": text.digest("English"),
        "characters": HOW["epochs"] * len(task.train) * task.train.length,
        "cpu seconds": round(time.process_time() - began),
        "settings": HOW | {"optimizer": "AdamW", **ADAMW.keywords},
    }
    for part in ("held out", "test"):
        bits = bits_per_character(model, text.text_task("English", part=part))
        made[f"bits per character, {part}"] = round(bits, 4)
    weights = {name: value.half() for name, value in model.state_dict().items()}
    with replacing(gpt.WEIGHTS) as file:
        torch.save({"weights": weights, "made": made}, file)
    print(made)


if __name__ == "__main__":
    main()
