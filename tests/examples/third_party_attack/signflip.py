"""One whole third-party plugin: a module and, in pyproject.toml, one entry point."""

from attrs import frozen

from armour_core import Spec, hookimpl


@frozen(kw_only=True)
class SignFlip:
    """Mirror a random share of the inputs about mid-range: a sanity baseline."""

    norm: str = "linf"
    rate: float = 0.5

    def run(self, problem, rng):
        xp, (lo, hi) = problem.model.backend.xp, problem.model.bounds
        step = xp.clip(lo + hi - 2 * problem.x, -problem.eps, problem.eps)
        return xp.where(rng.uniform(problem.x.shape) < self.rate, problem.x + step, problem.x)


@hookimpl
def armour_specs():
    return [
        Spec(
            kind="attack",
            name="signflip",
            target="signflip:SignFlip",
            tags={"black-box", "linf"},
            summary="Random mirroring",
        )
    ]
