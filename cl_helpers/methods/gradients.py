"""Statistics of per-sample gradients: exact, and the same for every batch size.

EWC and MAS need the mean over samples of (∂s_n/∂θ_i)² or |∂s_n/∂θ_i|, where s_n is a number
computed from the model's logits for sample n. The squared gradient of a batch is another quantity:
there the samples cancel before they are squared.

For a linear layer the exact number costs no more than the gradient of a batch. With inputs a_n and
output gradients δ_n, the gradient of sample n is δ_n a_nᵀ, so |·| and (·)² apply to each factor:

    Σ_n (δ_n a_nᵀ)² = (δ²)ᵀ (a²),        Σ_n |δ_n a_nᵀ| = |δ|ᵀ |a|

This is one matrix product for all samples (Goodfellow 2015, arXiv:1510.01799). Models with other
layers that have weights use `torch.func.vmap` over samples. Each is tried on a few samples first,
against plain autograd, one sample at a time: where they differ or fail, it does all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, filterwarnings

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from tqdm.auto import tqdm

from ..checks import warn
from ..formats import format_duration
from ..models.flat import flatten, unflatten
from ..models.forward import evaluating

if TYPE_CHECKING:
    from ..data.views import DatasetView

# logits (B, K), labels (B,) -> s: (B,), or (B, R) for a sum over R such numbers
Of = Callable[[Tensor, Tensor], Tensor]
SizeOf = Callable[[Tensor], Tensor]  # the square or the absolute value
Sums = dict[str, Tensor]
SumsOf = Callable[[nn.Module, Tensor, Tensor, Of, SizeOf], Sums]
Layers = dict[str, nn.Linear]

_TRIED = 4  # samples that the ways are compared on
_BATCH = 128  # samples that are computed together, to see whether they then act otherwise

# Numbers in the gradients that `vmap` makes at a time: 128 MB, which is fastest on a CPU.
_VMAP_FLOATS = 2**25


def mean_square_grad(model: nn.Module, data: DatasetView, of: Of, batch_size: int = 1000) -> Tensor:
    """Mean over samples of the squared gradients, 1/N Σ_n Σ_r (∂s_nr/∂θ_i)²: EWC's Fisher.

    Args:
        model: it is in eval mode meanwhile.
        data: N samples, such as `task.train`.
        of: logits (B, K), labels (B,) -> s (B,), or (B, R) to sum over R numbers of each sample.
        batch_size: samples at a time. Default 1000; it changes memory and time, not the result.

    Returns:
        (P,), in the order of `cl.flat.flatten(model)`.
    """
    return _mean(model, data, of, torch.square, batch_size)


def mean_abs_grad(model: nn.Module, data: DatasetView, of: Of, batch_size: int = 1000) -> Tensor:
    """Mean over samples of the absolute gradients, 1/N Σ_n Σ_r |∂s_nr/∂θ_i|: MAS's Ω.

    Args and result are those of `mean_square_grad`: `model`, `data`, `of`, `batch_size`.
    """
    return _mean(model, data, of, torch.abs, batch_size)


def _mean(model: nn.Module, data: DatasetView, of: Of, size_of: SizeOf, batch_size: int) -> Tensor:
    flat = flatten(model)
    data = data.to(flat.theta.device)
    total = torch.zeros_like(flat.theta)
    with evaluating(model):
        _warn_if_batches_matter(model, data)
        sums_of = _fastest(model, data, of, size_of)
        for x, y in data.batches(batch_size):
            sums = sums_of(model, x, y, of, size_of)
            total += torch.cat([sums[name].reshape(-1) for name in flat.shapes])
    return total / len(data)


def _warn_if_batches_matter(model: nn.Module, data: DatasetView) -> None:
    """Warn if outputs depend on the other samples of a batch: then no sample has a gradient."""
    x, _ = data.batch(torch.arange(min(_BATCH, len(data)), device=data.device))
    few = torch.linspace(0, len(x) - 1, min(_TRIED, len(x))).long().to(x.device)
    with torch.no_grad(), suppress(Exception):  # a model that cannot take one is tried further on
        together = model(x)[few]
        alone = torch.cat([model(x[n : n + 1]) for n in few])
        if not torch.allclose(together, alone, rtol=1e-2, atol=1e-3 * float(together.abs().max())):
            warn(
                f"{type(model).__name__} gives a sample other outputs in a batch than alone: its Ω "
                "is that of samples alone"
            )


def _fastest(model: nn.Module, data: DatasetView, of: Of, size_of: SizeOf) -> SumsOf:
    """The fastest of three ways that gives what autograd gives, one sample at a time.

    They are compared on a few samples from all over the data. `vmap` refuses models that decide by
    the values of their inputs: for those the closed form would decide for a batch at once. `grad`
    imports `torch._dynamo`, some seconds, so it is left for models without a closed form.
    """
    few = torch.linspace(0, len(data) - 1, min(_TRIED, len(data))).long()
    x, y = data.batch(few.to(data.device))
    try:  # in float64, where rounding is no excuse
        twin = deepcopy(model).double()
        there = x.double() if x.is_floating_point() else x
        way = _compared(twin, there, y, of, size_of, near=1e-6)
    except Exception:  # somebody's model works in float32 alone
        way = _compared(model, x, y, of, size_of, near=1e-3)
    if way is _one_by_one and len(data) > _TRIED:
        began = perf_counter()
        _one_by_one(model, x, y, of, size_of)
        price = format_duration((perf_counter() - began) * len(data) / len(few))
        warn(
            f"{type(model).__name__} is differentiated one example at a time, {len(data):,} times: "
            f"about {price}"
        )
    return way


def _compared(
    model: nn.Module, x: Tensor, y: Tensor, of: Of, size_of: SizeOf, near: float
) -> SumsOf:
    """The fastest way on these samples; `near` is the relative error of a parameter's sums."""
    exact = _one_by_one(model, x, y, of, size_of)

    def is_exact(sums: Sums | None) -> bool:
        # Where the exact ones are not finite, there is nothing to tell apart.
        return sums is not None and all(
            torch.allclose(sums[name], total, 0.0, near * float(total.abs().max()) + 1e-30)
            for name, total in exact.items()
            if total.isfinite().all()
        )

    try:
        with _slow_if_it_must():
            vmap(partial(_scores_of_one, model, of, {}))(x, y)
        if is_exact(_closed_form(model, x, y, of, size_of)):
            return _closed_form_or_one_by_one
        return _per_sample if is_exact(_per_sample(model, x, y, of, size_of)) else _one_by_one
    except (RuntimeError, ValueError):  # what `vmap` says of what it cannot do
        return _one_by_one


def _one_by_one(model: nn.Module, x: Tensor, y: Tensor, of: Of, size_of: SizeOf) -> Sums:
    """Sums over the batch by parameter name, by autograd alone: any model, and slow."""
    flat = flatten(model)
    total = torch.zeros_like(flat.theta)
    alone = zip(x.split(1), y.split(1), strict=True)
    # Without cuDNN, whose recurrent layers have no gradient in eval mode.
    with torch.backends.cudnn.flags(enabled=False):
        for x_n, y_n in tqdm(alone, "Ω", len(x), leave=False, disable=len(x) <= _TRIED):
            scores = of(model(x_n), y_n).reshape(-1).unbind()
            for r, score in enumerate(scores, start=1):
                grads = torch.autograd.grad(
                    score, flat.parameters, retain_graph=r < len(scores), materialize_grads=True
                )
                total += size_of(torch.cat([g.reshape(-1) for g in grads]))
    return unflatten(total, flat.shapes)


def _closed_form_or_one_by_one(
    model: nn.Module, x: Tensor, y: Tensor, of: Of, size_of: SizeOf
) -> Sums:
    sums = _closed_form(model, x, y, of, size_of)
    return _one_by_one(model, x, y, of, size_of) if sums is None else sums


def _linear_layers(model: nn.Module) -> Layers:
    """The linear layers in training, by name; none if a parameter is elsewhere, or in two.

    A subclass of `nn.Linear` is none of them, nor is one with hooks: it may compute something else.
    """
    if type(model).__name__ == "OptimizedModule":  # of torch.compile: its hooks are compiled too
        return {}
    every = [p for p in model.parameters() if p.requires_grad]
    layers = {
        name: module
        for name, module in model.named_modules()
        if _is_plain(module) and any(p.requires_grad for p in module.parameters())
    }
    theirs = [p for m in layers.values() for p in m.parameters() if p.requires_grad]
    return layers if len(theirs) == len(every) and set(theirs) == set(every) else {}


def _is_plain(module: nn.Module) -> bool:
    hooked = any(value for name, value in vars(module).items() if name.endswith("_hooks"))
    return type(module) is nn.Linear and not hooked and "forward" not in vars(module)


class _Uses(TorchFunctionMode):
    """Counts how often parameters act in what autograd will differentiate.

    Args:
        parameters: those to watch.

    Attributes:
        counts: uses by the parameter's id.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]):
        super().__init__()
        self.counts = {id(p): 0 for p in parameters}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = out if isinstance(out, tuple | list) else [out]
        if any(isinstance(v, Tensor) and v.requires_grad for v in made):
            for value in tree_leaves((args, kwargs)):
                if id(value) in self.counts:
                    self.counts[id(value)] += 1
        return out


def _closed_form(model: nn.Module, x: Tensor, y: Tensor, of: Of, size_of: SizeOf) -> Sums | None:
    """Sums over the batch by parameter name.

    None where the formula does not hold: a parameter is not in a linear layer, or see `_watched`.
    """
    layers = _linear_layers(model)
    scores, seen = _watched(model, layers, x, y, of) if layers else (x, None)
    if seen is None:
        return None
    z = [out for _, out in seen.values()]
    size_of_delta = [torch.zeros_like(o) for o in z]
    columns = scores.reshape(len(x), -1).sum(0).unbind()
    for r, column in enumerate(columns):
        deltas = torch.autograd.grad(
            column, z, retain_graph=r + 1 < len(columns), materialize_grads=True
        )
        for layer_total, delta in zip(size_of_delta, deltas, strict=True):
            layer_total.add_(size_of(delta))

    sums = {}
    for (name, layer), d in zip(layers.items(), size_of_delta, strict=True):
        if layer.weight.requires_grad:
            sums[f"{name}.weight".lstrip(".")] = d.T @ size_of(seen[name][0])
        if layer.bias is not None and layer.bias.requires_grad:
            sums[f"{name}.bias".lstrip(".")] = d.sum(0)
    return sums


def _watched(
    model: nn.Module, layers: Layers, x: Tensor, y: Tensor, of: Of
) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]] | None]:
    """The scores of a batch, and by layer its input and output.

    None instead of these if a layer was used twice, a parameter also acts elsewhere, its rows are
    not samples, or its input or output was overwritten in place after the layer had it.
    """
    seen: dict[str, list[tuple[Tensor, Tensor, int, int]]] = {name: [] for name in layers}

    def keep(name: str, _: nn.Module, args: Any, kwargs: Any, out: Tensor) -> None:
        a = args[0] if args else kwargs["input"]
        seen[name].append((a.detach(), out, a._version, out._version))

    hooks = [
        layer.register_forward_hook(partial(keep, name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    uses = _Uses(p for layer in layers.values() for p in layer.parameters())
    try:
        with uses:
            scores = of(model(x), y)
    finally:
        for hook in hooks:
            hook.remove()
    if any(len(calls) != 1 for calls in seen.values()) or max(uses.counts.values()) > 1:
        return scores, None
    for ((a, out, a_version, out_version),) in seen.values():
        rows_are_samples = a.ndim == 2 and len(a) == len(x)
        overwritten = a._version != a_version or out._version != out_version
        if not rows_are_samples or overwritten:
            return scores, None
    return scores, {name: (a, out) for name, ((a, out, _, _),) in seen.items()}


@contextmanager
def _slow_if_it_must() -> Iterator[None]:
    """Where `vmap` has no rule for an operation it is slower, not wrong: it need not say so."""
    with catch_warnings():
        filterwarnings("ignore", "There is a performance drop")
        yield


def _scores_of_one(
    model: nn.Module, of: Of, weights: dict[str, Tensor], x_n: Tensor, y_n: Tensor
) -> Tensor:
    """The numbers s (R,) of one sample; `weights` take the place of the model's of these names."""
    logits = functional_call(model, weights, (x_n[None],))
    return of(logits, y_n[None]).reshape(-1)


@_slow_if_it_must()
def _per_sample(model: nn.Module, x: Tensor, y: Tensor, of: Of, size_of: SizeOf) -> Sums:
    """Sums over the batch by parameter name, many gradients at once by `vmap`."""
    trainable = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    fixed = {n: p.detach() for n, p in model.named_parameters() if not p.requires_grad}
    fixed |= dict(model.named_buffers())

    def score(theta: dict[str, Tensor], x_n: Tensor, y_n: Tensor, r: int) -> Tensor:
        return _scores_of_one(model, of, {**theta, **fixed}, x_n, y_n)[r]

    with torch.no_grad():
        n_scores = of(model(x[:1]), y[:1]).numel()
    sums = {n: torch.zeros_like(p) for n, p in trainable.items()}
    chunk = max(1, _VMAP_FLOATS // sum(p.numel() for p in trainable.values()))
    for x_c, y_c in zip(x.split(chunk), y.split(chunk), strict=True):
        for r in range(n_scores):
            grads = vmap(grad(score), in_dims=(None, 0, 0, None))(trainable, x_c, y_c, r)
            for n, g in grads.items():
                sums[n] += size_of(g).sum(0)
    return sums
