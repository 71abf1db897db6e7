"""Where the channels are, and the normalisation that a wrapped model applies along them."""

from typing import Any

import numpy as np
from attrs import field, frozen

from armour_core.errors import ConfigError, DataError
from armour_core.protocols.backend import Array, Backend

LAYOUTS = ("vector", "image")


def channel_axis(
    shape: tuple[int, ...], said: int | None, net: int | None, layout: str | None
) -> tuple[int | None, str | None]:
    """The channel axis of a batch of this shape, counted from the front, and a warning where it had to be guessed.

    said: the caller's word; net: what the network's layers say (negative counts from the end). None for vectors, and
    for 3-D input, which is a one-channel image (N, H, W) or, with layout "vector", a sequence.
    """
    rank = len(shape)
    if said is not None:
        if not -rank < said < rank or said == 0:
            raise ConfigError(
                f"channel_axis={said}, but x has shape {shape}: expected 1 to {rank - 1} (0 is the sample axis), or "
                f"-1 to {1 - rank}."
            )
        return said % rank, None
    if rank < 4 or layout == "vector":
        return None, None
    if net is not None and -rank < net < rank:
        return net % rank, None
    first, last = shape[1], shape[-1]
    likely = [axis for axis, size in ((1, first), (rank - 1, last)) if size in (1, 3, 4)]
    if len(likely) == 1:
        return likely[0], None
    guess = 1 if first < last else rank - 1 if last < first else None
    taken = f"axis {guess}, the shorter, is taken for the channels" if guess else "none is taken for the channels"
    return guess, (
        f"which axis of x {shape} holds the channels cannot be told: {taken}. Say so: wrap(net, channel_axis=1) or "
        f"channel_axis={rank - 1}."
    )


def _numbers(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"preprocessing: {value!r} is not a number or an array of numbers.") from error
    if not np.all(np.isfinite(array)):
        raise ConfigError(f"preprocessing: {value!r} contains values that are not finite.")
    return array


@frozen(eq=False)
class Preprocessing:
    """`(x - mean) / std`, in the model's dtype: numbers, one per channel, or arrays that broadcast against a sample."""

    mean: np.ndarray = field(converter=_numbers)
    std: np.ndarray = field(converter=_numbers)

    @std.validator
    def _check_std(self, attribute: object, value: np.ndarray) -> None:
        if np.any(value <= 0):
            raise ConfigError(f"preprocessing: std is {value.tolist()}, and must be above 0.")
        if self.mean.size > 1 and value.size > 1 and self.mean.shape != value.shape:
            raise ConfigError(
                f"preprocessing: mean has shape {self.mean.shape} and std {value.shape}. Give one value per channel "
                "in each."
            )

    @property
    def per_channel(self) -> bool:
        """Whether it depends on where the channels are."""
        return max(self.mean.size, self.std.size) > 1

    @classmethod
    def of(cls, pair: Any) -> "Preprocessing | None":
        """From `(mean, std)` or `{"mean": ..., "std": ...}`; None for None."""
        if pair is None or isinstance(pair, Preprocessing):
            return pair
        if isinstance(pair, dict) and set(pair) <= {"mean", "std"}:
            return cls(pair.get("mean", 0.0), pair.get("std", 1.0))
        if isinstance(pair, tuple | list) and len(pair) == 2:
            return cls(*pair)
        raise ConfigError(
            f"preprocessing={pair!r}: expected (mean, std), numbers or one value per channel, as in "
            "preprocessing=((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))."
        )

    def fitted(self, shape: tuple[int, ...], axis: int | None, net_axis: int | None) -> "tuple[Any, Any]":
        """mean and std that broadcast against a batch of this shape: Python floats, or NumPy arrays."""
        return self._fit(self.mean, "mean", shape, axis, net_axis), self._fit(self.std, "std", shape, axis, net_axis)

    def _fit(self, value: np.ndarray, name: str, shape: tuple[int, ...], axis: int | None, net_axis: int | None) -> Any:
        if value.size == 1:
            return float(value.reshape(()))
        if value.ndim > 1 or (len(shape) == 2 and value.shape == shape[1:]):
            if value.ndim < len(shape) and _broadcasts(value.shape, shape[1:]):
                return value
        else:
            wanted = _axes(len(shape), axis, net_axis)
            for where in wanted:
                if shape[where] == value.size:
                    return value.reshape([-1 if i == where else 1 for i in range(len(shape))])
            if others := [i for i in (1, len(shape) - 1) if shape[i] == value.size]:
                raise DataError(
                    f"preprocessing has {value.size} channels, but x has shape {shape}: {shape[wanted[0]]} on its "
                    f"channel axis {wanted[0]}.\n  They lie on axis {others[0]}: move them there, numpy.moveaxis(x, "
                    f"{others[0]}, {wanted[0]}); or, if that is how the network takes them, wrap(net, "
                    f"channel_axis={others[0]})."
                )
        raise ConfigError(
            f"wrap: preprocessing: {name} has shape {value.shape}, which fits no channel axis of x {shape}"
            f"{'' if axis is None else f' (channel_axis {axis})'}. Give one value per channel, and channel_axis= if "
            "need be."
        )


def _axes(rank: int, axis: int | None, net_axis: int | None) -> list[int]:
    """The axes along which per-channel values may lie: the one that is known, or else both that are usual."""
    if axis is not None:
        return [axis]
    if net_axis is not None and -rank < net_axis < rank:
        return [net_axis % rank]
    return [rank - 1] if rank == 2 else [1, rank - 1]


def _broadcasts(inner: tuple[int, ...], outer: tuple[int, ...]) -> bool:
    return all(a in (1, b) for a, b in zip(reversed(inner), reversed(outer)))


def normalise(x: Array, mean: Any, std: Any, backend: Backend) -> Array:
    """`(x - mean) / std`; arrays are placed as constants in the dtype of x."""
    if isinstance(mean, np.ndarray):
        mean = backend.asarray(mean, dtype=x.dtype)
    if isinstance(std, np.ndarray):
        std = backend.asarray(std, dtype=x.dtype)
    return (x - mean) / std
