"""Views of a data set: which rows, and through which permutation or rotation. No copies.

The transform is applied to each batch when it is needed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from ..formats import format_tensor

if TYPE_CHECKING:
    from .datasets import Dataset


@dataclass(frozen=True, eq=False)
class Permute:
    """Reorder the pixels of each image: pixel i of the result is pixel `order[i]` of the image.

    Args:
        order: (H · W,) long, a permutation, the same for all images and channels; of vectors or
            sequences (N, F) one of their F numbers.
    """

    order: Tensor

    def __call__(self, images: Tensor) -> Tensor:
        pixels = images.flatten(2) if images.ndim > 2 else images[:, None]
        pixels = pixels.float() if pixels.dtype == torch.uint8 else pixels  # are moved faster
        return pixels.index_select(2, self.order).view(images.shape)

    def to(self, device: torch.device) -> Permute:
        """Return the permutation with its order on `device`."""
        return Permute(self.order.to(device))


@dataclass(frozen=True)
class Rotate:
    """Turn each image counter-clockwise by `degrees`; the corners are filled with black."""

    degrees: float

    def __call__(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.dtype == torch.long:
            raise ValueError(f"only images (N, C, H, W) can be turned: {format_tensor(images)}")
        grid = _grid(self.degrees, *images.shape[-2:], images.device)
        grids = grid.expand(len(images), -1, -1, -1)
        turned = F.grid_sample(images.float(), grids, align_corners=False)
        return turned.round_() if images.dtype == torch.uint8 else turned

    def to(self, device: torch.device) -> Rotate:
        """Return the rotation itself, which has no tensors to move."""
        return self


@cache
def _grid(degrees: float, height: int, width: int, device: torch.device) -> Tensor:
    """(1, H, W, 2): where each pixel of a turned image comes from, in units of half its size.

    It is cached; torchvision's `rotate` makes it anew for every batch, and on the host.
    """
    turn, ratio = math.radians(degrees), height / width
    cos, sin = math.cos(turn), math.sin(turn)
    there = torch.tensor([[[cos, -sin * ratio, 0.0], [sin / ratio, cos, 0.0]]])
    return F.affine_grid(there, [1, 1, height, width], align_corners=False).to(device)


class DatasetView(Protocol):
    """The data of a task as training needs them: their number, and the examples at positions."""

    def __len__(self) -> int: ...

    @property
    def device(self) -> torch.device:
        """Device of the examples."""
        ...

    @property
    def x(self) -> Tensor:
        """All inputs as the model sees them, (N, …)."""
        ...

    @property
    def y(self) -> Tensor:
        """All targets as the model sees them, (N, …)."""
        ...

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (B, …) and targets (B, …) at the positions `index` (B,) long.

        For images these are (B, C, H, W) float and labels (B,) long.
        """
        ...

    def batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Iterate over all examples in order, `size` at a time; the last batch may be smaller."""
        for index in torch.arange(len(self), device=self.device).split(size):
            yield self.batch(index)

    def to(self, device: torch.device) -> DatasetView:
        """Return a view of the same examples on `device`."""
        ...


@dataclass(frozen=True, eq=False)
class SplitView(DatasetView):
    """The training or the test half of a task, as the model sees it.

    Args:
        dataset: has the images; shared by all tasks.
        half: "train" or "test".
        rows: (N,) long, the rows of that half that belong to the task. None, the default, is all.
        transform: applied to the raw bytes, before they are normalised. None is none.
        relabel: (n_classes,) long, the target for each label of the data set. None is the label.
    """

    dataset: Dataset
    half: Literal["train", "test"]
    rows: Tensor | None = None
    transform: Permute | Rotate | None = None
    relabel: Tensor | None = None

    def __len__(self) -> int:
        return len(self.dataset.labels(self.half) if self.rows is None else self.rows)

    @property
    def device(self) -> torch.device:
        return self.dataset.device

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index.to(self.device)
        rows = index if self.rows is None else self.rows[index]
        images = self.dataset.images(self.half).index_select(0, rows)
        labels = self.dataset.labels(self.half).index_select(0, rows)
        if self.transform is not None:
            images = self.transform(images)
        if self.relabel is not None:
            labels = self.relabel[labels]
        return self.dataset.normalise(images), labels

    @property
    def x(self) -> Tensor:
        """All images as the model sees them, (N, C, H, W) float: computed on demand, not stored."""
        return self.batch(torch.arange(len(self)))[0]

    @property
    def y(self) -> Tensor:
        """All labels as the model sees them, (N,) long."""
        labels = self.dataset.labels(self.half)
        labels = labels if self.rows is None else labels[self.rows]
        return labels if self.relabel is None else self.relabel[labels]

    def only(self, positions: Tensor) -> SplitView:
        """Return a view of the examples at `positions` (M,) of this one."""
        return replace(self, rows=positions if self.rows is None else self.rows[positions])

    def to(self, device: torch.device) -> SplitView:
        def move(part: Any) -> Any:
            return part.to(device) if hasattr(part, "to") else part

        return replace(
            self,
            dataset=self.dataset.to(device),
            rows=move(self.rows),
            transform=move(self.transform),
            relabel=move(self.relabel),
        )


@dataclass(frozen=True, eq=False)
class PartialView(DatasetView):
    """Some of the examples of a view, of anybody's class.

    Args:
        of: the view.
        positions: (M,) long, the positions in it of the examples that belong to this one.
    """

    of: DatasetView
    positions: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def device(self) -> torch.device:
        return self.of.device

    @property
    def x(self) -> Tensor:
        return self.of.batch(self.positions)[0]

    @property
    def y(self) -> Tensor:
        return self.of.batch(self.positions)[1]

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        return self.of.batch(self.positions[index.to(self.positions.device)])

    def to(self, device: torch.device) -> PartialView:
        return PartialView(self.of.to(device), self.positions.to(device))


@dataclass(frozen=True)
class JoinedView(DatasetView):
    """Several views read as one, one after the other.

    Args:
        splits: the views; position 0 of the second follows the last position of the first.
    """

    splits: tuple[DatasetView, ...]

    def __len__(self) -> int:
        return sum(len(s) for s in self.splits)

    @property
    def device(self) -> torch.device:
        return self.splits[0].device

    def batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        index = index.to(self.device)
        # On the CPU each view reads its own examples only. On a GPU their number would have to be
        # waited for: there every view reads all positions, and only its own are used.
        ask = self._everywhere if index.is_cuda else self._where_it_is
        return ask(index)

    def _where_it_is(self, index: Tensor) -> tuple[Tensor, Tensor]:
        xs, ys, where = [], [], []
        for start, split in zip(self.starts, self.splits, strict=True):
            here = ((index >= start) & (index < start + len(split))).nonzero().squeeze(1)
            x, y = split.batch(index[here] - start)
            xs.append(x)
            ys.append(y)
            where.append(here)
        back = torch.cat(where).argsort()
        return torch.cat(xs)[back], torch.cat(ys)[back]

    def _everywhere(self, index: Tensor) -> tuple[Tensor, Tensor]:
        x, y = self.splits[0].batch(index.clamp(max=len(self.splits[0]) - 1))
        for start, split in zip(self.starts[1:], self.splits[1:], strict=True):
            x_here, y_here = split.batch((index - start).clamp(0, len(split) - 1))
            here = index >= start
            x, y = (
                torch.where(here.view(-1, *[1] * (old.ndim - 1)), new, old)
                for new, old in ((x_here, x), (y_here, y))
            )
        return x, y

    @property
    def starts(self) -> list[int]:
        """Position of the first example of each view."""
        return list(accumulate((len(s) for s in self.splits[:-1]), initial=0))

    def to(self, device: torch.device) -> JoinedView:
        return JoinedView(tuple(s.to(device) for s in self.splits))

    @property
    def x(self) -> Tensor:
        return torch.cat([s.x for s in self.splits])

    @property
    def y(self) -> Tensor:
        return torch.cat([s.y for s in self.splits])


def is_finite(view: DatasetView) -> bool:
    """Whether all inputs of `view` are finite numbers."""
    return all(bool(x.isfinite().all()) for x, _ in view.batches(1000))
