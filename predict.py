"""Read the digits in images.

    python predict.py photo.jpg                        # photo.jpg: 7 (99.8 %)
    python predict.py scans/ --recursive --format csv  # every image in a folder and the folders in it
    python predict.py "*.png" --format jsonl           # one JSON record per line, as images are done
    python predict.py forms.pdf --output answers.csv   # every page; the file is written whole or not at all
    python predict.py photo.jpg --annotate out/        # draw what was read, and what the network saw
    cat photo.jpg | python predict.py -                # an image on standard input
    python predict.py scans/ --shard 2/16              # the second of 16 parts: see docs/scaling.md
    python predict.py -- -strange-name.png             # after -- every argument is a PATH

Text is one line per image: "sum.jpg: 2026 (97.1 %)", with the confidence of the whole number, "torn.jpg: unsure:
258? (43.7 %)", or "blank.jpg: no digit found". The JSON formats hold, per image, "file", "page", "text", "confidence",
"unsure", "digits" (each with "digit", "confidence", "box" [x0, y0, x1, y1] in pixels of the upright image, "top"),
"separators", "guess", "notes" and "error", in ASCII; bytes of a name that are not UTF-8 appear as \\xNN. In CSV a
cell that a spreadsheet could take for a formula (one that starts with = + - @ or a tab) gets an apostrophe in
front, and control characters in names appear escaped.

PNG, JPEG, GIF, BMP, TIFF, WebP, PPM, HEIC, AVIF and PDF are read. Of a PDF or TIFF of several pages each gives a
record of its own, "scan.pdf#2" with "page": 2; where there is a single page, "page" is null and the name stays as it is.
Boxes on a page of a PDF are in pixels of 1/200 inch (larger ones on a page above A1). The annotated copy of "number.jpg" is
"number.png", that of the page "scan#2.png"; a second image of the same name gets "number-2.png". Only annotated copies are
ever replaced.

Images are read in the order given, a folder's in natural order, and each result is written as soon as it is
there. Exit status: 0 when all images were read, 1 when some could not be, 2 when none could be or the command
line is wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from digits.reading.record_json import json_text
from digits.support import command_line, shards
from digits.support.command_line import Parser, number
from digits.support.messages import UserError, percent, printable

if TYPE_CHECKING:
    from digits.reading.image_paths import Group
    from digits.reading.reader import Job

PROGRESS_FROM = 20  # images; fewer are done before a progress bar is of use


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = Parser(__doc__)
    add, images = parser.add_argument, "an image, a folder, a pattern such as '*.png', or - for an image on standard input"
    add("paths", nargs="+", metavar="PATH", help=images)
    add("--format", choices=WRITERS, help="of the output (default: text, or what --output asks for)")
    add("--output", metavar="FILE", help="write the answers to FILE, whole or not at all: .csv, .jsonl or .json, by its ending")
    add("--single", action="store_true", help="each image holds exactly one digit: never answer with several or none")
    confidence = (
        "mark a text as unsure whose confidence is less, 0 to 1; confidence is the chance that the whole text is right "
        "(default: 0.85, chosen on real handwriting). Where no number reaches 10 %%, or P where that is less, no digit is found"
    )
    add("--min-confidence", type=number(float, 0, 1), metavar="P", help=confidence)
    polarity = "yes: dark ink on light paper; no: light ink on dark (default: %(default)s)"
    add("--invert", choices=("auto", "yes", "no"), default="auto", help=polarity)
    likeliest = "report the K likeliest digits for each (default: 3 in JSON, none in text)"
    add("--top-k", type=number(int, 1, 10), metavar="K", help=likeliest)
    add("--annotate", metavar="DIR", help="write a copy of each image with boxes, digits and what the network saw to DIR")
    add("--model", metavar="PATH", help="the trained model (default: models/mnist_cnn.keras)")
    runtime = "what runs the model: LiteRT starts sooner (default: %(default)s: LiteRT where possible)"
    add("--runtime", choices=("auto", "litert", "keras"), default="auto", help=runtime)
    add("--recursive", action="store_true", help="search the folders in folders, too")
    part = "read only the I-th of N parts of the images; the N outputs, one after the other, are the output for all"
    add("--shard", type=shards.shard, default=shards.Shard(), metavar="I/N", help=part)
    arguments = parser.parse_args(argv)
    if arguments.output is not None:
        ending = os.path.splitext(arguments.output)[1].lower().removeprefix(".")
        if ending not in ("csv", "jsonl", "json") or arguments.format not in (None, ending):
            parser.error("--output needs a FILE that ends in .csv, .jsonl or .json, and no other --format")
        arguments.format = ending
    arguments.format = arguments.format or "text"
    if arguments.shard.parts > 1 and arguments.format == "json":
        parser.error("--shard needs a --format whose parts can be put together: text, jsonl or csv, not json")
    if arguments.top_k and arguments.format == "csv":
        parser.error("--top-k needs a --format that has room for several digits: text, jsonl or json, not csv")
    return arguments


def jobs_of(groups: list[Group], annotate: str | None = None) -> Iterator[Job]:
    """Yield a Job for each image.

    Args:
        groups: list of image_paths.Group.
        annotate: folder for the annotated copies, or None. Images of the same name get numbered copies.
    """
    from digits.reading.reader import Job

    taken: set[str] = set()
    for folder, names, error in groups:
        if error:
            yield Job(folder, b"", error=error)
        for name in names:
            path = os.path.join(folder, name)
            copy = annotate and os.path.join(annotate, _free_name(os.path.basename(path), taken))
            source = _standard_input() if path == "-" else path
            nothing = "nothing came on standard input (-); give it an image: python predict.py - < photo.jpg"
            yield Job(path, source, copy, error=None if source else nothing)


def _free_name(name, taken):
    """Return a name for the annotated copy of the image `name` that is not among `taken`, and add it.

    `number.jpg` becomes `number.png`; a second `number` becomes `number-2.png`. The sign # is kept for pages.
    """
    stem = "standard-input" if name == "-" else os.path.splitext(name)[0].replace("#", "_")
    names = itertools.chain([f"{stem}.png"], (f"{stem}-{number}.png" for number in itertools.count(2)))
    free = next(name for name in names if name.casefold() not in taken)
    taken.add(free.casefold())
    return free


def _standard_input():
    """Return the bytes on standard input, one more than are accepted at most."""
    from digits.reading.image_loader import MAX_STREAM_BYTES

    return b"" if sys.stdin is None else sys.stdin.buffer.read(MAX_STREAM_BYTES + 1)


def text_line(record: dict, alternatives: int | None) -> str:
    """Return the line for people: name, digits and the confidence of the whole, and alternatives if wanted."""
    name = printable(record["file"])
    if not record["digits"]:
        return f"{name}: no digit found\n"
    tops = [" [" + ", ".join(f"{digit} {percent(p)}" for digit, p in one["top"]) + "]" for one in record["digits"] if alternatives]
    text = f"unsure: {record['text']}?" if record["unsure"] else record["text"]
    return f"{name}: {text} ({percent(record['confidence'])}){''.join(tops)}\n"


def csv_line(cells: Iterable[object]) -> str:
    """Return one line of CSV in which no cell starts a formula."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        f"'{cell}" if str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell for cell in cells
    )
    return line.getvalue()


def write_text(records: Iterable[dict], write: Callable[[str], object], alternatives: int | None) -> None:
    """Write a line per image that was read."""
    for record in records:
        if record["error"] is None:
            write(text_line(record, alternatives))


def write_jsonl(records: Iterable[dict], write: Callable[[str], object], alternatives: int | None) -> None:
    """Write a JSON object per line."""
    for record in records:
        write(json_text(record) + "\n")


def write_json(records: Iterable[dict], write: Callable[[str], object], alternatives: int | None) -> None:
    """Write one JSON array. An interruption closes it: what is there stays valid."""
    before = "[\n"
    try:
        for record in records:
            write(before + json_text(record))
            before = ",\n"
    except BrokenPipeError:
        raise
    except BaseException:
        if before != "[\n":
            write("\n]\n")
        raise
    write("\n]\n" if before != "[\n" else "[]\n")


def write_csv(records: Iterable[dict], write: Callable[[str], object], alternatives: int | None, header: bool = True) -> None:
    """Write a table: one row per image; boxes as `x0 y0 x1 y1`, one per digit, separated by semicolons."""
    before = csv_line(["file", "text", "confidence", "unsure", "boxes", "error"]) if header else ""
    for record in records:
        boxes = "; ".join(" ".join(map(str, one["box"])) for one in record["digits"])
        confidence = "" if record["confidence"] is None else f"{record['confidence']:.6f}"
        unsure = "yes" if record["unsure"] else ""
        write(before + csv_line([printable(record["file"]), record["text"], confidence, unsure, boxes, record["error"] or ""]))
        before = ""


WRITERS: dict[str, Callable] = {"text": write_text, "jsonl": write_jsonl, "json": write_json, "csv": write_csv}


def main(argv: list[str] | None = None) -> int:
    """Read the images that the command line names. Returns the exit status."""
    arguments = parse_arguments(argv)
    from digits.reading import image_paths, many_images, reader

    groups = image_paths.find_images(arguments.paths, arguments.recursive)
    if arguments.annotate:
        _check_annotate(arguments.annotate, groups)
    if arguments.output:
        _check_output(arguments.output, groups)
    settings = reader.Settings(
        arguments.model, arguments.runtime, arguments.single, arguments.min_confidence, arguments.invert, arguments.top_k or 3
    )
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a name must not end the reading
            stream.reconfigure(errors="backslashreplace")
    count, failed, first_fault = 0, 0, None  # and not all faults: of millions of images all may fail
    first, last = arguments.shard.bounds(sum(len(names) + bool(error) for _, names, error in groups))
    options = {"header": arguments.shard.number == 1} if arguments.format == "csv" else {}  # only the first part has it
    with _progress(last - first, bool(arguments.output)) as progress, _writing(arguments.output, progress) as write:

        def tell(sentence):
            with progress.external_write_mode(file=sys.stderr) if progress else contextlib.nullcontext():
                print(f"predict.py: {sentence}", file=sys.stderr)

        def watched(records):
            for record in records:
                nonlocal count, failed, first_fault
                count, failed = count + 1, failed + bool(record["error"])
                first_fault = first_fault or record["error"]
                if arguments.format in ("text", "csv"):
                    for sentence in [*record["notes"], *([record["error"]] if record["error"] else [])]:
                        tell(sentence)
                yield record
                if progress:
                    progress.total += record["page"] not in (None, 1)  # how many pages will come is not known beforehand
                    progress.update()

        jobs = itertools.islice(jobs_of(groups, arguments.annotate), first, last)
        WRITERS[arguments.format](watched(many_images.read_images(jobs, settings, tell)), write, arguments.top_k, **options)
        if first_fault and failed == count and arguments.output and os.path.exists(arguments.output):
            why = "" if arguments.format == "csv" else f"{first_fault} "
            raise UserError(f"{why}No image could be read, so {printable(arguments.output)} stays as it was.")
    if failed and arguments.format in ("json", "jsonl"):
        print(f'predict.py: {failed} of {count} could not be read; "error" says why.', file=sys.stderr)
    return 0 if not failed else 1 if failed < count else 2


@contextlib.contextmanager
def _writing(path, progress):
    """Give a function that writes text to the file `path`, which is there when the block has ended well, or to the screen."""
    if path:
        from digits.support import files

        with files.atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            yield file.write
        return

    def write(text):
        with progress.external_write_mode() if progress and sys.stdout.isatty() else contextlib.nullcontext():
            sys.stdout.write(text)
            sys.stdout.flush()  # whoever reads this need not wait for more

    yield write


def _check_output(path, groups):
    """Raise UserError where the file to write is one of the images to read."""
    for folder, names, _ in groups:
        for name in names:
            image = os.path.join(folder, name)
            if os.path.basename(image) == os.path.basename(path) and os.path.exists(path) and os.path.samefile(image, path):
                raise UserError(f"{printable(path)} is one of the images to read; name another file to write.")


def _check_annotate(folder, groups):
    """Refuse a folder for annotated copies that is missing and cannot be made, or that holds the images."""
    from digits.support import files

    files.make_folder(folder)
    holders = {group.folder for group in groups if group.folder}
    holders |= {os.path.dirname(name) or "." for group in groups if not group.folder for name in group.names if name != "-"}
    if any(os.path.isdir(holder) and os.path.samefile(holder, folder) for holder in holders):
        raise UserError(f"{printable(folder)} holds images that are to be read; choose another folder for --annotate.")


def _progress(total, wanted):
    """Return a progress bar on standard error, or a stand-in where nobody would see it or, unless it is wanted, need it."""
    if (total < PROGRESS_FROM and not wanted) or sys.stderr is None or not sys.stderr.isatty():
        return contextlib.nullcontext()
    from tqdm import tqdm

    return tqdm(total=total, unit=" images", smoothing=0.05)


if __name__ == "__main__":
    command_line.run(main)
