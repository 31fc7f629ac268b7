"""What is learned from: data sets, views of them, and the tasks that they become.

Imports the leaves (checks, files, formats) alone; every other room may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["datasets", "download", "tasks", "views"]
)
