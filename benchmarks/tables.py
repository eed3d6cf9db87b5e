"""What the benchmarks' tables share: the line that says how and where they were made, the file they go to, and where results
wait until all are there."""

import datetime
import hashlib
import os
import pathlib
import platform
import shlex

from digits.support import files
from digits.support.constants import PROJECT


def add_option(parser):
    """Add `--table FILE` to an argparse parser."""
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="write the table to this file, too")


def made_by(script, *options):
    """Return Markdown: the command that makes a table, the day and the machine."""
    command = shlex.join(["python", f"benchmarks/{pathlib.Path(script).name}", *map(str, options)])
    return f"`{command}`, {datetime.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def cache(name, *others):
    """Return the folder for unfinished results: another one when the code that trains, or one of the files `others`, is another."""
    code = [*map(PROJECT.joinpath, ("train.py", "model.py", "data_loader.py")), *PROJECT.glob("digits/training/**/*.py")]
    content = b"".join(pathlib.Path(path).read_bytes() for path in [*sorted(code), *others])
    return PROJECT / "reports" / name / hashlib.sha256(content).hexdigest()[:8]


def publish(text, path):
    """Print a table, and write it to `path` where that is not None."""
    print(text, flush=True)
    if path:
        files.write_text(path, text)
