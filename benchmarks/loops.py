"""The loops that are compared: ours, the usual one, Avalanche's, and the bare matrix products."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
import torchvision
from timing import timed
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms

import cl_helpers as cl
from cl_helpers.data.datasets import Dataset, data_folder
from cl_helpers.methods import Quadratic
from cl_helpers.speed.precision import Precision, products, step_products

AVALANCHE = Path(".avalanche/bin/python")  # the environment that `make bench` sets up
BATCH = 128


# --- an epoch ---


def our_epoch(dataset: Dataset, device: torch.device, **settings) -> float:
    tasks = cl.permuted(dataset, 2)[1:]
    run = cl.train(cl.Baseline(), tasks, epochs=1, device=device, progress=False, **settings)
    return run.history[0]["seconds"]


def usual_epoch(n_train: int, workers: int, device: torch.device) -> float:
    """A data set with transforms, a DataLoader and Adam, as tutorials and the homework have it."""
    order = torch.randperm(784, generator=torch.Generator().manual_seed(0))
    normalise = transforms.Normalize((0.1307,), (0.3081,))
    permute = transforms.Lambda(lambda x: x.view(-1)[order].view(1, 28, 28))
    see = transforms.Compose([transforms.ToTensor(), normalise, permute])
    data = torchvision.datasets.MNIST(data_folder(), train=True, transform=see)
    part = torch.utils.data.Subset(data, range(n_train))
    loader = DataLoader(part, batch_size=BATCH, shuffle=True, num_workers=workers)
    model = cl.MLP().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    criterion = nn.CrossEntropyLoss()

    def epoch():
        for x, y in loader:
            optimizer.zero_grad()
            criterion(model(x.to(device)), y.to(device)).backward()
            optimizer.step()

    return timed(epoch)


def products_alone(n_train: int, device: torch.device, precision: Precision = "fast") -> float:
    """The floor: an epoch of nothing but the matrix products that any loop must make."""
    sizes = cl.MLP().sizes

    def drawn(*shape):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(device)

    layers = [(drawn(o, i), drawn(BATCH, i), drawn(BATCH, o)) for i, o in pairwise(sizes)]

    def epoch():
        for _ in range(-(-n_train // BATCH)):
            for n, (w, a, d) in enumerate(layers):
                a @ w.T  # forward
                d.T @ a  # gradient of the weights
                if n:
                    d @ w  # gradient of the layer's input

    with products(precision, device), step_products(precision, device):
        return timed(epoch)


# --- a step: with a penalty and without ---


def second_task(name: str, dataset: Dataset, device: torch.device) -> Callable[[], float]:
    """Seconds a step of the second task, where the penalty pulls; between events 20 steps apart."""

    def measure() -> float:
        method, tasks = cl.METHODS[name](), cl.permuted(dataset, 2)
        events = cl.train_steps(method, tasks, epochs=1, device=device, every=20)
        seconds = [e.run.seconds for e in events if e.kind == "step" and e.task == 1]
        return median(b - a for a, b in pairwise(seconds)) / 20

    return measure


# --- Ω over the whole data set ---


def omega(method: Quadratic, dataset: Dataset, device: torch.device) -> Callable[[], float]:
    task, model = cl.permuted(dataset.to(device), 1)[0], cl.MLP().to(device)

    def measure() -> float:
        with products("fast", device):
            return timed(lambda: method.importance_of(model, task))

    return measure


# --- training from the first task to the last ---


def our_run(name: str, dataset: Dataset, n_tasks: int, epochs: int) -> float:
    """Seconds; give it next to no test images to leave evaluation out."""
    method = cl.METHODS[name]()
    if hasattr(method, "n_samples"):
        method.n_samples = None  # as Avalanche has it
    tasks = cl.permuted(dataset, n_tasks)
    return cl.train(method, tasks, epochs=epochs, device="cpu", progress=False).seconds


def avalanches_run(name: str, n_tasks: int, epochs: int) -> float:
    """Seconds of training, evaluation left out."""
    script = Path(__file__).with_name("avalanche_loop.py")
    arguments = [data_folder(), n_tasks, epochs, BATCH, {"baseline": "naive"}.get(name, name)]
    done = subprocess.run(
        [AVALANCHE, script, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])["seconds"]
