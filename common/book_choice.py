"""Which statistics of books are made: what an operator may leave out, by name."""

import msgspec
import numpy as np

from common.book_shapes import Ladders
from common.book_stat import BANDS_BPS, IMBALANCE_LEVELS, NOTIONALS, REACHES_BPS


class Choice(msgspec.Struct, frozen=True):
    """Distances, amounts and numbers of levels that are asked of a book; the columns of all others are null."""

    bands_bps: tuple[int, ...] = BANDS_BPS
    notionals: tuple[str, ...] = tuple(NOTIONALS)
    levels: tuple[int, ...] = IMBALANCE_LEVELS

    def ladders(self) -> Ladders:
        """Return what the kernels are asked."""
        amounts = np.array([NOTIONALS[name] for name in self.notionals], np.float64)
        return Ladders(np.array(self.bands_bps, np.int64), amounts, np.array(REACHES_BPS, np.float64))


ALL = Choice()


def chosen(bands_bps: tuple[str, ...], notionals: tuple[str, ...], levels: tuple[str, ...]) -> Choice:
    """Return the choice of an operator's words, in ascending order whatever theirs."""
    return Choice(
        tuple(bps for bps in BANDS_BPS if str(bps) in bands_bps),
        tuple(name for name in NOTIONALS if name in notionals),
        tuple(number for number in IMBALANCE_LEVELS if str(number) in levels),
    )
