"""What the benchmarks' tables share: the line that says how and where they were made, and the file they go to."""

import datetime
import os
import pathlib
import platform
import shlex

from digits.support import files


def add_option(parser):
    """Add `--table FILE` to an argparse parser."""
    parser.add_argument("--table", type=pathlib.Path, metavar="FILE", help="write the table to this file, too")


def made_by(script, *options):
    """Return Markdown: the command that makes a table, the day and the machine."""
    command = shlex.join(["python", f"benchmarks/{pathlib.Path(script).name}", *map(str, options)])
    return f"`{command}`, {datetime.date.today()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def publish(text, path):
    """Print a table, and write it to `path` where that is not None."""
    print(text, flush=True)
    if path:
        files.write_text(path, text)
