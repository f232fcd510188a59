"""What is missing of one symbol's trades: half-open ranges of ids, and how much of them was had."""

import msgspec

Part = tuple[int, int]  # the first id, and the one behind the last


class Hole(msgspec.Struct, kw_only=True):
    """
    A hole in the ids of trades, from when to when, and what of it is still `missing`, in ascending parts.

    `found` counts what was fetched or came late; `tries` how often all of it was asked for in vain; the next question
    is for what lies below `cursor`. A `wish` of somebody may be of any age; `settles` are the ids that it is about.
    """

    missing: list[Part]
    from_ns: int
    to_ns: int
    total: int
    found: int = 0
    tries: int = 0
    cursor: int | None = None
    wish: str = ""
    settles: Part | None = None

    @property
    def below(self) -> int:
        """Return the id below which trades are to be asked for."""
        top = self.missing[-1][1]
        return top if self.cursor is None else min(self.cursor, top)

    @property
    def is_begun_anew(self) -> bool:
        """Return whether all of it is to be asked for once more."""
        return self.tries > 0 and self.cursor is None

    @property
    def first(self) -> int:
        """Return the smallest id missing."""
        return self.missing[0][0]

    def has(self, first: int, last: int) -> bool:
        """Return whether all of these ids are missing."""
        return any(start <= first and last < stop for start, stop in self.missing)

    def fill(self, first: int, last: int) -> None:
        """Count these ids as found."""
        self.found += last - first + 1
        self.missing = [
            part
            for start, stop in self.missing
            for part in ((start, min(stop, first)), (max(start, last + 1), stop))
            if part[0] < part[1]
        ]

    def end_above(self, number: int) -> None:
        """Look for nothing below an id: the venue has nothing older, so these were never wanted."""
        left = [(max(start, number), stop) for start, stop in self.missing]
        wanted = [part for part in left if part[0] < part[1]]
        self.total -= sum(stop - start for start, stop in self.missing) - sum(stop - start for start, stop in wanted)
        self.missing = wanted
