"""A reorganisation of the chain changes what was read already: the recent events are read again and compared."""

from collections.abc import Sequence
from typing import NamedTuple

from ingesters.venues.goldsky_page import Cursor, Odd, Row, places_of

WINDOW_S = 600
MOST_EVENTS = 20_000  # about 20 MB; a busier ten minutes are watched for as long as they fit


class Difference(NamedTuple):
    """What rows are beside what this process knows: new, back after they had vanished, or (as it was, as it is)."""

    new: list[Row]
    returned: list[Row]
    changed: list[tuple[Row, Row]]


class Recheck:
    """
    The events that this process has read lately, and a second walk over them.

    Only what this process has read can be compared: what changed before its first page stays unknown. An event that
    vanished is remembered until it leaves the window, so that its return (often with another time) is told as such.
    """

    def __init__(self, start: Cursor) -> None:
        self._since = start  # every event beyond it, up to where the feed has come, is in _known
        self._known: dict[str, Row] = {}
        self._gone: dict[str, Row] = {}
        self._found: set[str] = set()
        self._is_blind = False  # something came without a place: what was not found may be that
        self._until = start
        self.after = start
        self.is_walking = False

    def compare(self, rows: list[Row]) -> Difference:
        """Take rows as they are now; return how they differ from what is known."""
        new = [row for row in rows if row.id not in self._known and row.id not in self._gone]
        returned = [row for row in rows if row.id in self._gone]
        known = [(self._known[row.id], row) for row in rows if row.id in self._known]
        self._remember(rows)
        return Difference(new, returned, [(before, row) for before, row in known if before != row])

    def begin(self, reached: Cursor) -> bool:
        """Set out on a walk up to where the feed has come; return whether there is anything to read."""
        self._shorten(reached)
        self._until, self.after, self._found, self._is_blind = reached, self._since, set(), False
        self.is_walking = bool(self._known)
        return self.is_walking

    def walk(self, rows: list[Row], odd: Sequence[Odd] = ()) -> Difference:
        """Take a page of the walk; return what happened behind the feed's back. What is odd is there all the same."""
        places = places_of(rows, odd)
        self.after = max([self.after, *places])
        self._found.update(place.id for place in places)
        self._is_blind |= len(places) < len(rows) + len(odd)
        return self.compare([row for row in rows if self._since < row.cursor <= self._until])

    def end(self) -> list[Row]:
        """Close the walk; return what it did not find: that is gone."""
        self.is_walking = False
        if self._is_blind:
            return []
        walked = [row for row in self._known.values() if self._since < row.cursor <= self._until]
        vanished = sorted((row for row in walked if row.id not in self._found), key=lambda row: row.cursor)
        for row in vanished:
            self._gone[row.id] = self._known.pop(row.id)
        return vanished

    def is_past(self, cursor: Cursor) -> bool:
        """Return whether a walk that has come here has seen all it set out for."""
        return cursor >= self._until

    def _remember(self, rows: list[Row]) -> None:
        """Keep rows as they are now, and drop what has become too old or too much."""
        for row in rows:
            self._known[row.id] = row
            self._gone.pop(row.id, None)
        if len(self._known) > MOST_EVENTS * 5 // 4:
            self._shorten(max(row.cursor for row in self._known.values()))

    def _shorten(self, newest: Cursor) -> None:
        if not self._known:
            return
        places = sorted(row.cursor for row in self._known.values())
        oldest = max(self._since, Cursor(newest.timestamp - WINDOW_S, ""))
        if len(places) > MOST_EVENTS:
            oldest = max(oldest, places[-MOST_EVENTS - 1])
        self._known = {row.id: row for row in self._known.values() if row.cursor > oldest}
        self._gone = {row.id: row for row in self._gone.values() if row.cursor > oldest}
        self._since = oldest
