"""One file a method."""

from .agem import AGEM
from .base import Baseline, Joint, Method
from .dgr import DGR
from .er import ER
from .ewc import EWC
from .gem import GEM
from .icarl import ICaRL
from .lwf import LwF
from .mas import MAS
from .quadratic import PathIntegral, Quadratic
from .rwalk import RWalk
from .scp import SCP
from .si import SI

METHODS: dict[str, type[Method]] = {
    m.name: m for m in (Baseline, EWC, MAS, SI, RWalk, SCP, LwF, ICaRL, GEM, AGEM, ER, DGR, Joint)
}

__all__ = [
    "AGEM",
    "DGR",
    "ER",
    "EWC",
    "GEM",
    "MAS",
    "METHODS",
    "SCP",
    "SI",
    "Baseline",
    "ICaRL",
    "Joint",
    "LwF",
    "Method",
    "PathIntegral",
    "Quadratic",
    "RWalk",
]
