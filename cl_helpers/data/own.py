"""One's own data as a data set: arrays, tensors, or anything that PyTorch can read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import warn
from ..formats import format_error, format_tensor

Pair = tuple[Any, Any]  # inputs and labels


def checked(half: str, inputs: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Turn inputs and labels of anybody's into tensors that a data set takes.

    Args:
        half: "train" or "test", for the messages.
        inputs: (N, …): bytes (N, H, W) or (N, C, H, W) from 0 to 255, or finite floats or whole
            numbers of any shape.
        labels: (N,) whole numbers of any type, 0 or larger.

    Returns:
        Inputs, with a channel if they were bytes without one and float32 if they were floats, and
        labels (N,) long.

    Raises:
        ValueError: they are something else, or images with their channels last.
    """
    x, y = _tensor(f"{half} inputs", inputs), _tensor(f"{half} labels", labels)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.is_floating_point() or y.is_complex() or y.ndim != 1 or len(y) != len(x) or not len(y):
        raise ValueError(
            f"the {half} labels are {format_tensor(y)}: give {len(x):,} whole numbers, one an input"
        )
    if x.ndim < 2:
        raise ValueError(f"the {half} inputs are {format_tensor(x)}: give (N, …), a row an example")
    y = y.long()
    if y.min() < 0:
        raise ValueError(f"the {half} labels hold {int(y.min())}: choose 0, 1, …")
    return _inputs(half, x), y


def _inputs(half: str, x: Tensor) -> Tensor:
    """Inputs as a data set takes them: images as bytes, float32, or long."""
    if x.ndim == 4 and x.shape[3] <= 4 < min(x.shape[1:3]):
        _, n_channels, height, width = x.shape
        if x.dtype == torch.uint8 or n_channels == height or width > 2:
            raise ValueError(
                f"the {half} images are {format_tensor(x)}: give the channels before height and "
                "width"
            )
        if half == "train":  # may be series, a column each
            warn(
                f"the inputs are {format_tensor(x)}, taken for {n_channels} channels of height "
                f"{height} and width {width}: if these are images, give the channels before height "
                "and width"
            )
    if x.is_floating_point():
        x = x.float()
        if not x.isfinite().all():
            first = int((~x.flatten(1).isfinite()).any(1).int().argmax())
            raise ValueError(f"the {half} input {first} holds NaN or ∞: give finite numbers")
    elif x.dtype == torch.uint8 and x.ndim == 3:
        x = x[:, None]
    elif x.dtype != torch.uint8:
        x = x.long()
    if x.dtype == torch.uint8 and x.ndim != 4:
        raise ValueError(
            f"the {half} inputs are {format_tensor(x)}: give bytes as images, (N, H, W) or "
            "(N, C, H, W), and vectors as floats"
        )
    return x.contiguous()


def _tensor(what: str, values: Any) -> Tensor:
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"the {what} have masked entries: fill them first (.filled)")
    try:
        tensor = values if isinstance(values, Tensor) else torch.as_tensor(np.array(values))
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"the {what} are no numbers ({format_error(error)})") from None
    if tensor.is_complex() or tensor.is_sparse:
        raise ValueError(f"the {what} are {format_tensor(tensor)}: give dense real numbers")
    # What happens to theirs afterwards is not ours; what was made of other values is a copy.
    return tensor.detach().cpu().clone() if tensor is values else tensor


def read(half: str, data: Any) -> Pair:
    """Read all pairs of an input and a label from a PyTorch `Dataset`, or take a pair of arrays.

    Args:
        half: "train" or "test", for the messages.
        data: a `TensorDataset`, any other `torch.utils.data.Dataset` with a length, whose items are
            pairs (tensor, array or PIL image; label), or the pair (inputs, labels). Of a class of
            one's own the items are read, whatever it derives from.

    Raises:
        ValueError: it is none of these, or the inputs differ in shape.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    if type(data) is torch.utils.data.TensorDataset and len(data.tensors) == 2:
        return data.tensors
    if hasattr(data, "to_numpy"):
        raise ValueError(
            f"the {half} data are a {type(data).__name__}: give (inputs.to_numpy(), "
            "labels.to_numpy())"
        )
    if not hasattr(data, "__len__") or not hasattr(data, "__getitem__"):
        raise ValueError(
            f"the {half} data are a {type(data).__name__}, which has no length or no items: give a "
            "PyTorch Dataset of pairs, or (inputs, labels)"
        )
    inputs: list[Tensor] = []
    labels: list[Any] = []
    for i in range(len(data)):
        item = data[i]
        if not isinstance(item, Sequence) or len(item) != 2:
            raise ValueError(
                f"item {i} of the {half} data is a {type(item).__name__}: give pairs (input, label)"
            )
        x, y = item
        inputs.append(_one(x))
        labels.append(np.asarray(y))
        if inputs[i].shape != inputs[0].shape:
            raise ValueError(
                f"inputs {i} and 0 of the {half} data have shapes {tuple(inputs[i].shape)} and "
                f"{tuple(inputs[0].shape)}: give all the same, such as by a transform"
            )
    return torch.stack(inputs) if inputs else torch.empty(0, 1), labels


def _one(x: Any) -> Tensor:
    """An input; of a PIL image the bytes, channels first, and not the places in a palette."""
    if isinstance(x, Tensor):
        return x
    if not hasattr(x, "getbands"):
        return torch.as_tensor(np.asarray(x))
    if x.mode in ("P", "PA", "1"):
        x = x.convert("L" if x.mode == "1" else "RGB")
    array = np.array(x)
    return torch.as_tensor(array.transpose(2, 0, 1).copy() if array.ndim == 3 else array)
