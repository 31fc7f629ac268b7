"""What moves: widgets for the notebooks, and the thread that trains behind them.

Imports lessons and what is below it, and Quiz from answers; cli may import it, answers its base.
"""

from ..answers.quiz_widget import Quiz
from .bowls_widget import Bowls
from .curvature_widget import Curvature
from .importance_widget import Importance
from .lab_widget import Lab
from .predict_widget import Predict
from .projection_widget import Projection
from .schedule_widget import Schedule
from .sweep_widget import Sweep

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
