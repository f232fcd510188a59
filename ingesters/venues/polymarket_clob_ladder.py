"""One side of a book: levels by price, and the best of them at hand."""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from ingesters.venues.polymarket_clob_wire import Change, Levels

Texts = tuple[str, str]


class Ladder:
    """One side: levels by price (of asks: minus the price), so that the largest key is the best level."""

    __slots__ = ("best", "levels", "sign")

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.levels: dict[float, Texts] = {}
        self.best = -inf

    def put(self, key: float, texts: Texts, *, is_gone: bool) -> None:
        """Set a level, or remove it."""
        if not is_gone:
            self.levels[key] = texts
            self.best = max(self.best, key)
        elif self.levels.pop(key, None) is not None and key == self.best:
            self.best = max(self.levels, default=-inf)

    def replace(self, levels: Iterable[Texts]) -> None:
        """Forget all levels for these."""
        self.levels = {self.sign * float(texts[0]): texts for texts in levels if float(texts[1])}
        self.best = max(self.levels, default=-inf)

    def sorted(self) -> list[Texts]:
        """Return price and size of each level, best first."""
        return [self.levels[key] for key in sorted(self.levels, reverse=True)]

    def sizes(self) -> dict[float, float]:
        """Return the sizes as numbers: the venue writes one number in several ways."""
        return {key: float(size) for key, (_, size) in self.levels.items()}

    def price(self) -> str:
        """Return the best price, empty if there is none."""
        return self.levels[self.best][0] if self.levels else ""


class Parsed(NamedTuple):
    """A change as numbers; made before any is applied, so that a bad one leaves the book as it was."""

    is_bid: bool
    key: float
    texts: Texts
    is_gone: bool


def parsed(changes: Iterable[Change]) -> list[Parsed]:
    """Return changes as numbers; raise ValueError when one is none."""
    return [
        Parsed(
            change.side == "BUY",
            float(change.price) if change.side == "BUY" else -float(change.price),
            (change.price, change.size),
            not float(change.size),
        )
        for change in changes
    ]


def texts_of(levels: Levels) -> list[Texts]:
    """Return price and size of levels, best first: the venue sends its best level last."""
    return [(level.price, level.size) for level in reversed(levels)]
