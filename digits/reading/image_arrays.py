"""Numbers of any kind, and images with transparency, as the RGB bytes that the reader works on.

image = from_numbers(array, "the image")     # (H, W, 3) uint8
"""

import numpy as np
from PIL import Image

from digits.support.messages import UserError

MAX_PIXELS = 89_478_485  # Pillow's own decompression-bomb limit: 256 MiB of RGB


def check_size(size: tuple[int, ...], name: str) -> None:
    """Raise UserError where an image of `size` (width, height), called `name`, has no pixels or more than MAX_PIXELS."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{name} has {width} x {height} pixels, more than the {MAX_PIXELS / 1e6:.0f} million that are read; scale it down."
        )
    if width * height == 0:
        raise UserError(f"{name} has no pixels ({width} x {height}); give at least one.")


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Scale numbers to 0..255, black to white, by one rule.

    Booleans are black and white, uint8 stays, uint16 is divided by 257. Other numbers have no fixed range:
    white is the smallest of 1 (floats only), 255 and 65535 that no value exceeds. Where values are negative
    or larger than all three, the smallest becomes 0 and the largest 255. Values that are not finite become
    the median of the others: most of an image is its background.

    Args:
        values: array of bool, integer or real floating type, any shape with at least one axis.

    Returns:
        uint8 array of the same shape.

    Raises:
        ValueError: no value is finite.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * np.uint8(255)
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return (values >> 8).astype(np.uint8)  # n // 257 but for a rounding error
    whites: tuple[int, ...] = (255, 65535)
    if values.dtype.kind == "f":
        whites = (1, *whites)
        finite = np.isfinite(values)
        if not finite.any():
            raise ValueError("it holds no finite number")
        if not finite.all():
            values = np.where(finite, values, np.median(values[finite], overwrite_input=True))
    low, high = values.min(), values.max()
    range_ = next(((0, white) for white in whites if low >= 0 and high <= white), (low, high))
    scaled = np.empty(values.shape, np.uint8)
    for row in range(len(values)):  # row by row: float64 copies of a whole photo are large
        scaled[row] = np.interp(values[row], range_, (0, 255)) + 0.5
    return scaled


def flatten(image: Image.Image) -> Image.Image:
    """Lay an RGBA image on white; on black if that leaves no pixel darker than three quarters of white."""
    for background in ("white", "black"):
        flat = Image.new("RGB", image.size, background)
        flat.paste(image, mask=image.getchannel("A"))
        if np.asarray(flat.convert("L")).min() < 192:
            break
    return flat


def from_numbers(source: object, name: str) -> np.ndarray:
    """Return an array of numbers as RGB bytes.

    Args:
        source: array or nested lists, (H, W), (H, W, 1), (H, W, 3) or (H, W, 4, the last channel alpha); see `to_uint8`.
        name: what to call it in messages.

    Returns:
        (H, W, 3) uint8.

    Raises:
        UserError: it is nothing of that kind, or of a size that is not read.
    """
    array = np.asarray(source)
    shape = " x ".join(map(str, array.shape)) or "a single value"
    if array.dtype.kind not in "buif":
        raise UserError(
            f"{name} is neither a path, nor encoded bytes, nor a PIL image, nor an array of numbers "
            f"({type(source).__name__}); give one of these."
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise UserError(f"{name} has the shape {shape}; give height x width, or height x width x 1, 3 or 4 channels.")
    check_size(array.shape[1::-1], name)
    try:
        array = to_uint8(array)
    except ValueError as error:
        raise UserError(f"{name} cannot be scaled to grey levels: {error}.") from error
    if array.shape[2] == 4:
        return np.asarray(flatten(Image.fromarray(array)))
    return array if array.shape[2] == 3 else np.repeat(array, 3, axis=2)
