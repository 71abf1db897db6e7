"""TensorFlow's global generators, as far as their state can be read and put back.

The counters inside random kernels, which an operation seeded by `tf.random.set_seed` keeps, cannot.
"""

import random
from typing import Any

import numpy as np

from armour_backends.tensorflow.load import tf


class OperationSeeds:
    """What `tf.random.set_seed` starts: a generator in the context that gives each eager random operation its seed."""

    name = "TensorFlow's operation seeds"

    def __init__(self, generator: random.Random) -> None:
        self._generator = generator

    def get(self) -> Any:
        """Its state."""
        return self._generator.getstate()

    def set(self, state: Any) -> None:
        """Put a state in place."""
        self._generator.setstate(state)

    def seeded(self, seed: int) -> Any:
        """The state that a seed gives."""
        return random.Random(seed).getstate()


class GlobalGenerator:
    """The generator that `tf.random.get_global_generator` returns."""

    name = "TensorFlow's global generator"

    def __init__(self, generator: Any) -> None:
        self._generator = generator

    def get(self) -> Any:
        """Its state, as a tuple."""
        return tuple(self._generator.state.numpy().tolist())

    def set(self, state: Any) -> None:
        """Put a state in place."""
        self._generator.state.assign(np.asarray(state, self._generator.state.dtype.as_numpy_dtype))

    def seeded(self, seed: int) -> Any:
        """The state that a seed gives."""
        made = tf.random.Generator.from_seed(seed, alg=self._generator.algorithm)
        return tuple(made.state.numpy().tolist())


def global_streams() -> list[Any]:
    """Those that exist now: neither is made by asking."""
    from tensorflow.python.eager import context
    from tensorflow.python.ops import stateful_random_ops

    found: list[Any] = []
    seeds = getattr(context.context(), "_rng", None)
    if isinstance(seeds, random.Random):
        found.append(OperationSeeds(seeds))
    generator = getattr(stateful_random_ops, "global_generator", None)
    if generator is not None:
        found.append(GlobalGenerator(generator))
    return found
