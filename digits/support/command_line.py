"""What the scripts' command lines have in common: the docstring as help, and one sentence for each fault.

parser = Parser(__doc__)
parser.add_argument("--epochs", type=number(int, 1, 1000), help="passes over the training images")
...
run(main)
"""

import argparse
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn

from digits.support.messages import UserError, printable, reason


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose `--help` begins with a script's docstring."""

    def __init__(self, docstring: str | None) -> None:
        super().__init__(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with exit status 2 and one sentence, without the list of all options before it."""
        files = [word for word in sys.argv[1:] if word.startswith("-") and os.path.exists(word)]
        hint = f"; for the file {printable(files[0])} write {printable(os.path.join('.', files[0]))}" if files else ""
        self.exit(2, f"{self.prog}: error: {message}{hint} (--help lists all options).\n")


def number(kind: type, least: float, most: float) -> Callable[[str], float]:
    """Return a `type=` for argparse: an int or a float from `least` to `most`."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' * (kind is int)}number from {least:.10g} to {most:.10g}")
        return value

    return convert


def path(text: str) -> pathlib.Path:
    """Return a path of the command line, for argparse's `type=`; an empty one, as of an unset variable, is refused."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return pathlib.Path(text)


def options_of(arguments: argparse.Namespace, parser: argparse.ArgumentParser, without: Collection[str] = ()) -> list[str]:
    """Return the words of a command line that gives `arguments` again, from any folder: paths in it are absolute.

    Args:
        arguments: of `parser`, whose options have long names. What has its default is left out.
        without: names of arguments to leave out.
    """
    words = []
    for name, value in vars(arguments).items():
        if value != parser.get_default(name) and name not in without:
            words.append(f"--{name.replace('_', '-')}")
            if value is not True:
                words.append(os.path.abspath(value) if isinstance(value, pathlib.Path) else str(value))
    return words


def quoted(words: Sequence[str]) -> str:
    """Return the words of a command as the shell of this system takes them."""
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline(words)
    import shlex

    return shlex.join(words)


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script's `main(argv=None) -> int` and end the process with its exit status.

    A `UserError` becomes one sentence and status 2; so does a package that is not installed, and whatever the operating
    system refuses (output to a full disk). Ctrl-C is status 130, SIGTERM 143. A reader that closes the pipe early
    (`| head`) ends the script without a message.
    """
    name = os.path.basename(sys.argv[0])
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:  # ends the script in order: nothing half-written is left
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.stdout, sys.stderr = sys.stdout or open(os.devnull, "w"), sys.stderr or open(os.devnull, "w")  # noqa: SIM115  closed: `>&-`
    try:
        status = main()
        sys.stdout.flush()
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        status = 2
    except ModuleNotFoundError as error:
        print(
            f"{name}: error: the package {error.name} is not installed for {printable(sys.executable)}; activate the "
            "environment (`source .venv/bin/activate`), or run `pip install -r requirements.txt`.",
            file=sys.stderr,
        )
        status = 2
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        status = 130
    except BrokenPipeError:
        _discard_output()
        status = 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as error:
        where = f"{printable(error.filename)}: " if isinstance(error.filename, str) else ""
        print(f"{name}: error: {where}{reason(error)}.", file=sys.stderr)
        _discard_output()
        status = 2
    sys.exit(status)


def _discard_output():
    """Send the rest of standard output nowhere: Python flushes it at exit, which would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
