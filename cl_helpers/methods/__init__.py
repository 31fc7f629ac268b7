"""One file a method."""

from .base import Baseline, Joint, Method
from .ewc import EWC
from .mas import MAS
from .quadratic import PathIntegral, Quadratic
from .rwalk import RWalk
from .scp import SCP
from .si import SI

METHODS: dict[str, type[Method]] = {m.name: m for m in (Baseline, EWC, MAS, SI, RWalk, SCP, Joint)}

__all__ = [
    "EWC",
    "MAS",
    "METHODS",
    "SCP",
    "SI",
    "Baseline",
    "Joint",
    "Method",
    "PathIntegral",
    "Quadratic",
    "RWalk",
]
