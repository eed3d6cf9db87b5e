"""One part of a long list of images: `--shard I/N`, for N independent processes.

    start, stop = Shard(2, 3).bounds(10)          # (4, 7): parts of 4, 3 and 3, in order

The parts 1/N to N/N follow one another without gaps or overlaps, so the outputs of N processes, one after the other,
are the output of a single process.
"""

import argparse
import re
from typing import NamedTuple


class Shard(NamedTuple):
    """The part `number`, from 1, of `parts` parts."""

    number: int = 1
    parts: int = 1

    def bounds(self, total: int) -> tuple[int, int]:
        """Return (start, stop) of this part of `total` images; the first parts are one image longer where needed."""
        length, longer = divmod(total, self.parts)
        start, stop = (position * length + min(position, longer) for position in (self.number - 1, self.number))
        return start, stop


def shard(text: str) -> Shard:
    """Return the Shard that `text`, such as "2/16", names, for argparse."""
    if (match := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)) and 1 <= int(match[1]) <= int(match[2]):
        return Shard(int(match[1]), int(match[2]))
    raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N, such as 1/4")
