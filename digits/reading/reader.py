"""From a picture to its reading: one picture in a notebook, or a hundred thousand files at full speed.

    from digits import read_image
    record = read_image("photo.jpg")             # or a PIL image, or an array
    record["text"], record["confidence"]         # "2026", 0.97; "", None when there is no digit
    record["digits"][0]                          # {"digit": 2, "confidence": 0.99, "box": [x0, y0, x1, y1],
                                                 #  "top": [[2, 0.99], [7, 0.005], [1, 0.001]]}

`read_images` does the same for many, in the order given, each as soon as it is done. A handful is read in this process;
for more, worker processes each read a batch at a time (finding digits is many small steps of Python, which threads cannot
share), and only a few batches are under way at any time, so memory does not grow with the number of files.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from digits.inference import model_files, network
from digits.support import files
from digits.support.messages import UserError, printable

if TYPE_CHECKING:
    from digits.reading.image_loader import Source

BATCH_IMAGES = 32  # at most this many images go through the network together
BATCH_BYTES = 1 << 18  # ... and about this much of encoded image: photographs go one by one
FEW_BATCHES = 8  # fewer than this are done before worker processes have started
MAX_WORKERS = 4  # each takes about 80 MB


class Settings(NamedTuple):
    """How to read; see `read_image`."""

    model_path: str | None = None
    runtime: str = "auto"
    single: bool = False
    min_confidence: float | None = None
    invert: str = "auto"
    top_k: int = 3


class Job(NamedTuple):
    """One picture to read.

    Attributes:
        name: what the record calls it; None for a picture without a path.
        source: what `image_loader.load_image` takes. In `read_images` a path or bytes, which go to other processes.
        annotated: where to write the annotated copy (PNG), or None.
        error: when not None, the picture is known to be unreadable, and this is why.
    """

    name: str | None
    source: Source
    annotated: str | None = None
    error: str | None = None


def read_image(
    source: Source,
    model_path: str | os.PathLike | None = None,
    runtime: str = "auto",
    single: bool = False,
    min_confidence: float | None = None,
    invert: str = "auto",
    top_k: int = 3,
) -> dict:
    """Read the digits in one picture.

    Args:
        source: path; encoded image as bytes or binary file object; PIL image; or array (H, W), (H, W, 3) or
            (H, W, 4) of bool, uint8, uint16 or numbers 0..1 or 0..255 (see `image_loader.load_image`).
        model_path: the `.keras` file (default: the model in the box).
        runtime: "auto", "litert" or "keras" (see `network.load_network`).
        single: the picture holds exactly one digit: answer with one, never with several or none.
        min_confidence: a number is read where its confidence is at least this; below, the answer is unsure
            (default: `decoding.SURE`).
        invert: "auto", "yes" (dark ink on light paper) or "no" (light ink on dark).
        top_k: how many alternatives to report for each digit.

    Returns:
        dict, ready for JSON: "file" (the path, or None), "text" (the digits in reading order, "" for none),
        "confidence" (of the whole text, 0 to 1, or None), "unsure" (bool), "digits" (list of dicts "digit",
        "confidence", "box" in pixels of the upright picture, "top"), "separators", "guess", "notes" (sentences
        about what was left out), "error" (None). See `decoding.DigitReader.read_layouts` for each.

    Raises:
        UserError: the picture or the model cannot be read.
    """
    path = None if model_path is None else os.fspath(model_path)
    settings = Settings(path, runtime, single, min_confidence, invert, top_k)
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    (record,) = _cached_reader(settings, _stamp(model_path)).read([Job(name, source)])
    if record["error"]:
        raise UserError(record["error"])
    return record


def read_images(
    jobs: Iterable[Job], settings: Settings = Settings(), warn: Callable[[str], object] = network.print_note
) -> Iterator[dict]:
    """Read many pictures. Worker processes import the main script: keep its work under `if __name__ == "__main__"`.

    Args:
        jobs: iterable of Job. It is consumed as the reading goes on.
        settings: Settings.
        warn: called with each sentence about the model's files.

    Yields:
        the records of `read_image`, in the order of `jobs`; a picture that cannot be read has "error" set to the
        reason, and the others go on.

    Raises:
        UserError: the model cannot be read, or an annotated copy cannot be written.
    """
    batches = _batches(jobs)
    first = list(itertools.islice(batches, FEW_BATCHES))
    batches = itertools.chain(first, batches)
    workers = min(_processors(), MAX_WORKERS)
    worthwhile = len(first) == FEW_BATCHES and workers > 1
    if worthwhile and settings.runtime != "keras" and model_files.litert_obstacle(settings.model_path) is None:
        if sentence := model_files.mismatch(settings.model_path):
            warn(sentence)
        yield from _read_in_processes(batches, settings._replace(runtime="litert"), workers)
        return
    reader = ImageReader(settings, warn)
    for batch in batches:
        yield from reader.read(batch)


class ImageReader:
    """Reads batches of pictures with one network, in this process.

    Args:
        settings: Settings.
        warn: see `read_images`.

    Raises:
        UserError: the model cannot be read.
    """

    def __init__(self, settings: Settings = Settings(), warn: Callable[[str], object] = network.print_note) -> None:
        from digits.reading import (
            candidates,  # here and not above: these import NumPy, OpenCV and Pillow
            decoding,
            image_loader,
        )

        self._load_image, self._single, self._top_k = image_loader.load_image, settings.single, settings.top_k
        self._find = functools.partial(candidates.find_candidates, invert=settings.invert)
        self._digits = decoding.DigitReader(
            network.load_network(settings.model_path, settings.runtime, warn=warn),
            invert=settings.invert,
            **({} if settings.min_confidence is None else {"min_confidence": settings.min_confidence}),
        )

    def read(self, jobs: list[Job]) -> list[dict]:
        """Read a list of Job with one call of the network. Returns their records; see `read_images`."""
        records, found = [], []
        for job in jobs:
            record = empty_record(job.name, job.error)
            records.append(record)
            name = printable(job.name or "the image")
            if job.error is None:
                try:
                    image = self._load_image(job.source, job.name, record["notes"])
                    layout = self._find(image)
                    found.append((record, layout, job.annotated and image, job.annotated))
                except UserError as error:
                    record["error"] = str(error)
                except MemoryError:
                    record["error"] = f"{name} does not fit into memory; scale it down."
                except Exception as error:  # one strange picture must not cost the reading of the others
                    fault = f"{type(error).__name__}: {printable(str(error))}"
                    record["error"] = f"{name} meets a fault in this program ({fault}); please report it with the image."
        readings = self._digits.read_layouts([layout for _, layout, _, _ in found], self._single, self._top_k)
        for (record, layout, original, annotated), reading in zip(found, readings):
            pictures = reading.pop("pictures")
            notes = record["notes"] + reading.pop("notes")
            record.update(reading, notes=notes)
            if layout.crowded and record["digits"]:
                record["notes"].append(
                    f"{printable(record['file'] or 'the image')} has more strokes than are looked at; the "
                    "smallest were left out. Crop it and read the parts."
                )
            if annotated:
                _write_annotated(annotated, original, record, pictures)
                record["annotated"] = annotated
        return records


def empty_record(name: str | None, error: str | None) -> dict:
    """Return the record of an image in which nothing has been read; see `read_image`."""
    return {
        "file": name,
        "text": "",
        "confidence": None,
        "unsure": False,
        "digits": [],
        "separators": [],
        "guess": None,
        "notes": [],
        "error": error,
    }


def _write_annotated(path, image, record, pictures):
    from digits.reading import annotation

    with files.atomic_write(path) as temporary:
        annotation.draw_reading(image, record, pictures).save(temporary, "PNG")


def _batches(jobs):
    """Group jobs into lists of at most BATCH_IMAGES and about BATCH_BYTES; copies to annotate go one by one."""
    batch, size = [], 0
    for job in jobs:
        batch.append(job)
        size += BATCH_BYTES if job.annotated else _encoded_size(job.source)
        if len(batch) == BATCH_IMAGES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _encoded_size(source):
    if isinstance(source, bytes):
        return len(source)
    try:
        return os.stat(source).st_size
    except (OSError, ValueError, TypeError):  # reading it will say what is wrong
        return 0


def _read_in_processes(batches, settings, workers):
    """Read batches in worker processes; yield records in order, with a few batches under way at a time."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # "spawn" everywhere: a fork would copy the threads' locks of whatever this process has loaded.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_worker) as pool:
        pending: collections.deque = collections.deque()  # of (batch, future of its records)
        try:
            for batch in batches:
                with _interrupts_blocked():
                    pending.append((batch, pool.submit(_read_batch, settings, batch)))
                if len(pending) >= 4 * workers:
                    yield from pending.popleft()[1].result()
            while pending:
                yield from pending[0][1].result()
                pending.popleft()
        except BrokenProcessPool as error:
            name = printable(pending[0][0][0].name) if pending else "the last image"
            raise UserError(
                f"a worker process ended at or soon after {name} (out of memory, or a fault in a "
                "decoder); read the files from there on one by one."
            ) from error
        finally:
            for _, future in pending:
                future.cancel()


@contextlib.contextmanager
def _interrupts_blocked():
    """Start processes that never see Ctrl-C: it is for the one that writes the output, which ends the others."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker():
    import multiprocessing
    import threading

    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)  # the processes are what is parallel

    def end_with(parent):  # a parent that is killed cannot tell its workers to end
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _read_batch(settings, jobs):
    return _cached_reader(settings, None).read(jobs)


@functools.lru_cache(maxsize=2)
def _cached_reader(settings, stamp):
    return ImageReader(settings)


def _stamp(model_path):
    """Return what changes when a model is trained again, so that a cached one is not used for it."""
    try:
        status = os.stat(model_files.files_of(model_path).keras)
        return status.st_mtime_ns, status.st_size
    except OSError:
        return None


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
