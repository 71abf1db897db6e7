"""The hash behind `armour_core.rng` on TensorFlow, in uint32: int32 arithmetic stays on the host there, even on a GPU."""

from typing import Any

from armour_backends.tensorflow.load import tf

Array = Any
raw = tf.raw_ops


def mix(bits: Array) -> Array:
    """lowbias32 on int32 tensors; the same bits as `armour_core.rng.mix`."""
    x = raw.Bitcast(input=bits, type=tf.uint32)
    x = raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=16))
    x = raw.Mul(x=x, y=0x7FEB352D)
    x = raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=15))
    x = raw.Mul(x=x, y=0x846CA68B)
    x = raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=16))
    return raw.Bitcast(input=x, type=tf.int32)
