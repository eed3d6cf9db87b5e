"""Draw the pages of a PDF document: a program of its own, which digits/reading/pdf_pages.py runs.

    python -P pdf_renderer.py DPI MOST_PIXELS MOST_PAGES MOST_BYTES < scan.pdf > pages

A PDF is a program that somebody else wrote: two kilobytes can ask for years of drawing. In a process of its own it can be
given limits and ended. Standard output is a line of JSON with the number of "pages", then one for each page, with "width"
and "height", followed by its pixels (height x width x 3 bytes, RGB). A line with an "error" (one word) takes the place of
what cannot be given.
"""

import contextlib
import json
import math
import sys
from typing import Any


def main() -> None:
    """Write the pages of the document on standard input to standard output."""
    dpi, most_pixels, most_pages, most_bytes = map(int, sys.argv[1:])
    _limit_memory(most_bytes)
    try:
        import pypdfium2
    except ImportError:
        return _tell(error="package")
    try:
        document = pypdfium2.PdfDocument(sys.stdin.buffer)
    except pypdfium2.PdfiumError as error:
        return _tell(error="password" if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD else "damaged")
    with contextlib.suppress(pypdfium2.PdfiumError):
        document.init_forms()
    _tell(pages=len(document))
    for number in range(len(document) if len(document) <= most_pages else 0):
        try:
            page = document[number]
            width, height = page.get_size()
            scale = min(dpi / 72, math.sqrt(most_pixels / max(width * height, 1)))
            bitmap = page.render(scale=scale, rev_byteorder=True)
            pixels = bitmap.to_numpy()
        except (pypdfium2.PdfiumError, ValueError):
            _tell(error="damaged")
            continue
        _tell(width=bitmap.width, height=bitmap.height)
        sys.stdout.buffer.write(pixels.tobytes())
        sys.stdout.buffer.flush()
        page.close()


def _tell(**message: Any) -> None:
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    sys.stdout.buffer.flush()


def _limit_memory(size: int) -> None:
    """Let this process have at most `size` bytes of memory, where the system can hold it to that (not Windows)."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))


if __name__ == "__main__":
    main()
