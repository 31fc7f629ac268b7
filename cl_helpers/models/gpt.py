"""A small GPT: reads characters and says how likely each is to come next. nanoGPT's shape."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import at_least_one, seeded
from .forward import evaluating
from .seeded import Dropout, Seeded, undrawn

# Without the initial weights that PyTorch would draw.
_Linear, _Embedding = (partial(undrawn, kind) for kind in (nn.Linear, nn.Embedding))

WEIGHTS = Path(__file__).parent / "pretrained" / "english.pt"


class Attention(nn.Module):
    """Each position looks back: it takes a weighted mean of what the positions up to it hold.

        softmax( q kᵀ / √d, where the key is not later than the query ) v

    Args:
        width: numbers that a position holds.
        heads: how many such means are taken side by side, each of d = width / heads numbers.

    Vaswani et al. 2017, arXiv:1706.03762, eq. 1.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.queries_keys_values = _Linear(width, 3 * width)
        self.out = _Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map positions `x` (B, T, width) to (B, T, width)."""
        b, t, width = x.shape
        split = self.queries_keys_values(x).view(b, t, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, d) each
        means = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(means.transpose(1, 2).reshape(b, t, width))


class Block(nn.Module):
    """Attention, then an MLP at each position; each adds to what the position holds.

    Args:
        width, heads: as in `Attention`.
        dropout: probability of dropping what is added.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.up = nn.LayerNorm(width), _Linear(width, 4 * width)
        self.down, self.dropout = _Linear(4 * width, width), Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map positions `x` (B, T, width) to (B, T, width)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.down(F.gelu(self.up(self.norm2(x)))))


class GPT(Seeded):
    """A transformer that predicts the next character from the characters before it.

    Args:
        n_characters: of the alphabet. Default 128, ASCII.
        context: T, the most characters that it can look at. Default 128.
        width: numbers that a position holds. Default 128.
        layers: blocks, one after the other. Default 2.
        heads: of attention in each block; they divide the width. Default 4.
        dropout: probability, 0 to below 1, in training mode only. Default 0.
        seed: fixes the initial weights. None, the default, leaves them to `train`.

    Raises:
        ValueError: a number is below 1, or `heads` does not divide `width`.

    Radford et al. 2019 (GPT-2); the shape is that of github.com/karpathy/nanoGPT. Departs from it:
    the last layer has weights of its own, not those of the embedding.
    """

    def __init__(
        self,
        n_characters: int = 128,
        *,
        context: int = 128,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        dropout: float = 0.0,
        seed: int | None = None,
    ):
        super().__init__()
        sizes = {"context": context, "width": width, "layers": layers, "heads": heads}
        for name, value in sizes.items():
            at_least_one(name, value)
        if width % heads:
            raise ValueError(f"heads is {heads}: choose a number that divides the width {width}")
        self.context, self.seed = context, seed
        self.characters = _Embedding(n_characters, width)
        self.places = _Embedding(context, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(width, heads, dropout) for _ in range(layers)))
        self.norm, self.last = nn.LayerNorm(width), _Linear(width, n_characters)
        self.draw_weights(seed or 0)

    @classmethod
    def pretrained(cls) -> GPT:
        """Make a GPT that has learned English: `experiments/language/pretrain.py` made its weights.

        They ship with the package, in float16, and are trained further in float32.
        """
        model = cls(seed=0)
        model.load_state_dict(torch.load(WEIGHTS, weights_only=True)["weights"])
        return model

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits (B, T, n_characters) of the character after each of `x` (B, T)."""
        places = torch.arange(x.shape[1], device=x.device)
        z = self.dropout(self.characters(x) + self.places(places))
        return self.last(self.norm(self.blocks(z)))

    @torch.no_grad()
    def draw_weights(self, seed: int) -> None:
        """Draw weights from N(0, 0.02²), as GPT-2 does; biases are 0. Args: `seed`."""
        generator = seeded(seed)
        for layer in self.modules():
            if isinstance(layer, nn.LayerNorm):
                layer.reset_parameters()
            elif isinstance(layer, nn.Linear | nn.Embedding):
                layer.weight.copy_(0.02 * torch.randn(layer.weight.shape, generator=generator))
                if isinstance(layer, nn.Linear):
                    layer.bias.zero_()

    @torch.no_grad()
    def write(self, start: Tensor, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Go on writing: draw `n` characters, one after the other, from what the model predicts.

        Args:
            start: (t,) long, the characters before, at least one.
            n: how many to draw.
            rng: generator of the draws. None is torch's global one.

        Returns:
            The characters drawn, (n,) long.
        """
        text = start.tolist()
        with evaluating(self):
            for _ in range(n):
                recent = torch.tensor(
                    [text[-self.context :]], device=next(self.parameters()).device
                )
                chances = self(recent)[0, -1].float().softmax(-1).cpu()
                text.append(int(torch.multinomial(chances, 1, generator=rng)))
        return torch.tensor(text[len(start) :])


def made() -> dict[str, Any]:
    """Say how the weights of `GPT.pretrained` were made, and what they reach on other text."""
    return torch.load(WEIGHTS, weights_only=True)["made"]
