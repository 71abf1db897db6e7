"""Weights as arguments of compiled code: what `jax.jit` finds in a closure it would bake in, for good.

Which networks a function computes with shows when it is traced: the first one whose weights were not handed to the
trace ends it, and the next trace is given them. So ensembles and defended models need not say what they are made of.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol

import jax
from jax import lax


class Owner(Protocol):
    """Something with weights of its own."""

    weights: Any  #: a pytree, now


class NotHanded(Exception):
    """A trace met a network without its weights. Caught by the `compiled` that began the trace."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(f"{owner!r} was traced without its weights")
        self.owner = owner


_HANDED: ContextVar[Mapping[Owner, Any] | None] = ContextVar("handed", default=None)


def weights_of(owner: Owner) -> Any:
    """The owner's weights: in compiled code the argument that stands for them."""
    handed = _HANDED.get()
    if handed is None:
        return owner.weights
    if owner not in handed:
        raise NotHanded(owner)
    return handed[owner]


def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
    """`jax.jit` of `f`, with the weights of every network that it computes with as arguments, read at each call."""
    owners: list[Owner] = []

    def traced(weights: list[Any], *args: Any) -> Any:
        token = _HANDED.set(dict(zip(owners, weights)))
        try:
            return jax.tree.map(_strong, f(*args))
        finally:
            _HANDED.reset(token)

    code = jax.jit(traced)

    def run(*args: Any) -> Any:
        while True:
            weights = [weights_of(owner) for owner in owners]
            try:
                return code(weights, *args)
            except NotHanded as met:
                owners.append(met.owner)

    return run


def _strong(x: Any) -> Any:
    """Without the mark that a number came from Python: it would change promotions, and retrace what is given it."""
    return lax.convert_element_type(x, x.dtype) if isinstance(x, jax.Array) else x
