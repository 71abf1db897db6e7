"""Probes: each asks one question of a model, and answers in findings."""

from armour_core.hooks import hookimpl
from armour_core.specs import Spec


@hookimpl
def armour_specs() -> list[Spec]:
    """The probes armour brings."""
    return [
        Spec("probe", "robustness", "armour_plugins.probes.robustness:Robustness",
             tags={"evasion", "linf", "l2", "l1"}, needs={"labels"},
             summary="Can small changes flip predictions? Gradient and query attacks over a sweep of eps"),
    ]  # fmt: skip
