"""Any image to one kind of array: upright, opaque, 8-bit RGB.

    image = load_image("photo.jpg")              # (height, width, 3) uint8, as a viewer would show it
    image = load_image(array_or_pil_image)       # the same from what a notebook holds
    for page in load_pages("scan.pdf"):          # every page of a PDF or TIFF; of any other file the one image
        page.image, page.number                  # (height, width, 3) uint8, 1

Images come from strangers, so the file must be a regular one, it is opened by the decoder that its first bytes call for
(see `image_formats`), its size in pixels is checked before anything is decoded, and every fault is a `UserError` that
names the image, the fault and the remedy.
"""

import contextlib
import io
import os
import stat
import warnings
from collections.abc import Generator
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from digits.reading import image_arrays, image_formats
from digits.reading.image_formats import MAX_PAGES, Page
from digits.support import native_output
from digits.support.messages import UserError, printable, reason

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray  # what `load_image` takes
MAX_STREAM_BYTES = 1 << 29  # a stream has no size to look at beforehand
warnings.filterwarnings("ignore", module="PIL")  # about damaged files; `catch_warnings` is not safe for threads
_NO_PAGE = 0b101  # bits of TIFF's NewSubfileType: a preview of another page, a mask for it
_NEW_SUBFILE_TYPE = 254


def load_image(
    source: Source, name: str | None = None, notes: list[str] | None = None, least_side: int | None = None
) -> np.ndarray:
    """Return an image as it should be seen, at its full size.

    EXIF orientation is applied; transparency is flattened on white, or on black where nothing would show
    on white. 16-bit values are scaled to 8 bits; numbers without a fixed range follow `image_arrays.to_uint8`.
    A page of a PDF is drawn at 200 dots per inch, one above A1 at fewer. Of an animation or of several pages the first is taken.

    Args:
        source: path (str or os.PathLike); an encoded image as bytes or binary file object; PIL image; or
            array of numbers (H, W), (H, W, 1), (H, W, 3) or (H, W, 4, the last channel alpha).
        name: what to call the image in messages (default: its path, or "the image").
        notes: a list that receives a sentence for each part of the source that was left out.
        least_side: when given, a large JPEG may come smaller; see `load_pages`.

    Returns:
        (H, W, 3) uint8 array, RGB. It may share memory with `source` or be read-only.

    Raises:
        UserError: there is no such image, it cannot be decoded, or it has more than `image_arrays.MAX_PIXELS` pixels.
    """
    notes = [] if notes is None else notes
    with contextlib.closing(load_pages(source, name, notes, least_side)) as pages:
        page = next(pages)
    if page.image is None:
        raise UserError(page.error)
    if page.number:
        notes.append(f"{_name_of(source, name)} has several pages; the first was read.")
    return page.image


def load_pages(
    source: Source, name: str | None = None, notes: list[str] | None = None, least_side: int | None = None
) -> Generator[Page, None, None]:
    """Yield every page of a PDF or TIFF, or the one image of any other source, each when it is asked for.

    What cannot be read comes as a Page with an "error". A page that cannot be read does not cost the others.

    Args:
        source, name, notes: as for `load_image`.
        least_side: when given, a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, as long as its long side keeps this
            many pixels. Most of the time that decoding takes goes into pixels that would be thrown away.

    Yields:
        Page, at least one.
    """
    called = _name_of(source, name)
    try:
        yield from _pages(source, called, [] if notes is None else notes, least_side)
    except Exception as error:
        yield Page(None, error=_sentence(error, called))


def _name_of(source, name):
    return printable(name or (source if isinstance(source, (str, os.PathLike)) else "the image"))


def _pages(source, called, notes, least_side):
    """Yield the pages of any source; see `load_pages`."""
    if isinstance(source, Image.Image):
        yield Page(_to_array(source, called))
    elif isinstance(source, (str, os.PathLike)):
        with _open_file(source, called) as file:
            yield from _read_pages(file, called, notes, least_side)
    elif isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        data = _read_stream(source if hasattr(source, "read") else io.BytesIO(source), called)
        yield from _read_pages(io.BytesIO(data), called, notes, least_side)
    else:
        yield Page(image_arrays.from_numbers(source, called))


def _read_pages(file, name, notes, least_side):
    """Yield the pages of an open file; see `load_pages`."""
    kind = image_formats.kind_of(file, name)
    if kind == "PDF":
        yield from _pdf_pages(file, name)
    elif kind == "TIFF":
        yield from _tiff_pages(file, name)
    else:
        yield _only_page(file, kind, name, notes, least_side)


def _only_page(file, kind, name, notes, least_side):
    """Return the image of a file of one page, as a Page; see `load_pages`."""
    image = image_formats.open_image(file, kind, name)
    # Phones hide a second exposure or a preview in a JPEG ("MPO"): nothing that a reader would miss.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        notes.append(f"{name} has several {'images' if kind == 'HEIF' else 'frames'}; the first was read.")
    image_arrays.check_size(image.size, name)
    if kind != "JPEG" or least_side is None or (factor := max(image.size) // least_side) < 2:
        return Page(_to_array(image, name))
    width, height = image.size if _orientation(image) < 5 else image.size[::-1]
    image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))
    return Page(_to_array(image, name), full_size=(width, height))


def _pdf_pages(file, name):
    """Yield the pages of a PDF; see `load_pages`."""
    import tempfile  # here and not above: few images are PDFs

    from digits.reading import pdf_pages

    with contextlib.ExitStack() as stack:
        if isinstance(file, io.BytesIO):  # the process that draws needs a real file
            content, file = file.getbuffer(), stack.enter_context(tempfile.TemporaryFile())
            file.write(content)
            file.seek(0)
        yield from stack.enter_context(contextlib.closing(pdf_pages.render_pages(file, name)))


def _tiff_pages(file, name):
    """Yield the pages of a TIFF; see `load_pages`."""
    image = image_formats.open_image(file, "TIFF", name)
    frames = _tiff_frames(image, name)
    for index, frame in enumerate(frames):
        number = index + 1 if len(frames) > 1 else None
        page = name if number is None else f"page {number} of {name}"
        try:
            image.seek(frame)
            read = Page(_to_array(image, page), number)
        except Exception as error:
            read = Page(None, number, error=_sentence(error, page))
        yield read


def _tiff_frames(image, name):
    """Return the places of the pages among the images in a TIFF: without previews and masks of others."""
    frames = []
    for frame in range(MAX_PAGES + 1):
        try:
            image.seek(frame)
            if not image.tag_v2.get(_NEW_SUBFILE_TYPE, 0) & _NO_PAGE:
                frames.append(frame)
        except EOFError:
            return frames or [0]
        except Exception:  # the chain from page to page is broken here: reading this one will say so
            return [*frames, frame]
    raise UserError(f"{name} has more than the {MAX_PAGES} pages that are read; split it.")


def _open_file(path, name):
    """Open a regular file for reading. A pipe or a device is refused before it is opened: it could block."""
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"{name} is a folder; name an image in it.")
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{name} is a pipe, a socket or a device, not a file; save the image to a file first.")
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


def _sentence(error, name):
    """Return the sentence for whatever was raised on the way to an image: on damaged files decoders raise nearly anything."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"{name} has more than the {image_arrays.MAX_PIXELS / 1e6:.0f} million pixels that are read; scale it down."
    if isinstance(error, MemoryError):
        return f"{name} does not fit into memory; scale it down."
    why = "its end is missing" if "truncated" in str(error) else printable(reason(error).splitlines()[0]).rstrip(".")
    if isinstance(error, UnidentifiedImageError):
        why = "no image can be made of what follows its first bytes"
    return f"{name} is damaged or incomplete ({why}); save or download it again."


def _to_array(image, name):
    """Decode a PIL image into an array as `load_image` returns it."""
    image_arrays.check_size(image.size, name)
    # libtiff speaks to standard error itself; only TIFF waits for the descriptor to be turned away and back.
    with native_output.silenced() if image.format == "TIFF" else contextlib.nullcontext():
        image.load()
    if _orientation(image) != 1:  # for `exif_transpose` copies what is upright, too
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        image = Image.fromarray(image_arrays.to_uint8(values.astype(values.dtype.newbyteorder("="), copy=False)))
    if image.has_transparency_data:
        image = image_arrays.flatten(image if image.mode == "RGBA" else image.convert("RGBA"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _orientation(image):
    """Return the EXIF orientation, 1 to 8; a damaged EXIF block is no reason to refuse the pixels."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:
        return 1
    return orientation if orientation in range(1, 9) else 1
