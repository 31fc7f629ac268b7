"""Continual learning, to read and to run: `import cl_helpers as cl`.

The public names are listed in `__init__.pyi`; each is loaded when it is first used. Imports run
downwards only: cli → shell → answers → widgets → lessons → report → analysis, scale → training →
speed → methods → models → data → checks, files, formats, identity.
"""

import lazy_loader

__version__ = "0.2.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_RENAMED = {
    "parameters": "flat",
    "pictures": "figures",
    "regimes": "trajectories",
    "steps": "step",
    "stored": "load_results",
}


def __getattr__(name: str) -> object:
    if name in _RENAMED:
        raise AttributeError(f"cl.{name} is called cl.{_RENAMED[name]} since version 0.2")
    return _load(name)
