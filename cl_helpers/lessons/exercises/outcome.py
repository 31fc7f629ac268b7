"""The value of a function, read as numbers from any container."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Numbers:
    """The numbers that a function returned, whether as tensors, arrays, lists or dicts.

    Attributes:
        values: (M,) all numbers, in float64.
        shape: of the value; None where it has tensors of several shapes.
        eps: machine epsilon of its coarsest dtype; 0 if there are no numbers.
    """

    values: Tensor
    shape: torch.Size | None
    eps: float

    @classmethod
    def of(cls, outcome: Any, names: Sequence[str] = ()) -> Numbers:
        """Read the numbers in `outcome`; a dict by parameter name in the order of `names`.

        Raises:
            TypeError, ValueError, RuntimeError: it cannot be read as numbers.
        """
        if isinstance(outcome, Mapping):
            known = set(outcome) == set(names)
            outcome = [outcome[n] for n in names] if known else list(outcome.values())
        leaves = _leaves(outcome)
        return cls(
            torch.cat([torch.empty(0).double(), *(v.reshape(-1).double() for v in leaves)]),
            leaves[0].shape if len(leaves) == 1 else None,
            max((torch.finfo(v.dtype).eps for v in leaves), default=0.0),
        )

    def equal(self, other: Numbers, factor: float = 1.0) -> bool:
        """Whether these are `factor` times the numbers of `other`, up to rounding.

        NaN equals NaN; the shapes may differ.
        """
        expected = factor * other.values
        if len(self.values) != len(expected):
            return False
        finite = expected[expected.isfinite()].abs()
        rtol = max(1e-4, 4 * self.eps)
        atol = 0.01 * rtol * finite.max().item() if len(finite) else 0.0
        return torch.allclose(self.values, expected, rtol=rtol, atol=atol, equal_nan=True)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return "one number"
        return f"{len(self.values)} numbers" if self.shape is None else f"shape {tuple(self.shape)}"


def _leaves(outcome: Any) -> list[Tensor]:
    """The tensors in `outcome`, as floats; tensors of one shape are stacked."""
    if isinstance(outcome, str | bytes):
        raise TypeError("text")
    if isinstance(outcome, Iterable) and not hasattr(outcome, "__array__"):
        leaves = [leaf for part in outcome for leaf in _leaves(part)]
        one_shape = len({leaf.shape for leaf in leaves}) == 1
        return [torch.stack(leaves)] if one_shape else leaves
    if not isinstance(outcome, Tensor):
        array = np.asarray(outcome)
        if array.dtype.kind == "c":
            raise TypeError("complex")
        small = array.dtype in (np.float16, np.float32)
        outcome = torch.from_numpy(array.astype(array.dtype if small else float))
    if outcome.is_complex():
        raise TypeError("complex")
    outcome = outcome.detach().cpu()
    return [outcome if outcome.is_floating_point() else outcome.double()]
