"""What notebook 14 compares: stored runs, differences within a seed, and torchvision's network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.datasets import Dataset, data_folder
from ..data.download import DataError, download
from ..formats import format_setting
from ..models.heads import with_head
from ..report.results import load_results
from ..training.run import Run
from .seeds import difference, mean_sd

FILE = "resnet18-f37072fd.pth"  # torchvision's ResNet18_Weights.IMAGENET1K_V1
URL = f"https://download.pytorch.org/models/{FILE}"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in [0, 1]


def live_table(runs: Mapping[str, Run]) -> pd.DataFrame:
    """Format accuracy and forgetting of `runs`, name -> run, in per cent, and what is stored."""
    rows = {}
    for name, run in runs.items():
        stored = run.costs[-1]["stored"]
        kept = f"{', '.join(stored)} {sum(stored.values()) / 1e6:.2f}" if stored else "–"
        trains = run.costs[-1]["backward"] > 0
        rows[name] = {
            "average accuracy %": f"{100 * run.average_accuracy:.1f}",
            "forgetting": f"{100 * run.forgetting:.1f}",
            "stored, MB": kept,
            "trained": "yes" if trains else "nothing",
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def stored_table() -> pd.DataFrame:
    """Format the stored runs of both streams: average accuracy, mean ± deviation of three seeds.

    Each way of learning has the learning rate that is best for it on held-out images.
    """
    columns = {
        title: {row["name"]: f"{mean_sd(accuracies(row))} {_rate(row)}" for row in _rows(stream)}
        for stream, title in {"mnist": "MNIST", "cifar100": "CIFAR-100"}.items()
    }
    return pd.DataFrame(columns).rename_axis(index="average accuracy %")


def gain(stream: str, name: str, over: str) -> str:
    """Say how far one stored way of learning is above another, and whether that is within seeds.

    Args:
        stream: "mnist", "cifar100" or "replay".
        name, over: of two rows of the stored results.
    """
    found = {row["name"]: accuracies(row) for row in _rows(stream)}
    by = difference(found[name], found[over])
    return f"{name} − {over}: {by.mean:+.1f} ± {by.half:.1f} percentage points, {by.verdict}"


def replay_table() -> pd.DataFrame:
    """Format the stored runs of ER and DER++ on Split MNIST, Class-IL, with equal memories."""
    rows = {}
    for row in _rows("replay"):
        setting = ", ".join(format_setting(k, v) for k, v in row["setting"].items())
        forgetting = [100 * seed["forgetting"] for seed in row["seeds"]]
        rows[row["name"]] = {
            "average accuracy %": mean_sd(accuracies(row)),
            "forgetting": mean_sd(forgetting),
            "stored, MB": f"{sum(row['stored'].values()) / 1e6:.2f}",
            "passes a step": " + ".join(f"{p:.1f}" for p in row["passes"]),
            "setting": setting,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def accuracies(row: Mapping[str, Any]) -> list[float]:
    """Return the average accuracy of each seed of a stored `row`, in per cent."""
    return [100 * seed["average_accuracy"] for seed in row["seeds"]]


def _rows(stream: str) -> list[dict[str, Any]]:
    return load_results("pretrained")[stream]


def _rate(row: Mapping[str, Any]) -> str:
    return f"(lr {row['setting']['lr']:g})" if row["setting"] else ""


class OnImageNet(nn.Module):
    """A ResNet-18 of torchvision, whose features take the normalised images of a data set.

    Args:
        data: the data set, whose normalisation is undone.
        weights: the state_dict of torchvision's file.
        size: pixels to which an image is enlarged. Default 64.
    """

    mean: Tensor
    std: Tensor
    its_mean: Tensor
    its_std: Tensor

    def __init__(self, data: Dataset, weights: Mapping[str, Tensor], size: int = 64):
        super().__init__()
        from torchvision.models import resnet18  # here: two seconds to import

        with torch.random.fork_rng(devices=[]):  # its first weights are replaced
            self.body = resnet18()
        self.body.load_state_dict(weights)
        self.body = with_head(self.body, len(data.class_names))
        self.size = size
        for name, value in {"mean": data.mean, "std": data.std}.items():
            self.register_buffer(name, value.clone())
        for name, of in {"its_mean": MEAN, "its_std": STD}.items():
            self.register_buffer(name, torch.tensor(of).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Compute logits (B, K) of a new last layer."""
        return self.body.fc(self.features(x))

    def features(self, x: Tensor) -> Tensor:
        """Compute the 512 inputs of the last layer for normalised images `x` (B, 1 or 3, H, W)."""
        x = (x * self.std + self.mean).expand(-1, 3, -1, -1)
        x = F.interpolate((x - self.its_mean) / self.its_std, size=self.size, mode="bilinear")
        for name, layer in self.body.named_children():
            x = x if name == "fc" else layer(x)
        return x.flatten(1)


def imagenet(data: Dataset, get: bool = False) -> OnImageNet | None:
    """Make torchvision's ResNet-18 with its weights from ImageNet; None, and a line, without them.

    Args:
        data: what it will look at.
        get: whether to download the file, 45 MB, if it is not there. Default False. Without a
            network that fails within seconds.
    """
    hub = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    there = [path for path in (data_folder() / FILE, hub) if path.exists()]
    if not there and get:
        try:
            download(
                lambda to: torch.hub.download_url_to_file(URL, str(to / FILE), "f37072fd"),
                *([URL], Path(FILE), data_folder() / FILE),
            )
            there = [data_folder() / FILE]
        except DataError as reason:
            print(reason)
    if not there:
        print(f"torchvision's weights are not here ({FILE}), so this part is left out.")
        return None
    return OnImageNet(data, torch.load(there[0], map_location="cpu", weights_only=True))
