"""Continual learning, to read and to run: `import cl_helpers as cl`."""

from . import metrics, plots, presets, tasks
from .data import DataError, Dataset, load
from .evaluation import evaluate
from .methods import EWC, MAS, METHODS, SCP, SI, Baseline, Joint, Method, RWalk
from .models import MLP
from .run import Run
from .settings import Settings
from .sweep import sweep
from .tasks import Task, permuted, rotated, split
from .training import Event, train, train_steps

__all__ = [
    "EWC",
    "MAS",
    "METHODS",
    "MLP",
    "SCP",
    "SI",
    "Baseline",
    "DataError",
    "Dataset",
    "Event",
    "Joint",
    "Method",
    "RWalk",
    "Run",
    "Settings",
    "Task",
    "evaluate",
    "load",
    "metrics",
    "permuted",
    "plots",
    "presets",
    "rotated",
    "split",
    "sweep",
    "tasks",
    "train",
    "train_steps",
]
