"""Evasion attacks: inputs changed within a threat model so that the prediction changes."""

from armour_core.hooks import hookimpl
from armour_core.specs import Spec

_HOME = "armour_plugins.attacks"


@hookimpl
def armour_specs() -> list[Spec]:
    """The attacks armour brings."""
    return [
        Spec("attack", "cw", f"{_HOME}.cw:CW", aliases=("CarliniWagner", "CarliniWagnerL2Attack", "CarliniL2Method", "L2CarliniWagnerAttack"),
             tags={"white-box", "minimum-norm", "l2", "targeted"}, needs={"autodiff", "scores"}, reference="arXiv:1608.04644",
             summary="Smallest L2 perturbation by Adam on distance plus hinge, constant searched per sample"),
        Spec("attack", "fgsm", f"{_HOME}.fgsm:FGSM", aliases=("FGM", "FastGradientMethod", "FastGradientSignMethod"),
             tags={"white-box", "fixed-budget", "linf", "l2", "l1", "targeted"}, needs={"autodiff", "scores"}, reference="arXiv:1412.6572",
             summary="One step to where the linearised loss is highest in ball and bounds"),
        Spec("attack", "gaussian_noise", f"{_HOME}.gaussian_noise:GaussianNoise", aliases=("AdditiveGaussianNoise", "GN"),
             tags={"black-box", "decision-based", "fixed-budget", "linf", "l2", "l1", "targeted", "baseline"}, needs={"labels"}, reference="arXiv:1707.04131",
             summary="Gaussian noise of the size of eps, best of several draws: the baseline that every attack must beat"),
        Spec("attack", "hopskipjump", f"{_HOME}.hopskipjump:HopSkipJump", aliases=("HSJ", "HopSkipJumpAttack", "HSJA"),
             tags={"black-box", "decision-based", "minimum-norm", "l2", "linf", "targeted"}, needs={"labels"}, reference="arXiv:1904.02144",
             summary="Walks along the decision boundary with gradients estimated from labels alone"),
        Spec("attack", "pgd", f"{_HOME}.pgd:PGD", aliases=("LinfPGD", "L2PGD", "L1PGD", "ProjectedGradientDescent", "madry"),
             tags={"white-box", "fixed-budget", "linf", "l2", "l1", "targeted"}, needs={"autodiff", "scores"}, reference="arXiv:1706.06083",
             summary="Iterated gradient ascent, projected onto the ball"),
        Spec("attack", "square", f"{_HOME}.square:Square", aliases=("SquareAttack",),
             tags={"black-box", "score-based", "fixed-budget", "linf", "l2", "l1", "targeted"}, needs={"scores"}, reference="arXiv:1912.00049",
             summary="Random search over square patches at the border of the ball"),
    ]  # fmt: skip
