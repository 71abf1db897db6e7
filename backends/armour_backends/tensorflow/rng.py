"""The hash behind `armour_core.rng` in uint32: int32 arithmetic stays on the host in TensorFlow, GPU or not."""

from typing import Any

from armour_backends.tensorflow.load import tf

Array = Any
raw = tf.raw_ops


def mix(bits: Array) -> Array:
    """lowbias32 on int32 tensors; the same bits as `armour_core.rng.mix`."""
    return raw.Bitcast(input=_mix(bits), type=tf.int32)


def unit(rows: Any, elements: Any) -> Array:
    """float32 in [0, 1): the upper 24 bits of mix(rows ^ elements); int32 (N, 1, ...) and (1, ...), or an int."""
    x = raw.RightShift(x=_mix(rows ^ elements), y=8)
    # as int32: unsigned numbers become floats more slowly
    return raw.Cast(x=raw.Bitcast(input=x, type=tf.int32), DstT=tf.float32) * 2.0**-24


def _mix(bits: Array) -> Array:
    x = raw.Bitcast(input=bits, type=tf.uint32)
    x = raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=16))
    x = raw.Mul(x=x, y=0x7FEB352D)
    x = raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=15))
    x = raw.Mul(x=x, y=0x846CA68B)
    return raw.BitwiseXor(x=x, y=raw.RightShift(x=x, y=16))
