"""The pages of a PDF document as images, drawn at 200 dots per inch.

    for page in render_pages(file, "scan.pdf"):
        page.image, page.number                    # (h, w, 3) uint8, 1; see `image_formats.Page`

A process of its own draws them (see `pdf_renderer`) while this one reads the page before: a document that would take for
ever, or all memory, or that finds a fault in PDFium, costs one sentence.
"""

import json
import pathlib
import subprocess
import sys
import threading
from collections.abc import Generator
from typing import BinaryIO

import numpy as np

from digits.reading.image_formats import MAX_PAGES, Page
from digits.support.messages import UserError

DPI = 200  # as office scanners; a digit of 5 mm is 40 pixels high
MAX_PIXELS = 32_000_000  # of a page: larger ones (A1 has 31 million) are drawn at fewer dots per inch
MAX_SECONDS = 20  # for one page
MAX_BYTES = 1 << 30  # of memory, of which PDFium reserves a part that it never uses

_SENTENCES = {
    "package": "is a PDF document, and pypdfium2 is not installed; run `pip install -r requirements.txt`.",
    "password": "is locked with a password; save a copy without it.",
    "damaged": "is damaged or incomplete (no PDF document can be made of it); save or download it again.",
}


def render_pages(file: BinaryIO, name: str) -> Generator[Page, None, None]:
    """Draw the pages of a document, each when it is asked for.

    Args:
        file: a real file that holds the document, at its beginning.
        name: of the document, for messages.

    Yields:
        Page, on white, with the "error" of those that cannot be drawn.

    Raises:
        UserError: the document cannot be opened, is locked, or has more than MAX_PAGES pages.
    """
    program = str(pathlib.Path(__file__).with_name("pdf_renderer.py"))
    command = [sys.executable, "-P", program, *map(str, (DPI, MAX_PIXELS, MAX_PAGES, MAX_BYTES))]
    with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            answer = _receive(process) or {"error": "damaged"}
            if "error" in answer:
                raise UserError(f"{name} {_SENTENCES[answer['error']]}")
            count = answer["pages"]
            if count > MAX_PAGES:
                raise UserError(f"{name} has {count} pages, more than the {MAX_PAGES} that are read; split it.")
            for index in range(count):
                number = index + 1 if count > 1 else None
                page = name if number is None else f"page {number} of {name}"
                drawn = _receive(process)
                if drawn is None:
                    limits = f"{MAX_SECONDS} s or {MAX_BYTES >> 30} GiB"
                    rest = "; nothing from there on was read" if number else ""
                    yield Page(None, number, error=f"{page} takes more than {limits} to draw{rest}; export it as a PNG.")
                    return
                if isinstance(drawn, dict):
                    yield Page(None, number, error=f"{page} {_SENTENCES[drawn['error']]}")
                else:
                    yield Page(drawn, number)
        finally:
            process.kill()


def _receive(process):
    """Return what the process sends next: a message (dict), a page (array), or None where it ended or had to be ended."""
    timer = threading.Timer(MAX_SECONDS, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
        message = json.loads(line) if line.endswith(b"\n") else None
        if not message or "width" not in message:
            return message
        shape = message["height"], message["width"], 3
        pixels = process.stdout.read(shape[0] * shape[1] * 3)
        return np.frombuffer(pixels, np.uint8).reshape(shape) if len(pixels) == np.prod(shape) else None
    finally:
        timer.cancel()
