"""
Events of the subgraph that somebody wants read again, by the time of their blocks.

The walk is the same as along the head, (time, id) by (time, id), in a stretch that ends behind what is read again
anyway: an event that stands is known by its id, and left out.
"""

from collections.abc import Iterator, Mapping, Sequence

from common.clock import NS_PER_S
from ingesters.feed import Step
from ingesters.venues.event_errands import EventErrands
from ingesters.venues.goldsky_head import CHANNEL
from ingesters.venues.goldsky_page import VENUE, Cursor, Row

LAST_ID = "~"  # behind every id: they are hexadecimal


class ByHand(EventErrands):
    """The wishes for the subgraph; a walk goes on from `after`."""

    def __init__(self, state: Mapping[str, str]) -> None:
        super().__init__(VENUE, state, CHANNEL)
        self._is_asking = False

    @property
    def after(self) -> Cursor:
        """Return the place behind which to ask."""
        if self._errands.place:
            timestamp, _, name = self._errands.place.partition(" ")
            return Cursor(int(timestamp), name)
        first, _ = self._errands.part or (0, 0)
        return Cursor(-(-first // NS_PER_S) - 1, LAST_ID)

    def wants_to_ask(self) -> bool:
        """Return whether a page is to be asked for now: one at a time."""
        is_due = self._errands.wish is not None and not self._is_asking
        self._is_asking = self._is_asking or is_due
        return is_due

    def missing(self, rows: Sequence[Row], last: Cursor | None) -> list[Row]:
        """Return the rows of a page that do not stand, and go on behind its `last` place."""
        found = [row for row in rows if self._errands.wants(row.id, row.cursor.timestamp * NS_PER_S)]
        _, stop = self._errands.part or (0, 0)
        if last and last.timestamp * NS_PER_S < stop:
            timestamp, name = last
            self._errands.reach(timestamp * NS_PER_S, f"{timestamp} {name}")
        else:
            self._errands.leave_part()
        return found

    def answered(self, received_ns: int) -> Iterator[Step]:
        """Yield how far it is; end a wish that has been walked whole."""
        self._is_asking = False
        yield from self._go_on(received_ns)
