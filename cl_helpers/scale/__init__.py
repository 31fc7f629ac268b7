"""Many runs at once: sweeps, models that take their steps together, processes, clusters.

Imports training and what is below; report and all above may import it. Optional to read.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["engines", "side_by_side", "stacked", "sweep"]
)
