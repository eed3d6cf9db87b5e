"""What the scripts' command lines have in common: the docstring as help, and faults told in one sentence.

parser = Parser(__doc__)
parser.add_argument("--epochs", type=number(int, 1, 1000), help="passes over the training images")
"""

import argparse
from collections.abc import Callable
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose `--help` begins with a script's docstring."""

    def __init__(self, docstring: str | None) -> None:
        super().__init__(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End with exit status 2 and one sentence, without the list of all options before it."""
        self.exit(2, f"{self.prog}: error: {message} (--help says what there is).\n")


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
