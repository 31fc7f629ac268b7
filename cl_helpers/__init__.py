"""Continual learning, to read and to run: `import cl_helpers as cl`."""

from . import (
    bowls,
    curvature,
    evaluation,
    gradients,
    methods,
    metrics,
    parameters,
    pictures,
    plots,
    presets,
    regimes,
    schedules,
    steps,
    tasks,
    widgets,
)
from .data import DataError, Dataset, load
from .evaluation import evaluate
from .exercises import check
from .methods import (
    AGEM,
    DGR,
    ER,
    EWC,
    GEM,
    MAS,
    METHODS,
    SCP,
    SI,
    Baseline,
    ICaRL,
    Joint,
    LwF,
    Method,
    RWalk,
)
from .models import CNN, MLP, VAE
from .resnet import ResNet18
from .run import Run
from .settings import Settings
from .show import show
from .stored import stored
from .summary import summary
from .sweep import sweep
from .tasks import Task, permuted, rotated, split
from .training import Event, train, train_steps

__all__ = [
    "AGEM",
    "CNN",
    "DGR",
    "ER",
    "EWC",
    "GEM",
    "MAS",
    "METHODS",
    "MLP",
    "SCP",
    "SI",
    "VAE",
    "Baseline",
    "DataError",
    "Dataset",
    "Event",
    "ICaRL",
    "Joint",
    "LwF",
    "Method",
    "RWalk",
    "ResNet18",
    "Run",
    "Settings",
    "Task",
    "bowls",
    "check",
    "curvature",
    "evaluate",
    "evaluation",
    "gradients",
    "load",
    "methods",
    "metrics",
    "parameters",
    "permuted",
    "pictures",
    "plots",
    "presets",
    "regimes",
    "rotated",
    "schedules",
    "show",
    "split",
    "steps",
    "stored",
    "summary",
    "sweep",
    "tasks",
    "train",
    "train_steps",
    "widgets",
]
