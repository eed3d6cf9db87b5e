"""One part of a long list of work: `--shard I/N`, for many processes that know nothing of one another.

    start, stop = Shard(2, 3).bounds(10)          # (4, 7): parts of 4, 3 and 3, in order

The parts of 1/N to N/N follow one another without gap or overlap, so what N processes write, put together in order,
is what one process would have written.
"""

import argparse
import re
from typing import NamedTuple


class Shard(NamedTuple):
    """The part `number`, from 1, of `parts` parts."""

    number: int = 1
    parts: int = 1

    def bounds(self, total: int, unit: int = 1) -> tuple[int, int]:
        """Return (start, stop) of this part of `total` things. Parts begin at multiples of `unit`, and the first are longest."""
        units = -(-total // unit)
        length, longer = divmod(units, self.parts)
        start, stop = (position * length + min(position, longer) for position in (self.number - 1, self.number))
        return min(start * unit, total), min(stop * unit, total)


def shard(text: str) -> Shard:
    """Return the Shard that `text`, such as "2/16", names, for argparse."""
    if (match := re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)) and 1 <= int(match[1]) <= int(match[2]):
        return Shard(int(match[1]), int(match[2]))
    raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 1 to N, such as 1/4")
