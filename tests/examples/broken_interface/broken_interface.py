"""Offers one plugin for an interface of the future, and one for today's."""

from attrs import frozen

from armour_core import Spec, hookimpl


@frozen(kw_only=True)
class Still:
    """Changes nothing."""

    norm: str = "linf"

    def run(self, problem, rng):
        return problem.x


@hookimpl
def armour_specs():
    return [
        Spec("attack", "of_tomorrow", "broken_interface:Still", api=99),
        Spec("attack", "of_today", "broken_interface:Still", summary="Stands beside a broken one"),
    ]
