"""Per-example losses, shared by every attack and by training."""

from armour_core.hooks import hookimpl
from armour_core.specs import Spec

_HOME = "armour_plugins.losses"


@hookimpl
def armour_specs() -> list[Spec]:
    """The losses armour brings."""
    return [
        Spec("loss", "ce", f"{_HOME}.ce:CE", aliases=("CrossEntropy",), summary="Cross-entropy"),
        Spec(
            "loss",
            "dlr",
            f"{_HOME}.dlr:DLR",
            aliases=("DifferenceOfLogitsRatio",),
            reference="arXiv:2003.01690",
            summary="Difference of logits ratio: invariant to shift and scale of the logits",
        ),
        Spec(
            "loss",
            "kl",
            f"{_HOME}.kl:KL",
            aliases=("KLDivergence",),
            tags={"untargeted"},
            reference="arXiv:1901.08573",
            summary="Divergence of the prediction from the clean one; needs no label",
        ),
        Spec(
            "loss",
            "margin",
            f"{_HOME}.margin:Margin",
            aliases=("LogitDifference", "CWMargin"),
            reference="arXiv:1608.04644",
            summary="Best other logit minus the label's",
        ),
    ]
