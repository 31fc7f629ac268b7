"""The sharpness of a minimum, and how much forgetting it allows.

The Hessian H = ∇²L(w) of a task's mean loss has P² entries and is never stored. Only products H v
are computed: H v is the gradient of gᵀv by w (Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147), at
the price of about two gradients. Such products give the largest eigenvalues (Lanczos, SciPy's
`eigsh`), the trace (Hutchinson 1989, doi:10.1080/03610918908812806) and the effect of a step δ:

    Forg₁ = L₁(θ₂) − L₁(θ₁) ≈ g₁ᵀδ + ½ δᵀH₁δ,   δᵀH₁δ ≤ μ_max ‖δ‖²,   δ = θ₂ − θ₁

(Mirzadeh et al. 2020, arXiv:2006.06958, who assume that θ₁ is a minimum: g₁ = 0). Everything is
computed in eval mode, without dropout, with the running statistics that the model has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from ..checks import at_least_one, seeded
from ..data.tasks import Task
from ..models.flat import flatten, unflatten
from ..models.forward import check_forward, evaluating
from ..speed.precision import products


class Loss:
    """L(w), the mean loss of some examples as a function of the weights alone, in nats.

    `loss(w)` is L at w (P,); `loss.gradient(w)` and `loss.hessian(w)` are its derivatives.

    Args:
        model: its layers are used; its weights stay as they are.
        x, y: (N, …) inputs as the model sees them and (N,) labels, such as
            `task.train.batch(torch.arange(N))`.
        task: its loss is taken, among the outputs that compete in it. None, the default, is the
            cross-entropy of all outputs.
        batch_size: examples at a time. Up to that number of examples a Hessian keeps its graph,
            which makes each product twice as fast. Default 10,000.

    Raises:
        ValueError: the model cannot compute these inputs, or has no output for a label.
    """

    def __init__(
        self,
        model: nn.Module,
        x: Tensor,
        y: Tensor,
        task: Task | None = None,
        batch_size: int = 10_000,
    ):
        if not 0 < len(x) == len(y):
            raise ValueError(
                f"there are {len(x)} images and {len(y)} labels: give as many of both, one or more"
            )
        at_least_one("batch_size", batch_size)
        self.model, self.task, self.n = model, task, len(x)
        flat = flatten(model)
        device, self.shapes, self.n_weights = flat.theta.device, flat.shapes, len(flat.theta)
        z = check_forward(model, x[:1].to(device), "this loss")
        if task is None or task.classifies:
            _check_labels(y, z, task)
        self.batches = list(
            zip(x.to(device).split(batch_size), y.to(device).split(batch_size), strict=True)
        )

    def __call__(self, w: Tensor) -> float:
        """Compute L at `w` (P,), in nats."""
        with self._at_work(), torch.no_grad():
            return float(sum(self._losses(w)))

    def gradient(self, w: Tensor) -> Tensor:
        """Compute the gradient g = ∇L at `w` (P,): (P,)."""
        w, total = w.detach().clone().requires_grad_(), torch.zeros_like(w)
        with self._at_work():
            for loss in self._losses(w):
                total += torch.autograd.grad(loss, w)[0]
        return total

    def hessian(self, w: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the function v ↦ H v, both (P,), with the Hessian H = ∇²L at `w` (P,).

        Pearlmutter 1994, doi:10.1162/neco.1994.6.1.147.
        """
        w = w.detach().clone().requires_grad_()

        def gradients() -> Iterator[Tensor]:
            for loss in self._losses(w):
                yield torch.autograd.grad(loss, w, create_graph=True)[0]

        with self._at_work():
            kept = list(gradients()) if len(self.batches) == 1 else None

        def product(v: Tensor) -> Tensor:
            total = torch.zeros_like(w, requires_grad=False)
            with self._at_work():
                for g in kept or gradients():
                    total += torch.autograd.grad(g, w, v, retain_graph=kept is not None)[0]
            return total

        return product

    def _losses(self, w: Tensor) -> Iterator[Tensor]:
        """Each batch's part of L(w)."""
        if w.shape != (self.n_weights,):
            raise ValueError(f"w is {tuple(w.shape)}: the model has {self.n_weights} weights")
        parameters = unflatten(w, self.shapes)
        for x, y in self.batches:
            z = functional_call(self.model, parameters, (x,))
            mean = F.cross_entropy(z, y) if self.task is None else self.task.loss(z, y)
            yield mean * len(x) / self.n

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """In eval mode, and in float32: TF32's ten bits would be the error of the eigenvalues."""
        device = self.batches[0][0].device
        precision = products("full" if device.type == "cuda" else "fast", device)
        with evaluating(self.model), precision, torch.enable_grad():
            yield


def _check_labels(y: Tensor, logits: Tensor, task: Task | None) -> None:
    """Raise ValueError unless an output competes for each label in `y`."""
    zeros = torch.zeros_like(logits[0])
    competing = (zeros if task is None else task.mask(zeros)).tolist()
    for label in y.unique().tolist():
        if not 0 <= label < len(competing) or competing[label] < 0:
            raise ValueError(
                f"there is an image of class {label}, but no output of the model competes for it: "
                "give the task that the examples are of, and a model with an output a class"
            )


def weights(model: nn.Module) -> Tensor:
    """Copy all trainable parameters of `model` into a vector w (P,)."""
    return flatten(model).theta.clone()


def top_eigenvalues(
    model: nn.Module, x: Tensor, y: Tensor, k: int = 1, *, task: Task | None = None
) -> NDArray:
    """Compute the k largest eigenvalues of the Hessian at the model's weights, largest first.

    Args:
        model, x, y, task: as in `Loss`.
        k: how many, 1 to P − 1. Default 1.

    Returns:
        (k,), in nats per unit of w².

    Raises:
        ValueError: k is out of range, or training has diverged; or as `Loss`.
    """
    return largest(Loss(model, x, y, task), weights(model), k)


def trace(loss: Loss, w: Tensor, n_vectors: int = 30, seed: int = 0) -> tuple[float, float]:
    """Estimate the trace of ∇²L(w) as the mean of vᵀHv over random vectors v of ±1.

    The estimate is unbiased for every H. Hutchinson 1989, doi:10.1080/03610918908812806.

    Args:
        loss: L.
        w: (P,) where.
        n_vectors: how many vectors. Default 30.
        seed: of the vectors. Default 0.

    Returns:
        The estimate and its standard error (NaN for a single vector), in nats per unit of w².
    """
    at_least_one("n_vectors", n_vectors)
    product = loss.hessian(w)
    generator = seeded(seed)
    samples = []
    for _ in range(n_vectors):
        v = (2 * torch.randint(2, w.shape, generator=generator) - 1).to(w)
        samples.append(float(v @ product(v)))
    error = np.std(samples, ddof=1) / math.sqrt(n_vectors) if n_vectors > 1 else math.nan
    return float(np.mean(samples)), float(error)


@dataclass(frozen=True)
class Bound:
    """What moving the weights from θ₁ to θ₂ did to the first task's loss, and what bounds it.

    Attributes:
        forgetting: Forg₁ = L₁(θ₂) − L₁(θ₁), as measured, in nats.
        slope: g₁ᵀδ, in nats; 0 where θ₁ is a minimum.
        quadratic: ½ δᵀH₁δ, in nats.
        sharpness: μ_max, the largest eigenvalue of H₁.
        distance: ‖δ‖.
    """

    forgetting: float
    slope: float
    quadratic: float
    sharpness: float
    distance: float

    @property
    def bound(self) -> float:
        """Upper bound ½ μ_max ‖δ‖² of the quadratic term, in nats."""
        return self.sharpness * self.distance**2 / 2

    @property
    def second_order(self) -> float:
        """Taylor approximation of Forg₁ to the second order, g₁ᵀδ + ½ δᵀH₁δ, in nats."""
        return self.slope + self.quadratic


def bound(
    model: nn.Module,
    before: Tensor,
    after: Tensor,
    x: Tensor,
    y: Tensor,
    task: Task | None = None,
    sharpness: float | None = None,
) -> Bound:
    """Compute Forg₁, its Taylor approximation and the bound, all on the same examples.

    Args:
        model, x, y, task: as in `Loss`; the examples are training data of the first task.
        before, after: θ₁ and θ₂, (P,) each: `weights` after the first task and after a later one.
        sharpness: μ_max at θ₁, if it is known already. None, the default, computes it.

    Raises:
        ValueError: as `Loss` and `largest`.

    Mirzadeh et al. 2020, arXiv:2006.06958, sect. 3.
    """
    loss = Loss(model, x, y, task)
    forgetting = loss(after) - loss(before)
    product, step = loss.hessian(before), after - before
    return Bound(
        forgetting=forgetting,
        slope=float(loss.gradient(before) @ step),
        quadratic=float(step @ product(step)) / 2,
        sharpness=float(largest(loss, before)[0]) if sharpness is None else sharpness,
        distance=float(step.norm()),
    )


def largest(loss: Loss, w: Tensor, k: int = 1) -> NDArray:
    """Compute the k largest eigenvalues of ∇²L(w), (k,), largest first, by Lanczos' method.

    Args:
        loss: L.
        w: (P,) where.
        k: how many, 1 to P − 1. Default 1.

    Raises:
        ValueError: k is out of range, or L(w) is not finite.
    """
    from scipy.sparse.linalg import LinearOperator, eigsh  # takes long to import

    at_least_one("k", k)
    if k >= len(w):
        raise ValueError(f"k is {k}: choose fewer than the {len(w)} weights of the model")
    if not math.isfinite(value := loss(w)):
        raise ValueError(f"the loss is {value}: training diverged, lower the learning rate")
    product = loss.hessian(w)
    dtype = torch.empty(0, dtype=w.dtype).numpy().dtype

    def multiply(v: NDArray) -> NDArray:
        return product(torch.from_numpy(v.astype(dtype).ravel()).to(w)).cpu().numpy()

    operator = LinearOperator((len(w), len(w)), matvec=multiply, dtype=dtype)
    start = np.random.default_rng(0).standard_normal(len(w)).astype(dtype)
    if not multiply(start).any():  # H is 0: the loss is flat, and ARPACK gives up
        return np.zeros(k, dtype)
    ncv = min(len(w), 2 * k + 10)
    found = eigsh(operator, k, which="LA", v0=start, ncv=ncv, tol=1e-4, return_eigenvectors=False)
    return np.sort(found)[::-1].copy()  # torch takes no negative strides


def along(loss: Loss, a: Tensor, b: Tensor, t: Sequence[float] | NDArray) -> NDArray:
    """Compute L on the line from a to b, at a + t (b − a): (len(t),), in nats.

    Args:
        loss: L.
        a, b: (P,) each.
        t: where on the line; 0 is `a`, 1 is `b`.
    """
    return np.array([loss(a + float(s) * (b - a)) for s in t])


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane through three points, such as θ₁*, θ₂* and the joint solution.

    Attributes:
        origin: (P,) the first point.
        axes: (2, P), orthonormal; the first points to the second point.
    """

    origin: Tensor
    axes: Tensor

    @classmethod
    def through(cls, a: Tensor, b: Tensor, c: Tensor) -> Plane:
        """Make the plane through three points `a`, `b` and `c`, (P,) each.

        Raises:
            ValueError: the three lie on a line.
        """
        q, r = torch.linalg.qr(torch.stack([b - a, c - a], 1).double())
        size = r.diagonal()
        if not size.abs().min() > 1e-6 * size.abs().max():
            raise ValueError("the three points lie on a line: choose others")
        return cls(a, (q * size.sign()).T.to(a))

    def coordinates(self, w: Tensor) -> NDArray:
        """Compute the coordinates (2,) of the point of the plane that is nearest to `w` (P,)."""
        return (self.axes @ (w - self.origin)).cpu().numpy()

    def losses(self, loss: Loss, x: NDArray, y: NDArray) -> NDArray:
        """Compute L at the coordinates `x` and `y` of the plane: (len(y), len(x)), in nats.

        `loss` is L.
        """
        rows = [self.origin + float(v) * self.axes[1] for v in y]
        return np.array([[loss(row + float(u) * self.axes[0]) for u in x] for row in rows])
