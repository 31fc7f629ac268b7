"""What protects the past: one file for each method, a screen that reads like its equation.

Imports models, data and the leaves; speed, training and every room above may import it.
"""

from ..data.tasks import Scenario, as_scenario, check_scenario
from . import gradients
from .agem import AGEM
from .base import Baseline, Joint, Method, check_method
from .cbp import CBP
from .derpp import DERpp
from .dgr import DGR
from .er import ER
from .ewc import EWC
from .gem import GEM
from .icarl import ICaRL
from .lora import LoRA
from .lwf import LwF
from .mas import MAS
from .ncm import NCM
from .quadratic import PathIntegral, Quadratic
from .rwalk import RWalk
from .scp import SCP
from .shrink import ShrinkPerturb
from .si import SI

METHODS: dict[str, type[Method]] = {
    m.name: m
    for m in (
        *(Baseline, EWC, MAS, SI, RWalk, SCP, LwF, ICaRL, GEM, AGEM, ER, DERpp, DGR, NCM),
        *(LoRA, CBP, ShrinkPerturb, Joint),
    )
}


def serving(scenario: Scenario) -> dict[str, type[Method]]:
    """List the methods that can be trained in `scenario`, as name -> class.

    Args:
        scenario: "task", "domain" or "class".

    Raises:
        ValueError: there is no such scenario.
    """
    as_scenario(scenario)
    return {name: m for name, m in METHODS.items() if scenario in m.scenarios}


def pick_method(name: str, scenario: Scenario) -> type[Method]:
    """Look up the class of a method.

    Args:
        name: a key of METHODS, such as "ewc".
        scenario: "task", "domain" or "class", in which it is to be trained.

    Raises:
        ValueError: there is no such method or scenario, or the method cannot be trained in it.
    """
    if name not in METHODS:
        raise ValueError(f"method is {name!r}: choose among {', '.join(METHODS)}")
    check_scenario(METHODS[name].label, METHODS[name].scenarios, scenario)
    return METHODS[name]


__all__ = [
    "AGEM",
    "CBP",
    "DGR",
    "ER",
    "EWC",
    "GEM",
    "MAS",
    "METHODS",
    "NCM",
    "SCP",
    "SI",
    "Baseline",
    "DERpp",
    "ICaRL",
    "Joint",
    "LoRA",
    "LwF",
    "Method",
    "PathIntegral",
    "Quadratic",
    "RWalk",
    "ShrinkPerturb",
    "check_method",
    "gradients",
    "pick_method",
    "serving",
]
