"""What a minimum looks like, where training went, and whether a network can still learn.

Imports training and what is below; report and all above may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["curvature", "plasticity", "trajectories"]
)
