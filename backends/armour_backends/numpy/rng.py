"""The hash behind `armour_core.rng`, in uint32, where the shifts are logical and nothing needs a mask."""

from typing import Any

import numpy as np

Array = Any


def mix(bits: Array) -> Array:
    """lowbias32 on int32 arrays; the same bits as `armour_core.rng.mix`."""
    # asarray: arithmetic on 0-d arrays gives scalars, whose overflow NumPy warns about; int32 first: NumPy 1.x makes them int64
    x = np.asarray(bits).astype(np.int32, copy=False).view(np.uint32)
    x = x ^ (x >> np.uint32(16))
    x = np.asarray(x)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x.view(np.int32)
