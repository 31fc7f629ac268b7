"""Data sets, views of them, and the tasks that are made of them.

Imports only the leaves (checks, files, formats); every other room may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["datasets", "download", "tasks", "text", "views"]
)
