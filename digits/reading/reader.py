"""From an image to its reading.

    from digits import read_image
    record = read_image("photo.jpg")             # or a PIL image, or an array
    record["text"], record["confidence"]         # "2026", 0.97; "", None when there is no digit
    record["digits"][0]                          # {"digit": 2, "confidence": 0.99, "box": [x0, y0, x1, y1],
                                                 #  "top": [[2, 0.99], [7, 0.005], [1, 0.001]]}

`many_images.read_images` does the same for many, and for every page of a document.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, NamedTuple

from digits.inference import model_files, runtimes
from digits.support.messages import UserError, printable

if TYPE_CHECKING:
    import numpy as np

    from digits.reading.candidates import Layout
    from digits.reading.image_loader import Page, Source

BATCH_IMAGES = 32  # at most this many images go through the network together
BATCH_PIXELS = 1 << 20  # ... and about this many pixels: a page is read before the next one is drawn


class Settings(NamedTuple):
    """How to read; see `read_image`."""

    model_path: str | None = None
    runtime: str = "auto"
    single: bool = False
    min_confidence: float | None = None
    invert: str = "auto"
    top_k: int = 3

    def check(self) -> None:
        """Raise ValueError where a setting has none of its values."""
        for name, allowed in (("runtime", ("auto", "litert", "keras")), ("invert", ("auto", "yes", "no")), ("top_k", range(1, 11))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(map(str, allowed))}")
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise ValueError(f"min_confidence is {self.min_confidence!r}; it must be from 0 to 1")


class Job(NamedTuple):
    """One image to read, or a document with all its pages.

    Attributes:
        name: what the record calls it; None for an image without a path.
        source: what `image_loader.load_image` takes. In `read_images` it goes to other processes.
        annotated: where to write the annotated copy (`NAME.png`; of a page `NAME#2.png`), or None.
        error: when not None, the image is known to be unreadable, and this is why.
    """

    name: str | None
    source: Source
    annotated: str | None = None
    error: str | None = None


class Inspection(NamedTuple):
    """The reading of one page, and what led to it: the arguments of `annotation.draw_reading`.

    Attributes:
        page: image_loader.Page.
        record: see `read_image`.
        digits: the record's "digits"; where it has none, what was refused (see `refusal_reasons.refused_digits`).
        images: (len(digits), 28, 28) uint8, what the network saw of each.
        reason: why nothing was read, as a sentence; "" where something was.
    """

    page: Page
    record: dict
    digits: list[dict]
    images: np.ndarray
    reason: str


def read_image(
    source: Source,
    model_path: str | os.PathLike | None = None,
    runtime: str = "auto",
    single: bool = False,
    min_confidence: float | None = None,
    invert: str = "auto",
    top_k: int = 3,
) -> dict:
    """Read the digits in one image.

    Args:
        source: path; encoded image as bytes or binary file object; PIL image; or array (H, W), (H, W, 3) or
            (H, W, 4) of bool, uint8, uint16 or numbers 0..1 or 0..255 (see `image_loader.load_image`).
        model_path: the `.keras` file (default: the default model).
        runtime: "auto", "litert" or "keras" (see `runtimes.load_network`).
        single: the image holds exactly one digit: answer with one, never with several or none.
        min_confidence: a number is read where its confidence is at least this; below, the answer is unsure
            (default: `decoding.MIN_CONFIDENCE`).
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).
        top_k: how many alternatives to report for each digit, 1 to 10.

    Returns:
        dict, ready for JSON: "file" (the path, or None; `scan.pdf#2` for the second page of several), "page" (its number
        from 1, or None where there is a single one), "text" (the digits in reading order, "" for none),
        "confidence" (of the whole text, 0 to 1, or None), "unsure" (bool), "digits" (list of dicts "digit",
        "confidence", "box" in pixels of the upright image, "top"), "separators", "guess", "notes" (sentences
        about what was left out), "error" (None). See `decoding.DigitReader.read_layouts` for each.

    Raises:
        UserError: the image or the model cannot be read.
        ValueError: an argument has none of the values named above.
    """
    path = None if model_path is None else os.fspath(model_path)
    settings = Settings(path, runtime, single, min_confidence, invert, top_k)
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    with contextlib.closing(_cached_reader(settings, _stamp(model_path)).read([Job(name, source)])) as records:
        record = next(records)
    if record["error"]:
        raise UserError(record["error"])
    if record["page"]:
        record["notes"].append(f"{printable(name or 'the image')} has several pages; the first was read.")
    return record


class ImageReader:
    """Reads batches of images with one network, in this process.

    Args:
        settings: Settings.
        warn: see `read_images`.
        threads: of the network.

    Raises:
        UserError: the model cannot be read.
        ValueError: a setting has none of its values.
    """

    def __init__(
        self, settings: Settings = Settings(), warn: Callable[[str], object] = runtimes.print_note, threads: int = runtimes.THREADS
    ) -> None:
        # Here and not above: these import NumPy, OpenCV and Pillow.
        from digits.reading import candidates, decoding, image_loader, ink

        settings.check()
        self._single, self._top_k = settings.single, settings.top_k
        self._loader, self._least_side = image_loader, ink.FINE_SIDE
        self._find = functools.partial(candidates.find_candidates, invert=settings.invert)
        network = runtimes.load_network(settings.model_path, settings.runtime, threads, warn)
        self._digits = decoding.DigitReader(network, settings.min_confidence)

    def read(self, jobs: list[Job]) -> Generator[dict, None, None]:
        """Yield the records of a list of Job, one for each page, with few calls of the network; see `read_images`."""
        pages: list[tuple] = []
        pixels = 0
        for job in jobs:
            for record, page, layout in self._find_pages(job):
                pages.append((job, record, page, layout))
                pixels += 0 if page.image is None else page.image.shape[0] * page.image.shape[1]
                if len(pages) == BATCH_IMAGES or pixels >= BATCH_PIXELS:
                    yield from self._read_pages(pages)
                    pages, pixels = [], 0
        yield from self._read_pages(pages)

    def _find_pages(self, job: Job) -> Iterator[tuple[dict, Page, Layout | None]]:
        """Yield (record so far, Page, Layout or None where the record says why there is none) for each page of a job."""
        notes: list[str] = []
        if job.error:
            pages = iter([self._loader.Page(None, error=job.error)])
        else:
            pages = self._loader.load_pages(job.source, job.name, notes, self._least_side)
        for page in pages:
            name = f"{job.name}#{page.number}" if job.name and page.number else job.name
            record = {**empty_record(name, page.error), "page": page.number, "notes": list(notes)}
            layout = None
            if page.image is not None:
                called = printable(name or "the image")
                try:
                    layout = self._find(page.image, full_size=page.full_size)
                except MemoryError:
                    record["error"] = f"{called} does not fit into memory; scale it down."
                except Exception as error:  # one strange image must not cost the reading of the others
                    fault = f"{type(error).__name__}: {printable(str(error))}"
                    record["error"] = f"{called} causes an error in this program ({fault}); please report it with the image."
            yield record, page, layout

    def _read_pages(self, pages: list[tuple]) -> Iterator[dict]:
        """Yield the records of pages in which candidates have been found, after one call of the network."""
        layouts = [layout for _, _, _, layout in pages if layout is not None]
        readings = iter(self._digits.read_layouts(layouts, self._single, self._top_k))
        for job, record, page, layout in pages:
            if layout is not None:
                images = _complete(record, layout, next(readings))
                if job.annotated:
                    record["annotated"] = _write_annotated(job.annotated, self._explain(page, layout, record, images))
            yield record

    def inspect(self, job: Job) -> Generator[Inspection, None, None]:
        """Yield the reading of each page of a job with what led to it."""
        import numpy as np

        for record, page, layout in self._find_pages(job):
            if layout is None:
                yield Inspection(page, record, [], np.zeros((0, 28, 28), np.uint8), "")
            else:
                (reading,) = self._digits.read_layouts([layout], self._single, self._top_k)
                yield self._explain(page, layout, record, _complete(record, layout, reading))

    def _explain(self, page: Page, layout: Layout, record: dict, images: np.ndarray) -> Inspection:
        """Return what led to a record; `images` are those of its digits."""
        from digits.reading import refusal_reasons

        if record["digits"]:
            return Inspection(page, record, record["digits"], images, "")
        digits, images = refusal_reasons.refused_digits(layout, self._digits.network(layout.images), self._top_k)
        return Inspection(page, record, digits, images, refusal_reasons.reason(layout, record))


def _complete(record, layout, reading):
    """Put a reading of `DigitReader` into the record of its page. Returns what the network saw of each digit."""
    from digits.reading.ink import MOST_CLUTTER

    images = reading.pop("images")
    name = printable(record["file"] or "the image")
    record.update(reading, notes=record["notes"] + [f"{name} {note}" for note in reading.pop("notes")])
    if layout.clutter > MOST_CLUTTER and not record["digits"]:
        record["notes"].append(f"{name} has no plain paper around its ink; crop it to the writing and some paper around it.")
    if layout.crowded and record["digits"]:
        record["notes"].append(f"{name} has more strokes than are looked at, so parts may be missing. Crop it and read the parts.")
    return images


def _write_annotated(path, inspection):
    """Write the annotated copy of a page. Returns its path."""
    from digits.reading import annotation

    if inspection.page.number:
        stem, ending = os.path.splitext(path)
        path = f"{stem}#{inspection.page.number}{ending}"
    annotation.write_reading(path, annotation.draw_reading(*inspection))
    return path


def empty_record(name: str | None, error: str | None) -> dict:
    """Return the record of an image in which nothing has been read; see `read_image`."""
    return {
        "file": name,
        "page": None,
        "text": "",
        "confidence": None,
        "unsure": False,
        "digits": [],
        "separators": [],
        "guess": None,
        "notes": [],
        "error": error,
    }


def _cached_reader(settings, stamp):
    with _creation:  # for one thread at a time: the others wait, and find it in the cache
        return _new_reader(settings, stamp)


_creation = threading.Lock()


@functools.lru_cache(maxsize=2)
def _new_reader(settings, stamp):
    return ImageReader(settings)


def _stamp(model_path):
    """Return what changes when a model is trained again, so that a cached one is not used for it."""
    try:
        status = os.stat(model_files.files_of(model_path).keras)
        return status.st_mtime_ns, status.st_size
    except OSError:
        return None
