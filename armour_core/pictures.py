"""Samples as small PNG images, for evidence. Written with zlib alone: a report needs no imaging library."""

import base64
import struct
import zlib
from typing import Final

import numpy as np

from armour_core.evidence import Picture

_LARGEST: Final = 224  # pixels of the long side; larger images are averaged down, so that a report stays small
_RED, _BLUE = np.array([178, 24, 43]), np.array([33, 102, 172])  # colour-blind readers can tell them apart


def png(pixels: np.ndarray) -> bytes:
    """A PNG file from uint8 `(H, W)` grey or `(H, W, 3)` colour."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()  # filter 0 before each row
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def is_picture(shape: tuple[int, ...], channel_axis: int | None) -> bool:
    """Whether one sample of this shape can be drawn: two axes that span an image, at most one of channels."""
    spatial = _spatial(shape, channel_axis)
    return spatial is not None and min(spatial) >= 4 and max(spatial) <= 32 * min(spatial)


def picture_of(x: np.ndarray, bounds: tuple[float, float], channel_axis: int | None, role: str, alt: str) -> Picture:
    """One sample, its values scaled from the model's bounds to black and white. channel_axis: of a batch."""
    low, high = bounds
    scaled = (_channels_last(x, channel_axis) - low) / (high - low)
    return _picture(np.round(np.clip(_drawable(_shrunk(scaled)), 0, 1) * 255).astype(np.uint8), role, alt, "")


def change_of(change: np.ndarray, channel_axis: int | None, alt: str) -> Picture:
    """A signed change, amplified until its largest entry has full colour.

    One channel: white is no change, red brighter, blue darker. Colour: grey is no change.
    """
    signed = _drawable(_shrunk(_channels_last(change, channel_axis)))
    largest = float(np.abs(signed).max())
    signed = signed / largest if largest > 0 else signed
    if signed.ndim == 3:
        pixels = np.round(127.5 + 127.5 * signed)
    else:
        ends = np.where(signed[..., None] > 0, _RED, _BLUE)
        pixels = np.round(255 + (ends - 255) * np.abs(signed)[..., None])
    note = f"largest change {largest:.3g}" if largest > 0 else "no change"
    return _picture(pixels.astype(np.uint8), "perturbation", alt, note)


def _picture(pixels: np.ndarray, role: str, alt: str, note: str) -> Picture:
    src = "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
    return Picture(role=role, src=src, width=pixels.shape[1], height=pixels.shape[0], alt=alt, note=note)


def _spatial(shape: tuple[int, ...], channel_axis: int | None) -> tuple[int, int] | None:
    if len(shape) == 2:
        return shape[0], shape[1]
    if len(shape) != 3:
        return None
    place = _place(shape, channel_axis)
    height, width = (size for axis, size in enumerate(shape) if axis != place)
    return height, width


def _place(shape: tuple[int, ...], channel_axis: int | None) -> int:
    """Where the channels of one sample are; guessed by size where the model does not say."""
    if channel_axis is not None:
        return channel_axis - 1 if channel_axis > 0 else len(shape) + channel_axis
    return 0 if shape[0] in (1, 3, 4) and shape[-1] not in (1, 3, 4) else len(shape) - 1


def _channels_last(x: np.ndarray, channel_axis: int | None) -> np.ndarray:
    x = np.asarray(x, dtype=np.float64)
    return np.moveaxis(x, _place(x.shape, channel_axis), -1) if x.ndim == 3 else x


def _drawable(x: np.ndarray) -> np.ndarray:
    """`(H, W)` or `(H, W, 3)`: three or four channels are colours, any other number is averaged."""
    if x.ndim == 2:
        return x
    return x[..., :3] if x.shape[-1] in (3, 4) else x.mean(axis=-1)


def _shrunk(x: np.ndarray) -> np.ndarray:
    """Averaged down by a whole factor until the long side fits."""
    factor = -(-max(x.shape[:2]) // _LARGEST)
    if factor <= 1:
        return x
    height, width = (size // factor * factor for size in x.shape[:2])
    blocks = x[:height, :width].reshape(height // factor, factor, width // factor, factor, *x.shape[2:])
    return np.asarray(blocks.mean(axis=(1, 3)))
