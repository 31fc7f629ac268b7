"""Widgets for the notebooks: fronts of training, sweeps and plots. No learning code."""

from .bowls import Bowls
from .curvature import Curvature
from .importance import Importance
from .lab import Lab
from .predict import Predict
from .projection import Projection
from .quiz import Quiz
from .schedule import Schedule
from .sweep import Sweep

__all__ = [
    "Bowls",
    "Curvature",
    "Importance",
    "Lab",
    "Predict",
    "Projection",
    "Quiz",
    "Schedule",
    "Sweep",
]
