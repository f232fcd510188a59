"""A reorganisation of the chain changes what was read already: the recent events are read again and compared."""

from typing import NamedTuple

from ingesters.venues.goldsky_page import Cursor, Row

WINDOW_S = 600
MOST_IDS = 50_000  # about 12 MB; a busier ten minutes are watched for as long as they fit


class Difference(NamedTuple):
    """What a second reading found: events that are gone, and events that are back."""

    vanished: list[Cursor]
    returned: list[Cursor]


class Recheck:
    """
    The events that this process has read lately, and a second walk over them.

    Only what this process has read can be compared: what changed before its first page stays unknown. An event that
    vanished is remembered until it leaves the window, so that its return (often with another time) is not a new event.
    """

    def __init__(self, start: Cursor) -> None:
        self._since = start  # every event beyond it, up to where the feed has come, is in _known
        self._known: dict[str, int] = {}
        self._gone: set[str] = set()
        self._found: set[str] = set()
        self._until = start
        self.after = start
        self.is_walking = False

    def remember(self, rows: list[Row]) -> None:
        """Keep what was read, with its newest time, and drop what has become too old or too much."""
        self._known.update((row.id, int(row.timestamp)) for row in rows)
        if len(self._known) > MOST_IDS * 5 // 4:
            self._shorten()

    def is_known(self, row: Row) -> bool:
        """Return whether this process has read the event, be it at another time."""
        return row.id in self._known

    def begin(self, reached: Cursor) -> bool:
        """Set out on a walk up to where the feed has come; return whether there is anything to read."""
        self._shorten()
        self._until, self.after, self._found = reached, self._since, set()
        self.is_walking = bool(self._known)
        return self.is_walking

    def late(self, rows: list[Row]) -> list[Row]:
        """Take a page of the walk; return what appeared behind the feed's back."""
        if rows:
            self.after = rows[-1].cursor
        self._found.update(row.id for row in rows)
        came = [row for row in rows if not self.is_known(row) and self._since < row.cursor <= self._until]
        self.remember([row for row in rows if self.is_known(row)] + came)
        return came

    def end(self) -> Difference:
        """Close the walk; return what it did not find, or found again."""
        self.is_walking = False
        walked = [Cursor(at, key) for key, at in self._known.items() if self._since < Cursor(at, key) <= self._until]
        vanished = sorted(place for place in walked if place.id not in self._found | self._gone)
        returned = sorted(place for place in walked if place.id in self._found & self._gone)
        self._gone = (self._gone - {place.id for place in returned}) | {place.id for place in vanished}
        return Difference(vanished, returned)

    def is_past(self, cursor: Cursor) -> bool:
        """Return whether a walk that has come here has seen all it set out for."""
        return cursor >= self._until

    def _shorten(self) -> None:
        if not self._known:
            return
        places = sorted(zip(self._known.values(), self._known.keys(), strict=True))
        oldest = max(self._since, Cursor(places[-1][0] - WINDOW_S, ""))
        if len(places) > MOST_IDS:
            oldest = max(oldest, Cursor(*places[-MOST_IDS - 1]))
        self._known = {key: at for at, key in places if (at, key) > oldest}
        self._gone &= self._known.keys()
        self._since = oldest
