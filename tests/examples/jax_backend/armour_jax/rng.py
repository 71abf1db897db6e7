"""The hash behind `armour_core.rng` on JAX, which has logical shifts of int32."""

import jax
import numpy as np
from jax import lax


@jax.jit
def mix(bits: jax.Array) -> jax.Array:
    """lowbias32 on int32 arrays; the same bits as `armour_core.rng.mix`."""
    x = bits ^ lax.shift_right_logical(bits, np.int32(16))
    x = x * np.int32(0x7FEB352D)
    x = x ^ lax.shift_right_logical(x, np.int32(15))
    x = x * np.int32(-2073254261)  # 0x846CA68B
    return x ^ lax.shift_right_logical(x, np.int32(16))
