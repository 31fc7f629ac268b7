"""Title figures: one for each notebook, which shows the idea of a method before the text.

Each function computes what it draws, in a second or two at most, and returns a chart like those of
`plots`. Blue is the first task, vermillion the second, green what serves both.

The figures further down in a notebook are called by their module, such as `landscapes.bounds`.
"""

from .adapters import language
from .convergence import schedules
from .learning import model, permutation, start
from .masks import scenarios
from .means import pretrained
from .minima import regimes
from .paths import rwalk, si
from .replay import past
from .sensitivity import mas
from .slices import scp
from .trade_off import compared
from .two_tasks import baseline, ewc
from .units import plasticity

__all__ = [
    "baseline",
    "compared",
    "ewc",
    "language",
    "mas",
    "model",
    "past",
    "permutation",
    "plasticity",
    "pretrained",
    "regimes",
    "rwalk",
    "scenarios",
    "schedules",
    "scp",
    "si",
    "start",
]
