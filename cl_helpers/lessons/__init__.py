"""What the notebooks explain with: bowls, title figures, fair comparisons,
Laplace's approximation, exercises.

Imports report and what is below; widgets and cli may import it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "bowls",
        "compared",
        "exercises",
        "figures",
        "forms",
        "language",
        "laplace",
        "renewal",
    ],
)
