import base64
import struct
import zlib

import numpy as np
import pytest

from armour_core.pictures import change_of, is_picture, picture_of, png


def decode(data):
    """A decoder of the PNGs we write: filter 0, no interlace. The checksums of every chunk are checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(name + body)
        chunks[name] = body
        at += 12 + size
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, rest) == (8, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 0).all()
    return rows[:, 1:].reshape((height, width, 3) if colour == 2 else (height, width))


def pixels(picture):
    return decode(base64.b64decode(picture.src.removeprefix("data:image/png;base64,")))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_png_holds_the_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(decode(png(image)), image)


def test_matplotlib_reads_what_we_write(tmp_path):
    reader = pytest.importorskip("matplotlib.image", reason="matplotlib is an extra")
    image = np.random.default_rng(0).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    (tmp_path / "a.png").write_bytes(png(image))
    np.testing.assert_allclose(reader.imread(tmp_path / "a.png")[..., :3] * 255, image, atol=0.01)


@pytest.mark.parametrize(
    ("shape", "axis", "drawn"),
    [
        ((8, 8), None, True),
        ((1, 8, 8), 1, True),
        ((8, 8, 1), -1, True),
        ((8, 8, 1), 3, True),
        ((3, 32, 32), None, True),
        ((5, 32, 32), 1, True),
        ((20,), None, False),
        ((1, 100), None, False),
        ((2, 8, 8, 3), None, False),
        ((1, 1, 50), 1, False),
    ],
)
def test_what_spans_two_axes_is_a_picture(shape, axis, drawn):
    assert is_picture(shape, axis) is drawn


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_bounds_become_black_and_white_in_every_layout(bounds):
    grey = np.full((4, 4), bounds[0])
    grey[0] = bounds[1]
    for image, axis in ((grey, None), (grey[None], 1), (grey[..., None], 3)):
        shown = pixels(picture_of(image, bounds, axis, "original", ""))
        assert (shown[0] == 255).all()
        assert (shown[1:] == 0).all()


def test_colours_keep_their_order():
    red = np.zeros((3, 4, 4))
    red[0] = 1
    assert (pixels(picture_of(red, (0, 1), 1, "original", ""))[0, 0] == (255, 0, 0)).all()
    assert (pixels(picture_of(np.moveaxis(red, 0, -1), (0, 1), 3, "original", ""))[0, 0] == (255, 0, 0)).all()


def test_a_change_is_white_at_zero_and_amplified_to_full_colour():
    change = np.zeros((4, 4))
    change[0, 0], change[1, 1] = 0.01, -0.01
    picture = change_of(change, None, "")
    red, blue, white = (pixels(picture)[at, at].astype(int) for at in range(3))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert (white == 255).all()
    assert "0.01" in picture.note
    assert "no change" in change_of(np.zeros((4, 4)), None, "").note


def test_a_large_image_is_averaged_down():
    image = np.kron(np.eye(2), np.ones((250, 250)))
    shown = pixels(picture_of(image, (0, 1), None, "original", ""))
    assert max(shown.shape) <= 224
    assert shown[0, 0] == 255
    assert shown[0, -1] == 0
