"""The array API names over JAX. `jax.numpy` keeps the standard already, but for two functions."""

# A namespace shadows builtins by its nature.

from typing import Any

import jax.numpy as jnp

from armour_core.protocols.backend import NAMESPACE

Array = Any

globals().update({name: getattr(jnp, name) for name in NAMESPACE})


def pow(x1: Any, x2: Any, /) -> Array:
    """In the dtype that both have together: of a number and a 0-d array JAX makes the number's own."""
    return jnp.pow(x1, x2).astype(jnp.result_type(x1, x2))


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """Indices in the dtype of all indices, whatever the length of x1."""
    return jnp.searchsorted(x1, x2, side=side, sorter=sorter).astype(int)
