"""Any picture to one kind of array: upright, opaque, 8-bit RGB.

    image = load_image("photo.jpg")              # (height, width, 3) uint8, as a viewer would show it
    image = load_image(array_or_pil_image)       # the same from what a notebook holds

Pillow decodes, by content and never by a file's name, and only the formats of a short list: each has a
decoder that is fuzzed in public, and none starts another program (EPS would run Ghostscript). Pictures
come from strangers, so the file must be a regular one, its size in pixels is checked before anything
is decoded, and every fault is a `UserError` that names the picture, the fault and the remedy.

The picture keeps its full size: decoding 12 megapixels takes about 0.05 s, little more than at half size,
and coordinates found in the array are then those of the picture.
"""

import contextlib
import importlib
import io
import os
import re
import stat
import warnings
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from digits.support import native_output
from digits.support.messages import UserError, printable, reason

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray  # what `load_image` takes
MAX_PIXELS = 89_478_485  # Pillow's own decompression-bomb limit: 256 MiB of RGB
MAX_STREAM_BYTES = 1 << 29  # a stream has no size to look at beforehand

_SIGNATURES = {
    "PNG": rb"\x89PNG",
    "JPEG": rb"\xff\xd8\xff",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "WEBP": rb"RIFF....WEBP",
    "PPM": rb"P[1-6f]\s",
}
_PLUGINS = {"TIFF": "PIL.TiffImagePlugin", "WEBP": "PIL.WebPImagePlugin"}  # the others Pillow always has ready
_OTHERS = [
    (rb"%PDF", "a PDF document", "export the page as a PNG"),
    (rb"(\xef\xbb\xbf)?\s*<(\?xml|svg|!DOCTYPE svg)", "an SVG drawing", "export it as a PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document", "export it as a PNG"),
    (
        rb"....ftyp(hei|hev|mif|msf)",
        "a HEIC photo",
        "convert it to JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)",
    ),
    (rb"....ftypavi", "an AVIF picture", "convert it to PNG or JPEG"),
]
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by the value of EXIF's Orientation tag
_EXIF_ORIENTATION = 0x0112


def load_image(source: Source, name: str | None = None, notes: list[str] | None = None) -> np.ndarray:
    """Return a picture as it should be seen.

    EXIF orientation is applied; transparency is flattened on white, or on black where nothing would show
    on white. 16-bit values are scaled to 8 bits; numbers without a fixed range follow `to_uint8`.
    Of an animation or a document of several pages the first is taken.

    Args:
        source: path (str or os.PathLike); an encoded image as bytes or binary file object; PIL image; or
            array of numbers (H, W), (H, W, 1), (H, W, 3) or (H, W, 4, the last channel alpha).
        name: what to call the picture in messages (default: its path, or "the image").
        notes: a list that receives a sentence for each part of the source that was left out.

    Returns:
        (H, W, 3) uint8 array, RGB. It may share memory with `source` or be read-only.

    Raises:
        UserError: there is no such picture, it cannot be decoded, or it has more than MAX_PIXELS pixels.
    """
    notes = [] if notes is None else notes
    if isinstance(source, (str, os.PathLike)):
        name = printable(name or source)
        with _open_file(source, name) as file, _decoding(name):
            return _load(_open_image(file, name), name, notes)
    name = printable(name or "the image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        source = io.BytesIO(source)
    if hasattr(source, "read"):
        data = _read_stream(source, name)
        with _decoding(name):
            return _load(_open_image(io.BytesIO(data), name), name, notes)
    if isinstance(source, Image.Image):
        with _decoding(name):
            return _load(source, name, notes)
    return _load_array(source, name)


def to_uint8(values: np.ndarray) -> np.ndarray:
    """Scale numbers to 0..255, black to white, by one rule.

    Booleans are black and white, uint8 stays, uint16 is divided by 257. Other numbers have no fixed range:
    white is the smallest of 1 (floats only), 255 and 65535 that no value exceeds. Where values are negative
    or larger than all three, the smallest becomes 0 and the largest 255. Values that are not finite become
    the median of the others: most of a picture is its background.

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


def _open_file(path, name):
    """Open a regular file for reading. A pipe or a device is refused before it is opened: it could block."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{name} is a folder; name an image in it.")
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{name} is a pipe, a socket or a device, not a file; save the image to a file first.")
        if status.st_size == 0:
            raise UserError(f"{name} is empty (0 bytes); save or download it again.")
        return open(path, "rb")
    except FileNotFoundError:
        if os.path.islink(path):
            raise UserError(f"{name} is a link to a file that does not exist; link it to the image.") from None
        raise UserError(f"{name} does not exist; check the name.") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise UserError(f"cannot open {name}: {reason(error)}; check the name and its permissions.") from error


def _read_stream(file, name):
    """Return the bytes of a binary file object, at most MAX_STREAM_BYTES."""
    try:
        data = file.read(MAX_STREAM_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {name}: {reason(error)}.") from error
    if not isinstance(data, (bytes, bytearray)):
        raise UserError(f"{name} was opened as text; open it in binary mode.")
    if len(data) > MAX_STREAM_BYTES:
        raise UserError(f"{name} is longer than {MAX_STREAM_BYTES >> 20} MiB; save it as a smaller image.")
    return bytes(data)


def _open_image(file, name):
    """Read an image's header with the one decoder that its first bytes call for."""
    head = file.read(256)
    file.seek(0)
    if not head:
        raise UserError(f"{name} is empty (0 bytes); save or download it again.")
    kind = next((kind for kind, pattern in _SIGNATURES.items() if re.match(pattern, head, re.DOTALL)), None)
    if kind is None:
        for pattern, what, remedy in _OTHERS:
            if re.match(pattern, head, re.DOTALL):
                raise UserError(f"{name} is {what}; {remedy}.")
        raise UserError(f"{name} is not an image of a kind read here (PNG, JPEG, GIF, BMP, TIFF, WebP, PPM); convert it to PNG.")
    if kind in _PLUGINS:
        importlib.import_module(_PLUGINS[kind])
    return Image.open(file, formats=[kind])


@contextlib.contextmanager
def _decoding(name):
    """Turn whatever a decoder raises on a damaged file into one sentence, and keep its warnings quiet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"{name} has more than the {MAX_PIXELS / 1e6:.0f} million pixels that are read; scale it down.") from error
    except MemoryError as error:
        raise UserError(f"{name} does not fit into memory; scale it down.") from error
    except Exception as error:  # struct.error, KeyError, EOFError: on mutated files decoders raise nearly anything
        why = "its end is missing" if "truncated" in str(error) else printable(reason(error)).rstrip(".")
        if isinstance(error, UnidentifiedImageError):
            why = "no picture can be made of what follows its first bytes"
        raise UserError(f"{name} is damaged or incomplete ({why}); save or download it again.") from error


def _load(image, name, notes):
    """Decode a PIL image into the array that `load_image` returns."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{name} has {width} x {height} pixels, more than the {MAX_PIXELS / 1e6:.0f} million that are read; scale it down."
        )
    if width * height == 0:
        raise UserError(f"{name} has no pixels ({width} x {height}); save it again.")
    # libtiff speaks to standard error itself; only TIFF waits for the descriptor to be turned away and back.
    with native_output.silenced() if image.format == "TIFF" else contextlib.nullcontext():
        # Phones hide a second exposure or a preview in a JPEG ("MPO"): nothing that a reader would miss.
        if getattr(image, "is_animated", False) and image.format != "MPO" and image.tell() == 0:
            what = "pages" if image.format == "TIFF" else "frames"
            notes.append(f"{name} has several {what}; the first was read.")
        image.load()
        image = _upright(image)
        if image.mode.startswith(("I", "F")):
            values = np.asarray(image)
            image = Image.fromarray(to_uint8(values.astype(values.dtype.newbyteorder("="), copy=False)))
        if image.has_transparency_data:
            image = _flatten(image if image.mode == "RGBA" else image.convert("RGBA"))
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _upright(image):
    """Turn a picture as its EXIF orientation asks; a damaged EXIF block is no reason to refuse the pixels."""
    try:
        turn = _UPRIGHT.get(image.getexif().get(_EXIF_ORIENTATION))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def _flatten(image):
    """Lay an RGBA image on white; on black if that leaves no pixel darker than three quarters of white."""
    for background in ("white", "black"):
        flat = Image.new("RGB", image.size, background)
        flat.paste(image, mask=image.getchannel("A"))
        if np.asarray(flat.convert("L")).min() < 192:
            break
    return flat


def _load_array(source, name):
    """Return an array of numbers as RGB bytes."""
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
    if array.size == 0:
        raise UserError(f"{name} has no pixels ({shape}); give at least one.")
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise UserError(
            f"{name} has {array.shape[1]} x {array.shape[0]} pixels, more than the "
            f"{MAX_PIXELS / 1e6:.0f} million that are read; scale it down."
        )
    try:
        array = to_uint8(array)
    except ValueError as error:
        raise UserError(f"{name} cannot be scaled to grey levels: {error}.") from error
    if array.shape[2] == 4:
        return np.asarray(_flatten(Image.fromarray(array)))
    return array if array.shape[2] == 3 else np.repeat(array, 3, axis=2)
