"""The hash behind `armour_core.rng` on torch, in as few passes over memory as int32 allows."""

import torch

_LOW_16, _LOW_17 = 0xFFFF, 0x1FFFF


def mix(bits: torch.Tensor) -> torch.Tensor:
    """lowbias32 on int32 tensors; the same bits as `armour_core.rng.mix`. `bits` itself is not written to."""
    # torch shifts int32 arithmetically and has no uint32 arithmetic: the mask after each shift makes it logical.
    # In place on fresh tensors only: no gradient flows through integers, and compilers turn it into pure code.
    x = (bits >> 16).bitwise_and_(_LOW_16).bitwise_xor_(bits).mul_(0x7FEB352D)
    x.bitwise_xor_((x >> 15).bitwise_and_(_LOW_17)).mul_(-2073254261)  # 0x846CA68B
    return x.bitwise_xor_((x >> 16).bitwise_and_(_LOW_16))
