"""Small things with known answers."""

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import cl_helpers as cl
from cl_helpers.data.tasks import Task


@dataclass
class InMemory:
    """DatasetView that are simply there."""

    x: Tensor
    y: Tensor

    def __len__(self):
        return len(self.x)

    @property
    def device(self):
        return self.x.device

    def batch(self, index):
        return self.x[index], self.y[index]

    def batches(self, size):
        return zip(self.x.split(size), self.y.split(size), strict=True)

    def to(self, device):
        return InMemory(self.x.to(device), self.y.to(device))


def random_task(n=50, shape=(6,), n_classes=4, seed=0) -> Task:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, *shape, generator=generator, dtype=torch.float64)
    y = torch.randint(n_classes, (n,), generator=generator)
    return Task("toy", "toy", InMemory(x, y), InMemory(x, y), tuple(range(n_classes)))


def random_(model: nn.Module, seed=1, scale=0.5) -> nn.Module:
    """The model in float64, with weights of a fixed draw."""
    model = model.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return model


def mlp(sizes=(6, 5, 4)) -> nn.Module:
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.utils.skip_init(nn.Linear, a, b), nn.Tanh()]
    return random_(nn.Sequential(*layers[:-1]))


def convnet() -> nn.Module:
    conv = nn.utils.skip_init(nn.Conv2d, 1, 3, 3)
    linear = nn.utils.skip_init(nn.Linear, 3 * 4 * 4, 4)
    return random_(nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear))


def gradient(score: Tensor, model: nn.Module) -> Tensor:
    """(P,) by plain autograd."""
    grads = torch.autograd.grad(score, list(model.parameters()), retain_graph=True)
    return torch.cat([g.reshape(-1) for g in grads])


def one_by_one(model: nn.Module, task: Task, score: Callable, size_of: Callable) -> Tensor:
    """(P,): mean over samples of `size_of` the gradient of `score(logits, y)`."""
    data = task.train
    return torch.stack(
        [
            size_of(gradient(score(model(data.x[n : n + 1])[0], data.y[n]), model))
            for n in range(len(data))
        ]
    ).mean(0)


def full_but(names, *fast):
    """Parameters of which only the `fast` ones are in `make test`."""
    return [n if n in fast else pytest.param(n, marks=pytest.mark.full) for n in names]


# Seconds to wait for what must come, however busy the machine is.
PATIENCE = 600


def stands_still(run) -> bool:
    """Whether the thread of a run that was paused waits to go on, no step under way."""
    frame = sys._current_frames()[run._thread.ident]
    return frame.f_code is threading.Condition.wait.__code__


def wait_until(true: Callable, timeout: float = PATIENCE) -> None:
    end = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def a_run(method="ewc", seed=0, accuracy=((0.9, 0.1), (0.7, 0.8)), lam=100.0):
    run = cl.Run.empty({"method": method, "knobs": {"lam": lam}, "seed": seed}, len(accuracy))
    run.accuracy[:] = accuracy
    run.initial[:] = 0.1
    run.seconds = 12.5
    run.history = [{"task": 0, "epoch": 0, "lam": lam, "accuracy": [0.9], "seconds": 3.0}]
    return run


def a_sweep() -> list:
    """λ of two methods; two seeds of the first value, and a run that was stopped."""
    return [
        a_run("ewc", 0, ((0.9, 0.1), (0.5, 0.9)), 0.0),
        a_run("ewc", 1, ((0.8, 0.1), (0.6, 0.8)), 0.0),
        a_run("ewc", 0, ((0.9, 0.1), (0.8, 0.86)), 10.0),
        a_run("ewc", 0, ((0.9, 0.1), (0.8, 0.864)), 12.0),
        a_run("ewc", 0, ((0.9, 0.1), (0.88, 0.5)), 10_000.0),
        a_run("ewc", 1, ((0.99, 0.99), (np.nan, np.nan)), 5.0),
        a_run("mas", 0, ((0.92, 0.2), (0.86, 0.9)), 0.02),
        a_run("mas", 0, ((0.92, 0.2), (0.9, 0.6)), 1.0),
    ]


def with_knob(knob, value, last_row=(0.7, 0.8), **others):
    """A run of a method of one's own that has that knob."""
    run = a_run("my_own", 0, ((0.9, 0.1), last_row))
    run.config["knobs"] = {knob: value} | others
    run.history[0]["lam"] = run.config["knobs"].get("lam")
    return run


def with_omega(omega, name="ewc", **knobs):
    """A run whose method has that Ω."""
    run = a_run(name)
    run.config["knobs"] |= knobs
    run.method = SimpleNamespace(importance=omega)
    return run


def random_omega(seed, *shapes):
    generator = torch.Generator().manual_seed(seed)
    return {f"{i}.weight": torch.rand(*s, generator=generator) ** 3 for i, s in enumerate(shapes)}


def of_shape(channels, height, width) -> cl.Dataset:
    """Four black images."""
    images = torch.zeros(4, channels, height, width, dtype=torch.uint8)
    one, labels = torch.ones(channels, 1, 1), torch.arange(4) % 2
    return cl.Dataset("noise", images, labels, images, labels, ("a", "b"), one, one)


SCENARIOS = ["task", "domain", "class"]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def two_tasks(scenario, n=40, n_tasks=2) -> list[Task]:
    """Two classes each, in float64; six inputs, two outputs a task at most."""
    tasks = []
    for t in range(n_tasks):
        y = torch.arange(n) % 2 + (0 if scenario == "domain" else 2 * t)
        active = {"task": (2 * t, 2 * t + 1), "domain": (0, 1), "class": tuple(range(2 * t + 2))}
        data = InMemory(normal(n, 6, seed=t), y)
        classes = tuple(y.unique().tolist())
        tasks.append(Task(f"{t}", "toy", data, data, classes, active[scenario], scenario))
    return tasks


def begun(method, scenario, model=None):
    """The method, a model after the first task and a few steps into the second, and that task."""
    first, second = two_tasks(scenario)
    model = mlp() if model is None else model
    method.rng = rng()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for task in (first, second):
        method.begin_task(model, task)
        for step in range(3):
            optimizer.zero_grad()
            method.begin_step(model)
            method.traced_loss(model, *task.train.batch(torch.arange(10) + step)).backward()
            method.after_backward(model)
            optimizer.step()
            method.after_step(model)
        if task is first:
            method.end_task(model, task)
    return method, model, second
