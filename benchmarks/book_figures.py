"""What is measured of order books, and the bars that it is held against."""

from dataclasses import dataclass

MESSAGES_BAR, RATIO_BAR, SNAPSHOTS_BAR, BOOK_BAR_BYTES = 20_000, 15.0, 300, 200 * 1024


@dataclass(frozen=True)
class BookFigures:
    """
    What was measured, each per second of CPU.

    `messages` is from frames to statistics, `from_bytes` from the bytes of stream entries. The sorted dictionary makes
    most of these statistics, or (`sorted_dict_20`) only a part of those of the best 20 levels. `cryptofeed` keeps the
    books and makes none; None where it was not asked for.
    """

    messages: float
    five_a_row: float
    from_bytes: float
    sorted_dict: float
    sorted_dict_20: float
    snapshots: float
    book_bytes: float
    cryptofeed: float | None = None

    @property
    def ratio(self) -> float:
        """Return how many times as many messages as the sorted dictionary's."""
        return self.messages / self.sorted_dict

    @property
    def bars(self) -> list[tuple[str, str, bool]]:
        """Return (claim, found, whether it is met)."""
        return [
            (f"{MESSAGES_BAR:,} messages per CPU-second", f"{self.messages:,.0f}", self.messages >= MESSAGES_BAR),
            (f"{RATIO_BAR:.0f} x a sorted dictionary", f"{self.ratio:.1f} x", self.ratio >= RATIO_BAR),
            (f"{SNAPSHOTS_BAR} snapshots per CPU-second", f"{self.snapshots:,.0f}", self.snapshots >= SNAPSHOTS_BAR),
            ("200 KiB a book of 400 levels", f"{self.book_bytes / 1024:.0f} KiB", self.book_bytes <= BOOK_BAR_BYTES),
        ]
