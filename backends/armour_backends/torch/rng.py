"""The hash behind `armour_core.rng` on torch.

On the CPU the NumPy kernels do the work, on the tensors' own memory: they shift without masks, and in blocks that stay
in the cache. On other devices, and for the compiler, plain operations.
"""

import math
from typing import Any

import torch

from armour_backends.numpy import rng as host

Array = Any


def mix(bits: torch.Tensor) -> torch.Tensor:
    """lowbias32 on int32 tensors; the same bits as `armour_core.rng.mix`. `bits` itself is not written to."""
    # torch shifts int32 arithmetically and has no uint32 arithmetic: the mask after each shift makes it logical.
    # In place on fresh tensors only: no gradient flows through integers, and compilers turn it into pure code.
    if _on_host(bits):
        return torch.from_numpy(host.mix(bits.numpy()))
    x = (bits >> 16).bitwise_and_(0xFFFF).bitwise_xor_(bits).mul_(0x7FEB352D)
    x.bitwise_xor_((x >> 15).bitwise_and_(0x1FFFF)).mul_(-2073254261)  # 0x846CA68B
    return x.bitwise_xor_((x >> 16).bitwise_and_(0xFFFF))


def unit(rows: Any, elements: Any) -> torch.Tensor:
    """float32 in [0, 1): the upper 24 bits of mix(rows ^ elements); int32 (N, 1, ...) and (1, ...), or an int."""
    if _on_host(rows) and _on_host(elements):
        return torch.from_numpy(host.unit(*_arrays((rows, elements))))
    bits = mix(rows ^ elements)
    return bits.bitwise_right_shift_(8).bitwise_and_(0xFFFFFF).to(torch.float32).mul_(2.0**-24)


def normal(radius: tuple[Any, Any], angle: tuple[Any, Any]) -> torch.Tensor:
    """Standard normal, by Box-Muller from two pairs such as `unit` takes."""
    if all(map(_on_host, (*radius, *angle))):
        return torch.from_numpy(host.normal(_arrays(radius), _arrays(angle)))
    length = unit(*radius).add_(2.0**-25).log_().mul_(-2.0).sqrt_()  # 2**-25: never log(0)
    return length.mul_(unit(*angle).mul_(2.0 * math.pi).cos_())


def _on_host(x: Any) -> bool:
    return not torch.compiler.is_compiling() and (isinstance(x, int) or x.device.type == "cpu")


def _arrays(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    rows, elements = (x if isinstance(x, int) else x.numpy() for x in pair)
    return rows, elements
