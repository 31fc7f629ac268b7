"""DGR: old inputs are replayed from a generator, with the old network's predictions as labels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import above_zero, at_least_one
from ..data.tasks import Task, masked
from ..models.optimizers import Adam
from ..models.small import VAE
from .old_outputs import Teacher, frozen, weights_of


@dataclass(eq=False)
class DGR(Teacher):
    """Deep Generative Replay: rehearse inputs that a generator draws; store no data.

        L(θ) = 1/t · L(x, y) + (1 − 1/t) · L(x̂, ŷ),        t tasks so far, this one included

    x̂ are inputs drawn from a generator of the earlier tasks' inputs, as many as the batch has. ŷ
    are the labels that the network gave them before it began to learn this task. The generator (a
    `cl.VAE`) is trained beside the network, on the same mixture of new inputs and of those that its
    own older copy draws.

    Args:
        hidden: units of each of the generator's two hidden layers. Default 400.
        latent: length of the generator's code. Default 100.
        lr: learning rate of the generator, trained with Adam. Default 0.001.

    Raises:
        ValueError: `hidden` or `latent` is not a whole number, 1 or more, or `lr` is not above 0.

    Shin et al. 2017, arXiv:1705.08690, sect. 3.

    Departs from the paper: the generator is a variational autoencoder, theirs a generative
    adversarial network. The weights 1/t and 1 − 1/t are one choice of the paper's ratio r.
    """

    name = "dgr"
    label = "DGR"
    recordable = False
    mixes_tasks = True
    kept = Teacher.kept | {"dreams": "generator"}
    made_of_steps = True

    hidden: int = 400
    latent: int = 100
    lr: float = 1e-3

    def __post_init__(self) -> None:
        for knob in ("hidden", "latent"):
            at_least_one(knob, getattr(self, knob))
        above_zero("lr", self.lr)

    def check_task(self, task: Task) -> None:
        super().check_task(task)
        x, _ = task.train.batch(torch.arange(1, device=task.train.device))
        if not x.is_floating_point():
            raise ValueError(f"DGR draws numbers, but the inputs of {task.name} are {x.dtype}")

    def begin_task(self, model: nn.Module, task: Task) -> None:
        super().begin_task(model, task)
        x = task.train.batch(torch.arange(1))[0].to(next(model.parameters()))
        self.generator = VAE(x.shape[1:], self.hidden, self.latent, rng=self.rng).to(x)
        if self.competed:
            self.generator.load_state_dict(self.dreams)
            self.old_generator = frozen(self.generator, self.dreams)
        self.generator.fit_range(task.train, wider=bool(self.competed))
        self.optimizer = Adam(self.generator.parameters(), lr=self.lr, fused=True)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        loss = self.task_loss(model, x, y)
        self.batch = [x]
        if not self.competed:
            return loss
        x_old = self.old_generator.sample(len(x), self.rng).to(x)  # autocast may have rounded it
        self.batch.append(x_old)
        z, z_old = model(x_old), self.teacher(x_old)
        replayed = [
            F.cross_entropy(masked(z, self.competing(head)), masked(z_old, head).argmax(1))
            for head in self.heads
        ]
        return self.mixed(loss, torch.stack(replayed).mean())

    def after_step(self, model: nn.Module) -> None:
        self.optimizer.zero_grad()
        self.mixed(*(self.generator.loss(x, self.rng) for x in self.batch)).backward()
        self.optimizer.step()

    def mixed(self, new: Tensor, old: Tensor | None = None) -> Tensor:
        """Weigh two losses, 1/t · new + (1 − 1/t) · old; in the first task there is only `new`."""
        t = len(self.competed) + 1
        return new if old is None else new / t + (1 - 1 / t) * old

    def end_task(self, model: nn.Module, task: Task) -> None:
        super().end_task(model, task)
        self.dreams = weights_of(self.generator)
