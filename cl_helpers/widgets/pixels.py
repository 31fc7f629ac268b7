"""What the inputs of a first layer have, as an image shows it."""

from __future__ import annotations

import torch
from torch import Tensor

from ..data.tasks import Task


def input_shape(task: Task) -> torch.Size:
    """Return (C, H, W) of the task's images, or the shape of its other inputs."""
    return task.train.batch(torch.zeros(1, dtype=torch.long))[0].shape[1:]


def as_pixels(values: Tensor, task: Task) -> Tensor:
    """Put values of the inputs (C · H · W,) back where the image has its pixels.

    A permuted task shows pixel `order[i]` of the image at place i.

    Returns:
        (H, W) on the CPU: the sum over channels at each pixel.
    """
    channels, *size = input_shape(task)
    each = values.cpu().view(channels, -1).sum(0)
    order = getattr(getattr(task.train, "transform", None), "order", None)
    if order is not None:
        each = torch.empty_like(each).scatter_(0, order.cpu(), each)
    return each.view(size)
