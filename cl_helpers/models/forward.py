"""Forward passes in eval mode, with an error that says what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from ..checks import shortened
from ..formats import first_line, format_error, format_tensor


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put `model` into eval mode; afterwards each of its modules is in the mode it was in."""
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def training_mode(model: nn.Module) -> None:
    """Put `model` into training mode, but for modules that somebody has frozen.

    These were put into eval mode inside a model that was in training mode, as one does with the
    running statistics of a pretrained network.
    """
    if not model.training:
        model.train()


_OLD_HOOKS = {f"torch.nn.utils.{name}" for name in ("weight_norm", "spectral_norm", "prune")}


def check_weights(model: nn.Module) -> None:
    """Raise ValueError, in a line, if `model` is none, or cannot be trained or copied."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"model is {shortened(model)}: give an nn.Module, such as cl.MLP()")
    for name, module in model.named_modules():
        where = f"{name}." if name else ""
        for own, value in module._parameters.items():
            if isinstance(value, nn.parameter.UninitializedParameter):
                raise ValueError(
                    f"{where}{own} has no shape yet: run one input through the model first"
                )
        for hook in module._forward_pre_hooks.values():
            if type(hook).__module__ in _OLD_HOOKS:
                own = getattr(hook, "name", None) or getattr(hook, "_tensor_name", "weight")
                raise ValueError(
                    f"{where}{own} is computed by a hook (weight_norm, spectral_norm or pruning of "
                    "the old kind), which cannot be copied: use torch.nn.utils.parametrizations, "
                    "or remove the hook (remove_weight_norm, prune.remove)"
                )
    for name, p in model.named_parameters():
        if p.is_meta or p.is_inference():
            where = "the meta device" if p.is_meta else "torch.inference_mode()"
            raise ValueError(f"{name} was made in {where}, and cannot be trained: make it without")
    check_copy(model)


def check_copy(model: nn.Module) -> None:
    """Raise ValueError, in a line, if `model` cannot be copied."""
    try:
        deepcopy(model)
    except Exception as error:  # of anybody's model
        raise ValueError(
            f"{type(model).__name__} cannot be copied ({format_error(error)}): do not keep what a "
            "forward pass computes in its attributes, or keep it detached"
        ) from error


def check_forward(model: nn.Module, x: Tensor, whose: str) -> Tensor:
    """Compute the logits (B, …) of a few inputs, in eval mode, to see that it works.

    Args:
        model: the network.
        x: (B, …) the inputs.
        whose: where they come from, for the message.

    Raises:
        ValueError: the model cannot compute them, or gives something other than logits.
    """
    name = type(model).__name__
    try:
        with evaluating(model), torch.enable_grad():
            z = model(x)
    except Exception as error:  # of anybody's model
        raise ValueError(
            f"{name} does not take the images of {whose}, {x.dtype} of shape "
            f"{(1, *x.shape[1:])}, and says: {first_line(error)}"
            f"{_cure(model, x)}"
        ) from error
    if not isinstance(z, Tensor) or z.shape[:1] != x.shape[:1]:
        given = format_tensor(z) if isinstance(z, Tensor) else f"a {type(z).__name__}"
        raise ValueError(
            f"{name} returns {given} for {len(x)} inputs: return logits alone, a tensor with a row "
            "for each input"
        )
    if not z.is_floating_point():
        raise ValueError(f"{name} returns {format_tensor(z)}: return logits, as floats")
    if not z.requires_grad and any(p.requires_grad for p in model.parameters()):
        raise ValueError(
            f"the outputs of {name} do not depend on its weights for autograd: leave out detach, "
            ".data, no_grad and NumPy in its forward"
        )
    return z.detach()


def _cure(model: nn.Module, x: Tensor) -> str:
    """What may help if the types of inputs and weights are not the same."""
    kinds = {p.dtype for p in model.parameters() if p.is_floating_point()}
    if x.dtype in kinds or not kinds:
        return ""
    if x.is_floating_point():
        return "; give the model as model.float()"
    return "; if these are no indices, give the inputs as floats"
