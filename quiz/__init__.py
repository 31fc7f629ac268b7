"""The instructor's side of the quiz: the bank with its key, release, grading, reports."""

import lazy_loader

# nbgrader takes seconds to import: what needs none of it should not wait.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        *(
            "build",
            "course",
            "demo",
            "doctor",
            "exchange",
            "export",
            "imports",
            "lms",
            "records",
            "roster",
        ),
        "submissions",
    ],
)
