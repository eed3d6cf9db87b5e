"""A reading with everything that explains it: what the network saw of each digit, and all ten probabilities.

    inspect(reader, data, "scan.tif", preview=1200)[0]
    # the record of predict.py with ten probabilities a digit, and beside them:
    # "size" [width, height], "images" (28x28 bytes of each digit, in base64), "preview" (a data URL)

Bytes in, JSON out; nothing here knows of HTTP. Of a document at most MAX_PAGES pages are read, so that one request cannot
keep all others waiting for long.
"""

import base64
import collections
import contextlib
import io
import itertools
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from digits.reading.annotation import draw_reading
from digits.reading.reader import ImageReader, Inspection, Job, empty_record
from digits.reading.record_json import json_ready
from digits.support.messages import UserError, printable

MAX_PAGES = 50


def read(reader: ImageReader, data: bytes, name: str | None = None) -> list[dict]:
    """Return the records of an image, one for each page: those of predict.py; see `reader.read_image`."""
    with contextlib.closing(reader.read([Job(name, data)])) as records:
        found = list(_first_pages(records, name, lambda record: record))
    for digit in (digit for record in found for digit in record["digits"]):
        digit["top"] = digit["top"][:3]
    return found


def inspect(reader: ImageReader, data: bytes, name: str | None = None, preview: int = 0, number: int | None = None) -> list[dict]:
    """Read an image and explain the reading.

    Args:
        reader: an ImageReader with `top_k=10`.
        data: the encoded image.
        name: what to call it.
        preview: the longer side of the preview in pixels, for images that browsers cannot show; 0 for none.
        number: of the only page that is wanted, or None for all. Raises UserError where there is none.

    Returns:
        list of dicts, ready for JSON, one for each page: the record (see `reader.read_image`) and "size", "images", "preview"
        (None without one), "refused" and "reason". Where no digit was found, "refused" holds what was seen instead, as
        "digits" would, "images" are of that, and "reason" is a sentence. Beside an "error" there is none of these.
    """
    with contextlib.closing(reader.inspect(Job(name, data))) as inspections:
        if number is not None:
            return [_explained(_page(inspections, number), preview)]
        return list(_first_pages(inspections, name, lambda inspection: _explained(inspection, preview)))


def annotate(reader: ImageReader, data: bytes, name: str | None = None, number: int | None = None) -> bytes:
    """Return the PNG that `predict.py --annotate` draws of the page `number` (default: the first).

    Raises:
        UserError: it cannot be read, or has no such page.
    """
    with contextlib.closing(reader.inspect(Job(name, data))) as inspections:
        inspection = _page(inspections, number or 1)
    if inspection.record["error"]:
        raise UserError(inspection.record["error"])
    file = io.BytesIO()
    draw_reading(*inspection).save(file, "PNG")
    return file.getvalue()


def _page(inspections: Iterator[Inspection], number: int) -> Inspection:
    """Return the inspection of the page `number`, counted from 1, or of an earlier one that ends the reading. Raises UserError."""
    pages = collections.deque(enumerate(itertools.islice(inspections, number), 1), maxlen=1)
    last, inspection = pages.pop()
    if last < number and not inspection.record["error"]:
        raise UserError(f"there is no page {number}; the last is page {last}.")
    return inspection


def _first_pages(pages: Iterator, name: str | None, use: Callable) -> Iterator[dict]:
    """Yield `use(page)` for the first MAX_PAGES pages, and a record that says so where there are more."""
    for count, page in enumerate(pages):
        if count == MAX_PAGES:
            called = printable(name or "the document")
            yield empty_record(
                name, f"{called} has more than {MAX_PAGES} pages; the first {MAX_PAGES} were read. predict.py reads them all."
            )
            return
        yield use(page)


def _explained(inspection: Inspection, preview: int) -> dict:
    page, record, digits, images, reason = inspection
    if record["error"] or page.image is None:
        return json_ready(record)
    size = page.full_size or (page.image.shape[1], page.image.shape[0])
    return {
        **json_ready(record),
        "size": list(size),
        "images": [base64.b64encode(one.tobytes()).decode() for one in images],
        "preview": _preview(page.image, preview) if preview else None,
        "refused": [] if record["digits"] else json_ready({**record, "digits": digits})["digits"],
        "reason": reason,
    }


def _preview(image: np.ndarray, side: int) -> str:
    """Return an image as a JPEG in a data URL, its longer side at most `side` pixels."""
    small = Image.fromarray(image)
    small.thumbnail((side, side))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
