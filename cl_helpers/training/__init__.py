"""How a model learns one task after the other: settings, the loop, and the run that results.

The loop is loop.py, a page; train.py puts speed, time and checkpoints around it.
Imports speed and what is below it; scale, analysis, report and all above may import it.
"""

import lazy_loader

_MODULES = (
    "checkpoint costs evaluation events loop metrics presets run schedules settings step train"
)

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submodules=_MODULES.split())
