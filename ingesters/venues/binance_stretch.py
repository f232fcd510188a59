"""Which trade ids of a symbol are missing: a stretch of them, and what of it has been found."""

from typing import Literal

import msgspec

from ingesters.venues.wishes import without

Kind = Literal["trade", "aggTrade"]
NO_END = 2**63 - 1


class Stretch(msgspec.Struct, omit_defaults=True):
    """
    Trade ids that the stream did not bring, from `first` up to but not including `stop`.

    `missing` are the parts not found yet, in order. `from_ns`..`to_ns` is the time they lie in, by the venue's clock;
    the beginning is None where only the number of the last trade before survived a restart. A stretch of history was
    asked for by the operator: it may be of any age, and it ends where the stream begins, NO_END until then; so is a
    `wish`, with an end of its own. `empty` counts the answers in a row that brought nothing.
    """

    symbol: str
    kind: Kind
    first: int
    stop: int
    missing: list[tuple[int, int]]
    from_ns: int | None
    to_ns: int
    found: int = 0
    empty: int = 0
    is_history: bool = False
    wish: str = ""  # the name of the wish that it is, and how many ids that wants
    total: int = 0

    @classmethod
    def of(
        cls, symbol: str, kind: Kind, ids: tuple[int, int], *, from_ns: int | None, to_ns: int, is_history: bool = False
    ) -> "Stretch":
        """Return a stretch of which nothing has been found."""
        return cls(symbol, kind, *ids, missing=[ids], from_ns=from_ns, to_ns=to_ns, is_history=is_history)

    @property
    def is_open_ended(self) -> bool:
        """Return whether the stream has not begun yet."""
        return self.stop == NO_END

    @property
    def had(self) -> list[tuple[int, int]]:
        """Return the parts that are missing no more."""
        return without((self.first, self.stop), self.missing)

    @property
    def next(self) -> int:
        """Return the first id that is missing."""
        return self.missing[0][0] if self.missing else self.stop

    def take(self, number: int) -> bool:
        """Count an id as found; return whether it was missing."""
        if any(start <= number < stop for start, stop in self.missing):
            self.cut(number, number + 1)
            self.found += 1
            return True
        return False

    def cut(self, start: int, stop: int) -> None:
        """Look for these ids no longer, whether they were found or do not exist."""
        left = [(max(stop, first), last) for first, last in self.missing]
        before = [(first, min(start, last)) for first, last in self.missing]
        self.missing = sorted({part for part in before + left if part[0] < part[1]})

    def end_at(self, stop: int) -> None:
        """Let it end where the stream begins."""
        self.cut(stop, NO_END)
        self.stop = max(stop, self.first)
