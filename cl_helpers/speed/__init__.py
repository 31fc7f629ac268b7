"""Faster training steps with the same results, and a count of their cost; optional to read.

Imports methods and what is below; training and all above may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["cuda_graph", "passes", "pieces", "precision"]
)
