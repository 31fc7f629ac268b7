"""The same training step in less time, and what it costs; optional to read.

Imports methods and what is below; training and all above may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["cuda_graph", "passes", "precision"]
)
