"""Results for people to read: plots, tables, source code, results that ship with the package.

Imports scale, analysis and what is below; lessons, widgets and cli may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submodules=["plots", "results", "source", "summary", "tables"]
)
