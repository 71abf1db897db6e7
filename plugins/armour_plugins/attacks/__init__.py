"""Evasion attacks: inputs changed within a threat model so that the prediction changes."""

from armour_core.hooks import hookimpl
from armour_core.specs import Spec


def _attack(name: str, made_by: str, summary: str, reference: str, tags: str, needs: str, aliases: str) -> Spec:
    """One attack; tags, needs and aliases are words in a string."""
    return Spec(
        kind="attack",
        name=name,
        target=f"armour_plugins.attacks.{name}:{made_by}",
        summary=summary,
        reference=reference,
        tags=frozenset(tags.split()),
        needs=frozenset(needs.split()),
        aliases=tuple(aliases.split()),
    )


@hookimpl
def armour_specs() -> list[Spec]:
    """The attacks armour brings."""
    return [
        _attack(
            "cw",
            "CW",
            "Smallest L2 perturbation by Adam on distance plus hinge, its constant searched per sample",
            "arXiv:1608.04644",
            "white-box minimum-norm l2 targeted",
            "autodiff scores",
            "CarliniWagner CarliniWagnerL2Attack CarliniL2Method L2CarliniWagnerAttack",
        ),
        _attack(
            "fgsm",
            "FGSM",
            "One step to where the linearised loss is highest in ball and bounds",
            "arXiv:1412.6572",
            "white-box fixed-budget linf l2 l1 targeted",
            "autodiff scores",
            "FGM FastGradientMethod FastGradientSignMethod",
        ),
        _attack(
            "gaussian_noise",
            "GaussianNoise",
            "Gaussian noise of the size of eps, best of several draws: the baseline that every attack must beat",
            "arXiv:1707.04131",
            "black-box decision-based fixed-budget linf l2 l1 targeted baseline",
            "labels",
            "AdditiveGaussianNoise GN",
        ),
        _attack(
            "hopskipjump",
            "HopSkipJump",
            "Walks along the decision boundary with gradients estimated from labels alone",
            "arXiv:1904.02144",
            "black-box decision-based minimum-norm l2 linf targeted",
            "labels",
            "HSJ HSJA HopSkipJumpAttack",
        ),
        _attack(
            "pgd",
            "PGD",
            "Iterated gradient ascent, projected onto the ball",
            "arXiv:1706.06083",
            "white-box fixed-budget linf l2 l1 targeted",
            "autodiff scores",
            "LinfPGD L2PGD L1PGD ProjectedGradientDescent madry",
        ),
        _attack(
            "square",
            "Square",
            "Random search over square patches at the border of the ball",
            "arXiv:1912.00049",
            "black-box score-based fixed-budget linf l2 l1 targeted",
            "scores",
            "SquareAttack",
        ),
    ]
