"""Many images: an answer for each, in the order given, each as soon as it is done.

    from digits import read_images
    for record in read_images(["photo.jpg", "scan.pdf"]):       # see `reader.read_image` for the records
        record["file"], record["text"]                          # "photo.jpg", "7"; "scan.pdf#1", "2026"; "scan.pdf#2", ...

A handful is read in this process; for more, worker processes each read a batch at a time (finding digits is many small
steps of Python, which threads cannot share), and only a few batches are under way at any time, so memory does not grow
with the number of files.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from digits.inference import model_files, runtimes
from digits.reading.reader import BATCH_IMAGES, ImageReader, Job, Settings
from digits.support.messages import UserError, printable

if TYPE_CHECKING:
    from digits.reading.image_loader import Source

BATCH_BYTES = 1 << 18  # about this much of encoded image goes to a process at a time: photographs go one by one
FEW_BATCHES = 8  # fewer than this are done before worker processes have started
MAX_WORKERS = 4  # each takes about 80 MB


def read_images(
    images: Iterable[Source | Job], settings: Settings = Settings(), warn: Callable[[str], object] = runtimes.print_note
) -> Iterator[dict]:
    """Read many images. Worker processes import the main script: keep its work under `if __name__ == "__main__"`.

    Args:
        images: iterable of paths, of what else `image_loader.load_image` takes (but no open files), or of Job. It is
            consumed as the reading goes on.
        settings: Settings.
        warn: called with each sentence about the model's files.

    Yields:
        the records of `read_image`, in the order of `images`, one for each page of a document; one that cannot be read
        has "error" set to the reason, and the others go on.

    Raises:
        UserError: the model cannot be read, or an annotated copy cannot be written.
    """
    batches = _batches(map(_job, images))
    first = list(itertools.islice(batches, FEW_BATCHES))
    batches = itertools.chain(first, batches)
    workers = min(_processors(), MAX_WORKERS)
    worthwhile = len(first) == FEW_BATCHES and workers > 1
    if worthwhile and settings.runtime != "keras" and model_files.litert_obstacle(settings.model_path) is None:
        yield from _read_in_processes(batches, settings._replace(runtime="litert"), workers)
        return
    reader = ImageReader(settings, warn)
    for batch in batches:
        yield from reader.read(batch)


def _job(image):
    if isinstance(image, Job):
        return image
    return Job(os.fspath(image) if isinstance(image, (str, os.PathLike)) else None, image)


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
        return source.nbytes if hasattr(source, "nbytes") else os.stat(source).st_size
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
                    yield from pending[0][1].result()  # a batch stays the first of them until it is read
                    pending.popleft()
            while pending:
                yield from pending[0][1].result()
                pending.popleft()
        except BrokenProcessPool as error:
            name = printable(pending[0][0][0].name or "the image") if pending else "the last image"
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
    return list(_worker_reader(settings).read(jobs))


@functools.cache
def _worker_reader(settings):
    return ImageReader(settings, warn=lambda sentence: None, threads=1)  # there is nothing to say, or `read_images` has said it


def _processors():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
